"""A clip's prompts in the host: a text for every frame, and what lies between them mixed at each step."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import torch

from lib_anim.motion.travel import Leg, conditioned
from lib_anim.settings.motion import Motion
from lib_anim.timeline.context import Context
from lib_anim.timeline.prompts import Travel, parse_prompts

NETWORK = re.compile(r"<(\w+):([^:>]+):?([^>]*)>")
"""A network in a prompt: kind, name, and what follows."""

MARK = 1024
"""What ControlNet (sd-webui-controlnet 1.1.4xx) fills its row with, with either sign."""


class ClipPrompts:
    """The request's prompt and negative prompt, each of which may travel."""

    def __init__(self, p: Any, motion: Motion, frames: int, cyclic: bool) -> None:
        """Raises FlipbookError for what cannot be read as prompts."""
        context = Context(
            frames=frames, fps=motion.fps, seed=max(int(p.seed), 0), width=p.width, height=p.height
        )
        self.original = (p.prompt, p.negative_prompt)
        """What the user wrote, for the film's parameters."""
        self._how = motion.prompt_interpolation
        positive = parse_prompts(p.prompt, field="prompt")
        negative = parse_prompts(p.negative_prompt, field="negative_prompt")
        self._positive = tuple(positive.travel(context, closed=cyclic))
        self._negative = tuple(negative.travel(context, closed=cyclic))
        self.warnings = (*positive.warnings(context), *negative.warnings(context))

    def put_on(self, p: Any, moves: Callable[[str], bool]) -> list[tuple[str, float]]:
        """Give the request a text for every frame of every batch.

        Returns the motion LoRAs that prompts name as `<lora:NAME:WEIGHT>`, told by `moves` (name → is it
        one): they are taken out. Other networks stand in the first text, where the host looks for them.
        """
        negatives = [
            _joined(place.before.negative, other.before.positive)
            for place, other in zip(self._positive, self._negative, strict=True)
        ]
        texts = [place.before.positive for place in self._positive]
        tags = dict.fromkeys(tag for text in texts for tag in NETWORK.findall(text))
        motion = [tag for tag in tags if tag[0] == "lora" and moves(tag[1])]
        others = [tag for tag in tags if tag not in motion]
        bare = [NETWORK.sub("", text) for text in texts]
        bare[0] += "".join(f"<{':'.join(filter(None, tag))}>" for tag in others)
        p.prompt = bare * p.n_iter
        p.negative_prompt = negatives * p.n_iter
        return [(name, _weight(rest)) for _, name, rest in motion]

    def mix(self, params: Any) -> None:
        """Mix the step's conditionings of frames that lie between two keys.

        What a frame is on its way to is another frame's own text, so nothing is encoded here, and prompts
        that change during the steps go on doing so.
        """
        if self._how == "hold":
            return
        marks = _marks(params.text_cond)
        params.text_cond = _mixed(params.text_cond, self._positive, self._how, marks)
        negative = self._negative if any(place.weight for place in self._negative) else self._positive
        params.text_uncond = _mixed(params.text_uncond, negative, self._how, marks)


def _weight(rest: str) -> float:
    try:
        return float(rest.split(":")[0]) if rest else 1.0
    except ValueError:
        return 1.0


def _marks(cond: Any) -> int:
    """Rows that ControlNet has put before every conditioning, to tell positive from negative: none or one."""
    tokens = cond["crossattn"] if isinstance(cond, dict) else cond
    return int(bool((tokens[:, 0].abs() == MARK).all()))


def _joined(first: str, second: str) -> str:
    return ", ".join(text for text in (first, second) if text)


def _mixed(cond: Any, travel: tuple[Travel, ...], how: Any, marks: int) -> Any:
    """Every group of rows (a condition of AND) with its frames between keys mixed."""
    if not any(place.weight for place in travel):
        return cond
    if isinstance(cond, dict):
        return type(cond)({name: _mixed(part, travel, how, marks) for name, part in cond.items()})
    ways = []
    for frame, place in enumerate(travel):
        after = _frame_of(travel, place) if place.weight else None
        ways.append(Leg(frame, frame if after is None else after, 0.0 if after is None else place.weight))
    groups = cond.split(len(travel))
    return torch.cat([conditioned(list(group), ways, how, marks=marks) for group in groups])


def _frame_of(travel: tuple[Travel, ...], place: Travel) -> int | None:
    """A frame that shows exactly what `place` is on its way to."""
    return next(
        (f for f, other in enumerate(travel) if other.before == place.after and not other.weight), None
    )
