"""A clip's prompts in the host: a text for every frame, and what lies between two texts mixed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from modules import prompt_parser, shared

from lib_anim.motion.travel import Blend, conditioned
from lib_anim.timeline.prompts import Travel
from lib_anim.types import PromptInterpolation
from lib_anim.webui.clip.travel import (
    Part,
    Stretch,
    filled,
    learnt,
    networks_in,
    parts_between,
    unmarked,
)


@dataclass(frozen=True)
class Way:
    """One frame's prompt: a text, and another one that it is on the way to."""

    text: str
    other: str = ""
    weight: float = 0.0
    """Share of the other, 0 … 1."""


Ways = Sequence[Way]


def ways_of(positive: Sequence[Travel], negative: Sequence[Travel]) -> tuple[Ways, Ways]:
    """Every frame's prompt and negative prompt from the travels of both fields.

    Prompts may bring their own negative prompts along (`--neg`), which go in front. Where these travel and
    the negative field too, the field's travel decides how far the frame has come.
    """
    prompts, negatives = [], []
    for place, other in zip(positive, negative, strict=True):
        prompts.append(Way(place.before.positive, place.after.positive, place.weight))
        before, after = place.before.negative, place.after.negative
        weight = place.weight if before != after else 0.0
        if other.weight:
            weight, after = other.weight, before
        text = _joined(before, other.before.positive)
        last = other.after.positive if other.weight else other.before.positive
        negatives.append(Way(text, _joined(after, last), weight))
    return tuple(prompts), tuple(negatives)


class ClipPrompts:
    """The prompts of one request, as many as it denoises frames."""

    def __init__(
        self,
        positive: Ways,
        negative: Ways,
        how: PromptInterpolation,
        hires: tuple[Ways, Ways] | None = None,
    ) -> None:
        """`hires`: the second pass' prompts where they are others than the first's."""
        self._first = _Pass(positive, negative, how)
        self._hires = _Pass(*hires, how) if hires is not None else self._first

    def attach(self, p: Any, moves: Callable[[str], bool]) -> list[tuple[str, float]]:
        """Give the request a text for every frame of every batch; mix what it makes of them.

        Returns the motion LoRAs that prompts name as `<lora:NAME:WEIGHT>`, told by `moves` (name → is it
        one): they are taken out. Other networks stand in the first text, where the host looks for them.
        """
        found = self._first.take_out(moves)
        p.prompt, p.negative_prompt = (texts * p.n_iter for texts in self._first.texts)
        p.setup_conds = self._setting_up(p, p.setup_conds)
        if getattr(p, "enable_hr", False):
            if self._hires is not self._first:
                self._hires.take_out(moves)
            p.hr_prompt, p.hr_negative_prompt = (texts * p.n_iter for texts in self._hires.texts)
            p.calculate_hr_conds = self._calculating(p, p.calculate_hr_conds)
        return found

    def settle(self, p: Any) -> None:
        """Told before each batch: frames of one text keep one, also where scripts draw from wildcards."""
        p.prompts[:] = self._first.settled(p.prompts)
        p.negative_prompts[:] = self._first.settled(p.negative_prompts, negative=True)

    def _setting_up(self, p: Any, former: Callable[[], None]) -> Callable[[], None]:
        def setup_conds() -> None:
            former()
            # In the hires pass a refiner asks again, which concerns that pass' own.
            if not getattr(p, "is_hr_pass", False):
                p.c, p.uc = self._first.mixed(p, p.c, p.uc)

        return setup_conds

    def _calculating(self, p: Any, former: Callable[[], None]) -> Callable[[], None]:
        def calculate_hr_conds() -> None:
            if p.hr_c is None:
                former()
                p.hr_c, p.hr_uc = self._hires.mixed(p, p.hr_c, p.hr_uc, hires=True)

        return calculate_hr_conds


class _Pass:
    """The prompts of one pass of sampling."""

    def __init__(self, positive: Ways, negative: Ways, how: PromptInterpolation) -> None:
        self._positive = positive
        self._negative = negative
        self._how = how
        self.texts = [way.text for way in positive], [way.text for way in negative]
        """Every frame's prompt, and negative prompt, for the host."""

    def take_out(self, moves: Callable[[str], bool]) -> list[tuple[str, float]]:
        """Collect the networks of all prompts in the first text, but for motion LoRAs, which are returned."""
        everything = (text for way in self._positive for text in (way.text, way.other))
        tags = dict.fromkeys(tag for text in everything for tag in networks_in(text))
        self._positive = [Way(_bare(way.text), _bare(way.other), way.weight) for way in self._positive]
        texts = [way.text for way in self._positive]
        motion = []
        for name, tag in tags:
            kind, _, own = name.partition(":")
            if kind == "lora" and moves(own):
                motion.append((own, _weight(tag)))
            else:
                texts[0] += tag
        self.texts = texts, self.texts[1]
        return motion

    def settled(self, prompts: Sequence[str], *, negative: bool = False) -> list[str]:
        """The frames' prompts as scripts have made them, of equal ones the first."""
        ways = self._negative if negative else self._positive
        drawn: dict[str, str] = {}
        return [
            drawn[way.text] if drawn.setdefault(way.text, _bare(prompt)) != _bare(prompt) else prompt
            for way, prompt in zip(ways, prompts, strict=True)
        ]

    def mixed(self, p: Any, c: Any, uc: Any, *, hires: bool = False) -> tuple[Any, Any]:
        """The host's conditionings of all frames with those between two texts mixed; the given ones stay.

        Every frame gets as many conditions (AND) as the one with most, the missing ones with weight 0: a
        network sees all frames of a condition together.
        """
        moves = self._how != "hold" and any(way.weight for way in (*self._positive, *self._negative))
        if not moves and len({len(parts) for parts in c.batch}) == 1:
            return c, uc
        empty = unmarked(learnt(p, [""], negative=True, conditions=False, hires=hires)[0][0].cond)
        mixer = _Mixer(p, self._how, empty, hires)
        batch = mixer.travelled(self._positive, c.batch, negative=False)
        most = max(len(parts) for parts in batch)
        batch = [[*parts, *[Part(parts[0].schedules, 0.0)] * (most - len(parts))] for parts in batch]
        negatives = mixer.travelled(self._negative, [[Part(stretches)] for stretches in uc], negative=True)
        uc = [parts[0].schedules for parts in negatives]
        _level([part.schedules for parts in batch for part in parts], empty)
        _level(uc, empty)
        return prompt_parser.MulticondLearnedConditioning(shape=c.shape, batch=batch), uc


class _Mixer:
    """Mixes the conditionings of one pass."""

    def __init__(self, p: Any, how: PromptInterpolation, empty: Any, hires: bool) -> None:
        self._p = p
        self._how = how
        self._empty = empty
        self._hires = hires

    def travelled(self, ways: Ways, own: Sequence[Any], *, negative: bool) -> list[list[Any]]:
        """Every frame's conditions (of AND), as new objects; their lengths as they come."""
        if self._how == "hold":
            ways = [Way(way.text) for way in ways]
        # What a frame is on its way to is most often another frame's own text, as scripts have changed it.
        known = {way.text: parts for way, parts in zip(ways, own, strict=True)}
        missing = list(dict.fromkeys(way.other for way in ways if way.weight and way.other not in known))
        known.update(zip(missing, self._learnt(missing, negative), strict=True))
        return [
            parts_between(
                parts, known[way.other] if way.weight else parts, way.weight, self._mixing(way.weight)
            )
            for way, parts in zip(ways, own, strict=True)
        ]

    def _learnt(self, texts: Sequence[str], negative: bool) -> list[list[Any]]:
        if not texts:
            return []
        styles = shared.prompt_styles
        apply = styles.apply_negative_styles_to_prompt if negative else styles.apply_styles_to_prompt
        styled = [apply(text, self._p.styles) for text in texts]
        made = learnt(self._p, styled, negative=negative, conditions=not negative, hires=self._hires)
        return [[Part(stretches)] for stretches in made] if negative else list(made.batch)

    def _mixing(self, weight: float) -> Callable[[Any, Any], Any]:
        def mix(a: Any, b: Any) -> Any:
            if not weight:
                return a
            length = max(_length(a), _length(b))
            both = [_filled(cond, length, self._empty) for cond in (a, b)]
            mixed = conditioned(both, [Blend(0, 1, weight)], self._how)
            return {name: part[0] for name, part in mixed.items()} if isinstance(mixed, dict) else mixed[0]

        return mix


def _level(schedules: Sequence[list[Any]], empty: Any) -> None:
    """Make all conditionings as long as the longest, as the host stacks them."""
    length = max(_length(stretch.cond) for stretches in schedules for stretch in stretches)
    for stretches in schedules:
        stretches[:] = [Stretch(s.end_at_step, _filled(s.cond, length, empty)) for s in stretches]


def _filled(cond: Any, length: int, empty: Any) -> Any:
    if isinstance(cond, dict):
        return {**cond, "crossattn": filled(cond["crossattn"], length, empty["crossattn"])}
    return filled(cond, length, empty)


def _length(cond: Any) -> int:
    return len(cond["crossattn"] if isinstance(cond, dict) else cond)


def _bare(text: str) -> str:
    for _, tag in networks_in(text):
        text = text.replace(tag, "")
    return text


def _weight(tag: str) -> float:
    """The weight of a network's tag `<kind:name:weight>`; 1 where none is written."""
    parts = tag.strip("<>").split(":")
    try:
        return float(parts[2])
    except (IndexError, ValueError):
        return 1.0


def _joined(first: str, second: str) -> str:
    return ", ".join(text for text in (first, second) if text)
