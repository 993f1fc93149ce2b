"""The executor that paints in this process, one range after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing

from lib_anim.jobs.run.frame_ranges import FrameRange
from lib_anim.jobs.run.open_inputs import opened
from lib_anim.kinds.base import PaintedKind, Plan, Studio
from lib_anim.kinds.events import Event, Finished, FrameDone


class LocalExecutor:
    """Paints ranges with the engine of this process. See `Executor`."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    def events(self, kind: PaintedKind, plan: Plan, ranges: Sequence[FrameRange]) -> Iterator[Event]:
        with opened(kind.needs(plan.settings)) as inputs:
            for part in ranges:
                events = kind.run(plan, self._studio, inputs, part.state)
                # A loop that runs to the film's end reports damaged sources there.
                limited = until(part.last, events) if part.last < plan.frames - 1 else events
                with closing(limited):  # type: ignore[type-var]
                    yield from (event for event in limited if not isinstance(event, Finished))
        yield Finished(plan.frames)


def until(last: int, events: Iterator[Event]) -> Iterator[Event]:
    """Events of a loop that is stopped, as finished, after frame `last`."""
    # Typed as any iterator; loops are generators, and closing is how they are stopped.
    with closing(events):  # type: ignore[type-var]
        for event in events:
            yield event
            if isinstance(event, FrameDone) and event.index == last:
                yield Finished(last + 1)
                return
