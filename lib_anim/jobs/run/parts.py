"""Re-rendered ranges of a run: which range owns a frame, and the loop state before any frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from lib_anim.engines.contract.engine import Interrupted
from lib_anim.errors import Conflict, Problem
from lib_anim.jobs.run.folder import RunFolder
from lib_anim.jobs.run.open_inputs import make_plan, opened
from lib_anim.kinds.base import PaintedKind, Plan, Studio
from lib_anim.kinds.draft import DraftOptions
from lib_anim.kinds.events import Event, FrameDone, Progress
from lib_anim.settings.base import from_json


@dataclass(frozen=True, kw_only=True)
class Part:
    """Frames `first` to `last` of a run, re-rendered with changed settings."""

    number: int
    """From 1; later parts lie over earlier ones."""
    first: int
    last: int
    settings: Mapping[str, Any]
    """Whole settings as JSON, resolved as a plan has them."""
    done: bool
    """False while some of its frames may still be the old ones."""


def parts_of(manifest: Mapping[str, Any]) -> tuple[Part, ...]:
    """The parts that a manifest lists, oldest first."""
    listed: Sequence[Mapping[str, Any]] = manifest.get("parts", ())
    return tuple(Part(number=number, **entry) for number, entry in enumerate(listed, start=1))


def parts_json(parts: Sequence[Part]) -> list[dict[str, Any]]:
    """The form of parts in a manifest."""
    return [{"first": p.first, "last": p.last, "settings": p.settings, "done": p.done} for p in parts]


def owner_of(parts: Sequence[Part], frame: int) -> Part | None:
    """The latest part that holds a frame; None where it is the run's own."""
    return next((part for part in reversed(parts) if part.first <= frame <= part.last), None)


class History:
    """What made the frames of a run: its own plan, and the parts laid over it."""

    def __init__(
        self,
        kind: PaintedKind,
        plan: Plan,
        studio: Studio,
        folder: RunFolder,
        parts: Sequence[Part],
        draft: DraftOptions,
    ) -> None:
        self._kind, self._plan, self._studio = kind, plan, studio
        self._folder, self._parts, self._draft = folder, parts, draft

    def plan_of(self, part: Part | None) -> Plan:
        """A part's plan; None stands for the run. Raises NotFound for files that are gone."""
        if part is None:
            return self._plan
        settings, _ = from_json(self._kind.settings, part.settings)
        return make_plan(self._kind, settings, self._studio.engine, 0, self._draft)

    def before(self, frame: int) -> Iterator[Part]:
        """The parts that the state before a frame may depend on, latest first."""
        owner = owner_of(self._parts, frame - 1)
        while owner is not None:
            yield owner
            owner = owner_of(self._parts[: owner.number - 1], owner.first - 1)

    def state_before(
        self,
        frame: int,
        hear: Callable[[Event], None],
        stop: Callable[[], bool],
        parts: Sequence[Part] | None = None,
    ) -> Any:
        """The state after the last painted frame below `frame`, as its maker had it; None at the start.

        The nearest saved state is replayed up to there, and nothing is written. `parts` are those
        that count (all). Raises Interrupted when `stop` says so.
        """
        if frame == 0:
            return None
        parts = self._parts if parts is None else parts
        owner = owner_of(parts, frame - 1)
        plan = self.plan_of(owner)
        folder = self._folder if owner is None else self._folder.of_part(owner.number)
        state = folder.load_state(self._kind.state, before=frame)
        if state is None and owner is not None:
            state = self.state_before(owner.first, hear, stop, parts[: owner.number - 1])
        if self._kind.state_before is not None:
            leapt = self._kind.state_before(plan, frame, state)
            if leapt is not None:
                return leapt
        goal = max(painted for painted in plan.painted if painted < frame)
        if state is not None and state.frame >= goal:
            return state
        with opened(self._kind.needs(plan.settings)) as inputs:
            # Typed as any iterator; pipelines are generators, and closing is how they are stopped.
            events = self._kind.run(plan, self._studio, inputs, state)
            with closing(events):  # type: ignore[type-var]
                return _state_at(goal, events, hear, stop)


def _state_at(
    goal: int, events: Iterator[Event], hear: Callable[[Event], None], stop: Callable[[], bool]
) -> Any:
    for event in events:
        if isinstance(event, FrameDone) and event.painted:
            if event.index == goal:
                return event.state
            if stop():
                raise Interrupted
        elif isinstance(event, Progress):
            hear(Progress(event.done, event.total, "replaying"))
    sentence = (
        f"frame {goal} can no longer be reproduced, so the run cannot continue from it. Start a new render."
    )
    raise Conflict(Problem(sentence, field="run", code="run.not_reproducible"))
