"""What every executor promises."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from lib_anim.jobs.run.frame_ranges import FrameRange
from lib_anim.kinds.base import PaintedKind, Plan
from lib_anim.kinds.events import Event


class Executor(Protocol):
    """Paints independent frame ranges of a plan, in this process or elsewhere."""

    def events(self, kind: PaintedKind, plan: Plan, ranges: Sequence[FrameRange]) -> Iterator[Event]:
        """Events of all frames of `ranges`, ascending, then Finished.

        Frames equal those of `kind.run` on one machine. Closing the iterator cancels what is left. Raises
        FlipbookError for input files that have disappeared, and Interrupted when a step callback cancels.
        """
        ...
