"""Renders a plan in a run folder: missing frames, re-rendered ranges, then the film."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lib_anim.engines.contract.engine import Engine, Interrupted, OnStep
from lib_anim.errors import FlipbookError, Problem
from lib_anim.jobs.executors.contract import Executor
from lib_anim.jobs.executors.local import LocalExecutor, until
from lib_anim.jobs.run.disk_space import most_bytes
from lib_anim.jobs.run.films import Presentation
from lib_anim.jobs.run.folder import RunFolder
from lib_anim.jobs.run.frame_ranges import FrameRange, frame_ranges
from lib_anim.jobs.run.frame_writer import write_frames
from lib_anim.jobs.run.incremental_film import IncrementalFilm
from lib_anim.jobs.run.open_inputs import opened
from lib_anim.jobs.run.parts import History, Part, owner_of, parts_of
from lib_anim.kinds.base import PaintedKind, Plan, Studio
from lib_anim.kinds.draft import draft_of
from lib_anim.kinds.events import Estimated, Event, FrameDone, Progress, Warned
from lib_anim.kinds.upscale_step import upscaling
from lib_anim.settings.portable import without_folders

Listener = Callable[[Event], None]


@dataclass(frozen=True, kw_only=True)
class Result:
    """What remains of a run."""

    film: Path | None
    """None when it ended before the first frame."""
    sheet: Path | None
    run: Path
    frames: int
    warnings: tuple[str, ...]
    finished: bool
    """False when it was interrupted: `resume` goes on."""


def render(
    kind: PaintedKind,
    plan: Plan,
    engine: Engine,
    folder: RunFolder,
    listen: Listener = lambda event: None,
    on_step: OnStep | None = None,
    stop: Callable[[], bool] = lambda: False,
    executor: Executor | None = None,
) -> Result:
    """Render the missing frames of a run and of its re-rendered ranges, then write its film.

    `stop` is asked after every frame: once true, the run ends there with a film of what it has, and
    can be resumed. An `on_step` that raises Interrupted ends it at once, likewise. Any other
    exception marks the run as failed, which resumes too; one of the disk or of memory becomes a
    FlipbookError. Raises Conflict when another process holds the folder.
    """
    studio = Studio(engine=engine, on_step=on_step)
    with folder.locked():
        return render_locked(kind, plan, studio, folder, listen, stop, executor=executor)


def render_locked(
    kind: PaintedKind,
    plan: Plan,
    studio: Studio,
    folder: RunFolder,
    listen: Listener,
    stop: Callable[[], bool],
    *,
    only_parts: bool = False,
    executor: Executor | None = None,
) -> Result:
    """`render` in a folder that this process has locked; `only_parts` keeps the run's own frames."""
    return _Run(kind, plan, studio, folder, listen, executor or LocalExecutor(studio)).render(
        stop, only_parts
    )


class _Run:
    """One stretch of work in a run folder that this process holds."""

    def __init__(
        self,
        kind: PaintedKind,
        plan: Plan,
        studio: Studio,
        folder: RunFolder,
        listen: Listener,
        executor: Executor,
    ) -> None:
        self._kind, self._plan, self._studio = kind, plan, studio
        self._engine, self._executor = studio.engine, executor
        self._folder, self._listen = folder, listen
        self._manifest = folder.manifest()
        self._parts = parts_of(self._manifest)
        self._warnings: list[str] = []
        self._part: Part | None = None
        presentation = Presentation(
            rate=plan.rate,
            soundtrack=kind.soundtrack(plan),
            settings=without_folders(kind.settings, self._manifest["settings"]),
            backwards=kind.backwards(plan),
            motion=kind.clip_output(plan),
        )
        self._film = IncrementalFilm(folder, presentation, plan.frames)

    def render(self, stop: Callable[[], bool], only_parts: bool) -> Result:
        """Render what is missing, write the film, record the outcome in the manifest."""
        folder, plan = self._folder, self._plan
        self._warn(*self._manifest["warnings"], *self._engine.warnings)
        try:
            with self._film:
                finished = self._keep() if only_parts else self._paint(stop)
                finished = finished and all(self._paint_part(part, stop) for part in self._parts)
                self._hear(Progress(folder.frames_present(), plan.frames, "film"))
                film, sheet, sentences = self._film.finish()
        except BaseException as error:
            self._mark_failed(error)
            sentence = _as_sentence(folder, self._part, error)
            if sentence is None:
                raise
            raise FlipbookError(Problem(sentence, field="run", code="run.failed")) from error
        self._warn(*self._engine.warnings, *sentences)
        frames = folder.frames_present()
        outputs = {"film": _name(film), "sheet": _name(sheet)}
        self._mark_ended(finished and frames == plan.frames, frames, outputs)
        return Result(
            film=film,
            sheet=sheet,
            run=folder.path,
            frames=frames,
            warnings=tuple(self._warnings),
            finished=finished,
        )

    def _keep(self) -> bool:
        """Leave the run's own frames as they are."""
        self._film.settle(filter(self._owned(None), range(self._plan.frames)))
        return True

    def _paint(self, stop: Callable[[], bool]) -> bool:
        """Make the run's own missing frames. True when there are no more."""
        kind, plan, folder = self._kind, self._plan, self._folder
        owned = self._owned(None)
        missing = [n for n in range(plan.frames) if owned(n) and not folder.frame_path(n).is_file()]
        alone = frame_ranges(kind, plan, missing, lambda frame: folder.load_state(kind.state, before=frame))
        if alone is not None:
            for leap in alone:
                if folder.frame_path(leap.last + 1).is_file():
                    self._warn(f"frame {leap.first} is missing and is rendered again")
            self._hear(Estimated(len(missing), len(missing), most_bytes(plan)))
            self._film.settle(set(filter(owned, range(plan.frames))).difference(missing))
            return self._paint_ranges(plan, folder, alone, owned, stop, self._hear)
        done, state = _start_state(kind, folder, self._parts, self._hear)
        folder.log("start", frame=done, engine=self._engine.fingerprint)
        self._film.settle(filter(owned, range(done)))
        if done == plan.frames:
            return True
        ahead = sum(state is None or frame > state.frame for frame in plan.painted)
        self._hear(Estimated(ahead, plan.frames - max(done, 0), most_bytes(plan)))
        with opened(kind.needs(plan.settings)) as inputs:
            events = kind.run(plan, self._studio, inputs, state)
            return self._take(events, folder, owned, self._hear, stop)

    def _paint_ranges(
        self,
        plan: Plan,
        folder: RunFolder,
        ranges: Sequence[FrameRange],
        owned: Callable[[int], bool],
        stop: Callable[[], bool],
        hear: Listener,
    ) -> bool:
        """Paint ranges that need no frames between them. True when all are finished."""
        if not ranges:
            return True
        folder.log("start", frame=ranges[0].first, engine=self._engine.fingerprint)
        return self._take(self._executor.events(self._kind, plan, ranges), folder, owned, hear, stop)

    def _paint_part(self, part: Part, stop: Callable[[], bool]) -> bool:
        """Render the missing frames of a re-rendered range. True when it is complete."""
        folder, kind = self._folder.of_part(part.number), self._kind
        owned = self._owned(part)
        frames = [frame for frame in range(part.first, part.last + 1) if owned(frame)]
        missing = [frame for frame in frames if not folder.frame_path(frame).is_file()]
        if not frames or (part.done and not missing):
            self._film.settle(frames)
            return True
        self._part = part
        if part.done:
            self._warn(
                f"frame {missing[0]} is missing; frames {part.first} to {part.last} are rendered again"
            )
        folder.log("start", frame=part.first, engine=self._engine.fingerprint)

        def hear(event: Event) -> None:
            self._hear(replace(event, total=part.last + 1) if isinstance(event, Progress) else event)

        draft = draft_of(self._manifest)
        history = History(kind, self._plan, self._studio, self._folder, self._parts, draft)
        plan = history.plan_of(part)
        state = folder.load_state(kind.state, before=min([*missing, part.last + 1]))
        if state is None:
            try:
                earlier = self._parts[: part.number - 1]
                state = history.state_before(part.first, hear, stop, earlier)
            except Interrupted:
                return False
        unmade = [frame for frame in frames if not folder.is_made(frame)]
        alone = frame_ranges(kind, plan, unmade, lambda frame: state)
        begun = -1 if state is None else state.frame
        made = set(frames).difference(unmade)
        self._film.settle(frame for frame in made if alone is not None or frame <= begun)
        if alone is not None:
            if not self._paint_ranges(plan, folder, alone, owned, stop, hear):
                return False
        elif state is None or state.frame < frames[-1]:
            with opened(kind.needs(plan.settings)) as inputs:
                events = until(frames[-1], kind.run(plan, self._studio, inputs, state))
                if not self._take(events, folder, owned, hear, stop):
                    return False
        entries = list(self._manifest["parts"])
        entries[part.number - 1] = {**entries[part.number - 1], "done": True}
        self._manifest = {**self._manifest, "parts": entries}
        self._part = None
        return True

    def _take(
        self,
        events: Iterator[Event],
        folder: RunFolder,
        owned: Callable[[int], bool],
        hear: Listener,
        stop: Callable[[], bool],
    ) -> bool:
        """Take the owned frames to the disk and on to the film. True when the pipeline came to its end."""
        return write_frames(
            self._finished(events, owned), folder, owned, hear, stop, lambda frame: self._film.settle([frame])
        )

    def _finished(self, events: Iterator[Event], owned: Callable[[int], bool]) -> Iterator[Event]:
        """The same events, with owned frames as the film shows them: as large as the settings ask.

        Frames may leave the machine, so what they tell of files is their names alone. A loop's state keeps
        what was painted.
        """
        larger = upscaling(self._plan.settings, self._engine)
        with closing(events):  # type: ignore[type-var]
            for event in events:
                if isinstance(event, FrameDone):
                    event = replace(event, values=without_folders(self._kind.settings, event.values))
                    if larger is not None and event.index >= 0 and owned(event.index):
                        event = replace(event, picture=larger(event.picture))
                yield event

    def _owned(self, part: Part | None) -> Callable[[int], bool]:
        """Whether a frame is a part's to write; None stands for the run itself."""
        return lambda frame: owner_of(self._parts, frame) is part

    def _hear(self, event: Event) -> None:
        if isinstance(event, Warned):
            if event.sentence in self._warnings:
                return
            self._warnings.append(event.sentence)
            self._folder.log("warning", sentence=event.sentence)
        self._listen(event)

    def _warn(self, *sentences: str) -> None:
        for sentence in sentences:
            self._hear(Warned(sentence))

    def _mark_ended(self, finished: bool, frames: int, outputs: dict[str, str | None]) -> None:
        facts = {
            "status": "done" if finished else "interrupted",
            "frames_done": frames,
            "warnings": self._warnings,
            "outputs": outputs,
        }
        before = {name: value for name, value in self._manifest.items() if name != "error"}
        self._folder.write_manifest({**before, **facts})
        self._folder.log("end", frames=frames, finished=finished)

    def _mark_failed(self, error: BaseException) -> None:
        """Write the failure down, unless that is what fails: the frames are there either way."""
        facts = {"status": "failed", "error": str(error) or type(error).__name__}
        with suppress(OSError):
            self._folder.write_manifest({**self._manifest, **facts})
            self._folder.log("failed", error=f"{type(error).__name__}: {error}")


def _name(path: Path | None) -> str | None:
    return None if path is None else path.name


def _as_sentence(folder: RunFolder, part: Part | None, error: BaseException) -> str | None:
    """What the user can do about a failure that is the machine's; None for all others."""
    done = folder.frames_present()
    what = f"frame {done}" if part is None else f"the part from frame {part.first} to {part.last}"
    kept = f"{done} frames are kept in {folder.path} and `resume` continues with them"
    if isinstance(error, MemoryError):
        return f"there is not enough memory for {what}; {kept}"
    if isinstance(error, OSError):
        return f"{what} cannot be written ({error.strerror}); free some disk space; {kept}"
    return None


def _start_state(
    kind: PaintedKind, folder: RunFolder, parts: Sequence[Part], hear: Listener
) -> tuple[int, Any]:
    """(first frame to make, state before it). Frames after a gap are rendered again, the same.

    Frames that belong to parts do not count: those are made by their own plans.
    """
    present = folder.frames_present(but=lambda frame: owner_of(parts, frame) is not None)
    state = folder.load_state(kind.state, before=present)
    done = 0 if state is None else state.frame + 1
    later = sum(1 for path in folder.frames.glob("*.png") if int(path.stem) >= present)
    if later:
        hear(Warned(f"frame {present} is missing; frames from {done} on are rendered again"))
    return done, state
