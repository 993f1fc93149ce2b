"""A clip's prompts in the host: one text per frame, with interpolated conditionings between texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from modules import prompt_parser, shared

from lib_anim.motion.travel import Blend, conditioned
from lib_anim.timeline.prompts import Travel
from lib_anim.types import PromptInterpolation
from lib_anim.webui.clip.travel import (
    ScheduledCond,
    WeightedCond,
    encoded,
    mixed_parts,
    networks_in,
    padded,
    without_control_row,
)


@dataclass(frozen=True)
class FramePrompt:
    """One frame's prompt: a text, and the text towards which it is interpolated."""

    text: str
    other: str = ""
    weight: float = 0.0
    """Share of `other`, 0 … 1."""


FramePrompts = Sequence[FramePrompt]


def frame_prompts(
    positive: Sequence[Travel], negative: Sequence[Travel]
) -> tuple[FramePrompts, FramePrompts]:
    """Every frame's prompt and negative prompt from the travels of both fields.

    Negative prompts inside the prompt field (`--neg`) are placed before those of the negative field. Where
    both are interpolated, the weight of the negative field is used.
    """
    prompts, negatives = [], []
    for place, other in zip(positive, negative, strict=True):
        prompts.append(FramePrompt(place.before.positive, place.after.positive, place.weight))
        before, after = place.before.negative, place.after.negative
        weight = place.weight if before != after else 0.0
        if other.weight:
            weight, after = other.weight, before
        text = _joined(before, other.before.positive)
        last = other.after.positive if other.weight else other.before.positive
        negatives.append(FramePrompt(text, _joined(after, last), weight))
    return tuple(prompts), tuple(negatives)


class ClipPrompts:
    """The prompts of one request, one for each denoised frame."""

    def __init__(
        self,
        positive: FramePrompts,
        negative: FramePrompts,
        interpolation: PromptInterpolation,
        hires: tuple[FramePrompts, FramePrompts] | None = None,
    ) -> None:
        """`hires`: prompts of the hires pass where they differ from the first pass'."""
        self._first = _Pass(positive, negative, interpolation)
        self._hires = _Pass(*hires, interpolation) if hires is not None else self._first

    def attach(self, p: Any, is_motion_lora: Callable[[str], bool]) -> list[tuple[str, float]]:
        """Set a text for every frame of every batch on the request; wrap the computation of conditionings.

        Returns (name, weight) of the prompts' tags `<lora:NAME:WEIGHT>` for which `is_motion_lora(name)` is
        true; these tags are removed. Tags of other networks are moved to the first text, where the host reads
        them.
        """
        found = self._first.take_networks(is_motion_lora)
        p.prompt, p.negative_prompt = (texts * p.n_iter for texts in self._first.texts)
        p.setup_conds = self._setup_conds_wrapper(p, p.setup_conds)
        if getattr(p, "enable_hr", False):
            if self._hires is not self._first:
                self._hires.take_networks(is_motion_lora)
            p.hr_prompt, p.hr_negative_prompt = (texts * p.n_iter for texts in self._hires.texts)
            p.calculate_hr_conds = self._hr_conds_wrapper(p, p.calculate_hr_conds)
        return found

    def unify_drawn(self, p: Any) -> None:
        """Give frames of equal text the same prompt, also after wildcard scripts; before each batch."""
        p.prompts[:] = self._first.unified(p.prompts)
        p.negative_prompts[:] = self._first.unified(p.negative_prompts, negative=True)

    def _setup_conds_wrapper(self, p: Any, original: Callable[[], None]) -> Callable[[], None]:
        def setup_conds() -> None:
            original()
            # A refiner calls it again in the hires pass, which has its own conditionings.
            if not getattr(p, "is_hr_pass", False):
                p.c, p.uc = self._first.mixed(p, p.c, p.uc)

        return setup_conds

    def _hr_conds_wrapper(self, p: Any, original: Callable[[], None]) -> Callable[[], None]:
        def calculate_hr_conds() -> None:
            if p.hr_c is None:
                original()
                p.hr_c, p.hr_uc = self._hires.mixed(p, p.hr_c, p.hr_uc, hires=True)

        return calculate_hr_conds


class _Pass:
    """The prompts of one pass of sampling."""

    def __init__(
        self, positive: FramePrompts, negative: FramePrompts, interpolation: PromptInterpolation
    ) -> None:
        self._positive = positive
        self._negative = negative
        self._interpolation = interpolation
        self.texts = [frame.text for frame in positive], [frame.text for frame in negative]
        """(prompts, negative prompts) for the host, one per frame."""

    def take_networks(self, is_motion_lora: Callable[[str], bool]) -> list[tuple[str, float]]:
        """Move the network tags of all prompts to the first text, except motion LoRAs, which are returned."""
        all_texts = (text for frame in self._positive for text in (frame.text, frame.other))
        tags = dict.fromkeys(tag for text in all_texts for tag in networks_in(text))
        self._positive = [
            FramePrompt(_without_networks(frame.text), _without_networks(frame.other), frame.weight)
            for frame in self._positive
        ]
        texts = [frame.text for frame in self._positive]
        motion = []
        for name, tag in tags:
            kind, _, own = name.partition(":")
            if kind == "lora" and is_motion_lora(own):
                motion.append((own, _weight(tag)))
            else:
                texts[0] += tag
        self.texts = texts, self.texts[1]
        return motion

    def unified(self, prompts: Sequence[str], *, negative: bool = False) -> list[str]:
        """The frames' prompts as scripts have changed them; frames of equal text get the first of them."""
        frames = self._negative if negative else self._positive
        drawn: dict[str, str] = {}
        return [
            drawn[frame.text]
            if drawn.setdefault(frame.text, _without_networks(prompt)) != _without_networks(prompt)
            else prompt
            for frame, prompt in zip(frames, prompts, strict=True)
        ]

    def mixed(self, p: Any, c: Any, uc: Any, *, hires: bool = False) -> tuple[Any, Any]:
        """Interpolated copies of the host's conditionings of all frames; the arguments are not changed.

        Every frame is padded to the same number of AND conditions with conditions of weight 0, because the
        UNet processes all frames of a condition together.
        """
        interpolated = self._interpolation != "hold" and any(
            frame.weight for frame in (*self._positive, *self._negative)
        )
        if not interpolated and len({len(parts) for parts in c.batch}) == 1:
            return c, uc
        empty = without_control_row(encoded(p, [""], negative=True, conditions=False, hires=hires)[0][0].cond)
        mixer = _Mixer(p, self._interpolation, empty, hires)
        batch = mixer.mixed(self._positive, c.batch, negative=False)
        most = max(len(parts) for parts in batch)
        batch = [[*parts, *[WeightedCond(parts[0].schedules, 0.0)] * (most - len(parts))] for parts in batch]
        negatives = mixer.mixed(self._negative, [[WeightedCond(schedule)] for schedule in uc], negative=True)
        uc = [parts[0].schedules for parts in negatives]
        _pad_all([part.schedules for parts in batch for part in parts], empty)
        _pad_all(uc, empty)
        return prompt_parser.MulticondLearnedConditioning(shape=c.shape, batch=batch), uc


class _Mixer:
    """Interpolates the conditionings of one pass."""

    def __init__(self, p: Any, interpolation: PromptInterpolation, empty: Any, hires: bool) -> None:
        self._p = p
        self._interpolation = interpolation
        self._empty = empty
        self._hires = hires

    def mixed(self, frames: FramePrompts, own: Sequence[Any], *, negative: bool) -> list[list[Any]]:
        """Every frame's AND conditions as new objects, not yet padded to equal lengths."""
        if self._interpolation == "hold":
            frames = [FramePrompt(frame.text) for frame in frames]
        # The target text is usually another frame's own text, as scripts have changed it.
        known = {frame.text: parts for frame, parts in zip(frames, own, strict=True)}
        missing = list(
            dict.fromkeys(frame.other for frame in frames if frame.weight and frame.other not in known)
        )
        known.update(zip(missing, self._encoded(missing, negative), strict=True))
        return [
            mixed_parts(
                parts,
                known[frame.other] if frame.weight else parts,
                frame.weight,
                self._mix_function(frame.weight),
            )
            for frame, parts in zip(frames, own, strict=True)
        ]

    def _encoded(self, texts: Sequence[str], negative: bool) -> list[list[Any]]:
        if not texts:
            return []
        styles = shared.prompt_styles
        apply = styles.apply_negative_styles_to_prompt if negative else styles.apply_styles_to_prompt
        styled = [apply(text, self._p.styles) for text in texts]
        made = encoded(self._p, styled, negative=negative, conditions=not negative, hires=self._hires)
        return [[WeightedCond(schedule)] for schedule in made] if negative else list(made.batch)

    def _mix_function(self, weight: float) -> Callable[[Any, Any], Any]:
        def mix(a: Any, b: Any) -> Any:
            if not weight:
                return a
            length = max(_length(a), _length(b))
            both = [_padded(cond, length, self._empty) for cond in (a, b)]
            mixed = conditioned(both, [Blend(0, 1, weight)], self._interpolation)
            return {name: part[0] for name, part in mixed.items()} if isinstance(mixed, dict) else mixed[0]

        return mix


def _pad_all(schedules: Sequence[list[Any]], empty: Any) -> None:
    """Pad all conditionings to the length of the longest, in place, because the host stacks them."""
    length = max(_length(entry.cond) for schedule in schedules for entry in schedule)
    for schedule in schedules:
        schedule[:] = [ScheduledCond(s.end_at_step, _padded(s.cond, length, empty)) for s in schedule]


def _padded(cond: Any, length: int, empty: Any) -> Any:
    if isinstance(cond, dict):
        return {**cond, "crossattn": padded(cond["crossattn"], length, empty["crossattn"])}
    return padded(cond, length, empty)


def _length(cond: Any) -> int:
    return len(cond["crossattn"] if isinstance(cond, dict) else cond)


def _without_networks(text: str) -> str:
    for _, tag in networks_in(text):
        text = text.replace(tag, "")
    return text


def _weight(tag: str) -> float:
    """Weight of a network tag `<kind:name:weight>`; 1 where it has none."""
    parts = tag.strip("<>").split(":")
    try:
        return float(parts[2])
    except (IndexError, ValueError):
        return 1.0


def _joined(first: str, second: str) -> str:
    return ", ".join(text for text in (first, second) if text)
