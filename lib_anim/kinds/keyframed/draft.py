"""Drafts of keyframed animation."""

from __future__ import annotations

import hashlib
import json
import math
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from lib_anim.engines.contract.capabilities import Capabilities
from lib_anim.kinds.base import Studio
from lib_anim.kinds.curves import Numbers
from lib_anim.kinds.draft import DraftOptions, check_frame, half_size
from lib_anim.kinds.events import Event, Finished, FrameDone, Progress
from lib_anim.kinds.keyframed.inputs import Inputs
from lib_anim.kinds.keyframed.loop import LoopState
from lib_anim.kinds.keyframed.loop import run as run_film
from lib_anim.kinds.keyframed.plan import KeyframedPlan
from lib_anim.kinds.keyframed.settings import Keyframed


@dataclass(frozen=True, kw_only=True, eq=False)
class DraftPlan:
    """Some frames of a plan as a film of their own, numbered from 0."""

    settings: Keyframed
    """Of the whole film at its full size."""
    loop: KeyframedPlan
    """What is painted, by the whole film's frames."""
    kept: tuple[int, ...]
    """The whole film's number of each frame."""
    trial: DraftOptions

    @property
    def frames(self) -> int:
        return len(self.kept)

    @property
    def rate(self) -> Fraction:
        return self.settings.fps / self.trial.every

    @property
    def size(self) -> tuple[int, int]:
        return self.loop.size

    @property
    def painted(self) -> tuple[int, ...]:
        """By their own numbers. One frame counts as painted, since the state after it is known."""
        numbers = (self.number(frame) for frame in self.loop.painted)
        painted = {number for number in numbers if number is not None}
        return tuple(sorted(painted | {0} if self.trial.only is not None else painted))

    def number(self, frame: int) -> int | None:
        """The trial's own number of a frame of the film.

        Below 0 where it is painted for the sake of the one frame that is kept; None for what is left out.
        """
        if self.trial.only is not None:
            return frame - self.trial.only if frame <= self.trial.only else None
        place = bisect_left(self.kept, frame)
        return place if place < len(self.kept) and self.kept[place] == frame else None

    def frame(self, number: int) -> int:
        """The film's number of a frame of the trial."""
        return self.kept[number] if self.trial.only is None else self.trial.only + number

    def fingerprint(self, engine: str) -> str:
        """As a whole film's, with what was left out."""
        text = json.dumps([self.trial.as_json(), self.loop.fingerprint(engine)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def make_draft(plan: KeyframedPlan, trial: DraftOptions, capabilities: Capabilities) -> DraftPlan:
    """The plan of a trial. Raises FlipbookError for what cannot be tried.

    Every n-th frame is painted as if the cadence were n, and nothing between is shown. A frame that
    the whole film would not paint takes the seed of the one before it that it would. One frame is that of
    the whole film: in 2D it grows out of those before it, which are painted and not kept.
    """
    kept = tuple(range(0, plan.frames, trial.every))
    loop = half(plan, math.lcm(8, capabilities.multiple_of)) if trial.half else plan
    if trial.only is not None:
        kept = (trial.only,)
        loop = _up_to(loop, trial.only)
    elif len(kept) < plan.frames:
        loop = replace(loop, painted=kept, seeds={frame: _seed(plan, frame) for frame in kept})
    return DraftPlan(settings=plan.settings, loop=loop, kept=kept, trial=trial)


def half(plan: KeyframedPlan, unit: int) -> KeyframedPlan:
    """The same plan at half the size, rounded to multiples of `unit`, with all lengths in pixels scaled.

    The grow, shrink and blur of mask expressions keep their pixels.
    """
    s = plan.settings
    width, height = half_size((s.width, s.height), unit)
    wide, high = width / s.width, height / s.height
    mean = math.sqrt(wide * high)
    numbers: dict[str, Numbers] = {
        **plan.numbers,
        "translation_x": plan.numbers["translation_x"] * wide,
        "translation_y": plan.numbers["translation_y"] * high,
        "sharpen_sigma": plan.numbers["sharpen_sigma"] * mean,
        # Kernels stay odd.
        "sharpen_kernel": np.maximum(2 * np.rint((plan.numbers["sharpen_kernel"] * mean - 1) / 2) + 1, 1),
    }
    smaller = {
        "width": width,
        "height": height,
        "mask_blur": s.mask_blur * mean,
        "mask_padding": round(s.mask_padding * mean),
    }
    return replace(plan, settings=s.changed(smaller), numbers=numbers)


def run(
    plan: KeyframedPlan | DraftPlan, studio: Studio, opened: Mapping[str, Any], state: LoopState | None
) -> Iterator[Event]:
    """Events of a film or a draft, from its start or from a state of an earlier run of the same plan."""
    inputs = Inputs.of(opened)
    if isinstance(plan, DraftPlan):
        return run_draft(plan, studio, inputs, state)
    return run_film(plan, studio, inputs, state)


def run_draft(plan: DraftPlan, studio: Studio, inputs: Inputs, state: LoopState | None) -> Iterator[Event]:
    """Events of the kept frames, numbered as the trial numbers them, the states' frames too.

    What is painted for the sake of one frame comes before it, numbered below 0.
    """
    shown: FrameDone | None = None
    if state is not None:
        state = replace(state, frame=plan.frame(state.frame))
    # Typed as any iterator; pipelines are generators, and closing is how they are stopped.
    with closing(run_film(plan.loop, studio, inputs, state)) as events:  # type: ignore[type-var]
        for event in events:
            if isinstance(event, Progress):
                yield _progress(plan, event)
            elif isinstance(event, Finished):
                yield Finished(plan.frames)
            elif not isinstance(event, FrameDone):
                yield event
            elif event.index == plan.trial.only and event.state is None:
                # It lies between painted frames: the state after it is that of the next one.
                shown = event
            elif shown is not None and event.state is not None:
                yield replace(shown, index=0, state=replace(event.state, frame=0))
            elif (number := plan.number(event.index)) is not None:
                after = None if event.state is None else replace(event.state, frame=number)
                yield replace(event, index=number, state=after)


def _seed(plan: KeyframedPlan, frame: int) -> int:
    return plan.seeds[max(painted for painted in plan.painted if painted <= frame)]


def _progress(plan: DraftPlan, event: Progress) -> Progress:
    only = plan.trial.only
    if only is None:
        return Progress(plan.number(event.done) or 0, plan.frames, event.phase)
    return Progress(min(event.done, only), only + 1, event.phase)


def _up_to(plan: KeyframedPlan, only: int) -> KeyframedPlan:
    """What must be painted to have frame `only`. Raises FlipbookError where there is none."""
    check_frame(only, plan.frames)
    if plan.settings.mode != "2D":
        return replace(plan, painted=(only,))
    last = min(frame for frame in plan.painted if frame >= only)
    painted = tuple(frame for frame in plan.painted if frame <= last)
    if len(painted) == 1:
        return replace(plan, painted=painted)
    cost = (
        f"in 2D frame {only} grows out of those before it: {len(painted)} pictures are painted, one is kept; "
        "`--every` shows more of the film for less, `rerender` tries a frame of a film that is there"
    )
    return replace(plan, painted=painted, warnings=(*plan.warnings, cost))
