"""Ranges of missing frames that can be rendered independently of the frames between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lib_anim.kinds.base import PaintedKind, Plan


@dataclass(frozen=True, kw_only=True, eq=False)
class FrameRange:
    """Frames `first` to `last`, to be made from `state`."""

    first: int
    last: int
    state: Any
    """As the pipeline takes it; None at the film's start."""


def frame_ranges(
    kind: PaintedKind, plan: Plan, missing: Sequence[int], known: Callable[[int], Any]
) -> list[FrameRange] | None:
    """The missing frames (in order) as stretches; None where a frame needs those before it.

    `known` gives any earlier state than a frame, or None.
    """
    if kind.state_before is None:
        return None
    found: list[FrameRange] = []
    for frame in missing:
        if found and found[-1].last == frame - 1:
            found[-1] = FrameRange(first=found[-1].first, last=frame, state=found[-1].state)
            continue
        state = kind.state_before(plan, frame, known(frame)) if frame else None
        if frame and state is None:
            return None
        found.append(FrameRange(first=frame, last=frame, state=state))
    return found
