"""Submit, follow, cancel, resume and re-render jobs; find what they have made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lib_anim.actions.draft_request import read_draft
from lib_anim.actions.engine_names import engine_name
from lib_anim.actions.engines import Engines
from lib_anim.actions.report import report
from lib_anim.actions.settings_files import settings_from
from lib_anim.actions.settings_service import SettingsService
from lib_anim.errors import Conflict, FlipbookError, NotFound, Problem
from lib_anim.jobs.queue.record import ENDED, STATUSES, JobEvent, JobRecord, Status
from lib_anim.jobs.queue.store import Queue
from lib_anim.jobs.queue.worker import Worker
from lib_anim.jobs.run.folder import RunFolder
from lib_anim.jobs.run.open_inputs import check_needs, plan_for
from lib_anim.jobs.spec import LONGEST_LABEL, JobSpec, PartSpec
from lib_anim.kinds.base import PaintedKind
from lib_anim.kinds.draft import DraftOptions
from lib_anim.kinds.registry import find_kind
from lib_anim.settings.base import Settings, to_json

__all__ = ["ENDED", "STATUSES", "JobEvent", "JobRecord", "Jobs", "Status"]

MOST_WAITING = 1_000
"""Jobs that may wait at a time: a job is a film, and more is a runaway script."""

PLANNED_AT_ONCE = 20_000
"""Frames of a film that is planned when it is submitted; longer ones are planned when they start."""


class Jobs:
    """The jobs of one data folder. Safe to call from any thread."""

    def __init__(
        self, queue: Queue, worker: Worker, engines: Engines, settings: SettingsService, home: Path
    ) -> None:
        self._queue, self._worker, self._engines = queue, worker, engines
        self._settings, self._home = settings, home

    def submit(
        self,
        kind: str,
        settings: Mapping[str, Any],
        *,
        engine: str = "",
        trial: Mapping[str, Any] | None = None,
        label: str = "",
    ) -> str:
        """Queue one film; returns its id. `settings` may be in an importer's format.

        `trial` asks for a draft: `every`, `half`, `only`; `label` is the user's name for the job. Raises all
        problems of the settings.
        """
        request = {"kind": kind, "settings": settings, "engine": engine, "trial": trial, "label": label}
        return self.submit_all([request])[0]

    def submit_all(self, orders: Sequence[Mapping[str, Any]]) -> list[str]:
        """Queue several films, all or none: mappings with `kind`, `settings`; `engine`, `trial`, `label`."""
        checked: list[JobSpec] = []
        problems: list[Problem] = []
        for number, order in enumerate(orders):
            try:
                checked.append(self._spec(**order))
            except FlipbookError as error:
                if len(orders) == 1:
                    raise
                problems += [
                    Problem(p.sentence, field=f"jobs[{number}]", code=p.code) for p in error.problems
                ]
        if problems:
            raise FlipbookError(*problems)
        if not checked:
            raise FlipbookError(
                Problem("is empty; give at least one job", field="jobs", code="request.invalid")
            )
        ids = self._queue.submit(checked, MOST_WAITING)
        self._worker.nudge()
        return ids

    def _spec(
        self,
        kind: str,
        settings: Mapping[str, Any],
        engine: str = "",
        trial: Mapping[str, Any] | None = None,
        label: str | None = "",
    ) -> JobSpec:
        loaded = self._settings.load(kind, settings)
        draft = read_draft(trial or {})
        found = find_kind(kind)
        name = ""
        if isinstance(found, PaintedKind):
            name = engine_name(self._engines, engine)
            self._check_plan(found, loaded.settings, name, draft)
        return JobSpec(
            kind=kind,
            engine=name,
            settings=to_json(loaded.settings),
            draft=draft,
            label=_label(label or ""),
            warnings=loaded.warnings,
        )

    def _check_plan(self, kind: PaintedKind, settings: Settings, engine: str, draft: DraftOptions) -> None:
        """Raise what the engine would refuse, where its capabilities are known, and missing files always."""
        check_needs(kind.needs(settings))
        capabilities = self._engines.capabilities(engine)
        if capabilities is not None and getattr(settings, "frames", 0) <= PLANNED_AT_ONCE:
            plan_for(kind, settings, capabilities, 0, draft)

    def rerender(
        self, id: str, first: int, last: int, changes: Mapping[str, Any], *, engine: str = ""
    ) -> str:
        """Queue frames `first` to `last` of an ended job's run for re-rendering; returns the new job's id."""
        record = self._with_run(id)
        if record.status not in ENDED or not isinstance(find_kind(record.kind), PaintedKind):
            sentence = f"a {record.kind} job that is {record.status} cannot be re-rendered in part"
            raise Conflict(Problem(sentence, field="job", code="job.no_parts"))
        self._settings.resolved(settings_from(record.settings, changes).settings)
        spec = JobSpec(
            kind=record.kind,
            engine=engine or record.engine,
            settings=record.settings,
            label=record.label,
            part=PartSpec(first=first, last=last, changes=dict(changes)),
            run=record.folder,
        )
        ids = self._queue.submit([spec], MOST_WAITING)
        self._worker.nudge()
        return ids[0]

    def all(
        self, statuses: Sequence[Status] = (), *, limit: int = 1_000, batch: str | None = None
    ) -> list[JobRecord]:
        """Running, then waiting in their order, then ended ones, newest first."""
        return self._queue.jobs(statuses, limit, batch)

    def get(self, id: str) -> JobRecord:
        """The job as it is now. Raises NotFound."""
        return self._queue.get(id)

    def events(self, id: str, after: int = 0) -> list[JobEvent]:
        """What happened to a job since event number `after`; does not wait. Raises NotFound."""
        return self._queue.events(id, after)

    def follow(self, id: str, after: int = 0) -> Iterator[JobEvent]:
        """What happens to a job, as it happens, until it has ended. Blocks between events."""
        return self._queue.follow(id, after)

    def cancel(self, id: str) -> JobRecord:
        """A queued job ends now, a running one after its frame, with a film of what there is."""
        record = self._queue.cancel(id)
        self._worker.nudge()
        return record

    def resume(self, id: str) -> JobRecord:
        """Go on with a failed, interrupted or cancelled job; frames come out as if it had never stopped."""
        record = self._queue.resume(id)
        self._worker.nudge()
        return record

    def move(self, id: str, to: int) -> JobRecord:
        """A queued job to a place among the queued ones: 0 is next, -1 is last."""
        return self._queue.move(id, to)

    def forget(self, id: str) -> None:
        """Drop an ended job from the list; its run folder stays."""
        self._queue.forget(id)

    def _with_run(self, id: str) -> JobRecord:
        record = self._queue.get(id)
        if record.folder is None or not record.folder.is_dir():
            raise NotFound(
                Problem("it has no run folder, or the folder was deleted", field="job", code="job.no_output")
            )
        return record

    def _output(self, id: str, name: str) -> Path:
        record = self._with_run(id)
        assert record.folder is not None
        path = record.folder / record.outputs.get(name, "")
        if name not in record.outputs or not path.exists():
            raise NotFound(
                Problem(
                    f"it has no {name}, or none yet; it is {record.status}", field="job", code="job.no_output"
                )
            )
        return path

    def film(self, id: str) -> Path:
        """The film's file, or a folder where its format is a sequence of pictures. Raises NotFound."""
        return self._output(id, "film")

    def sheet(self, id: str) -> Path:
        """The contact sheet. Raises NotFound."""
        return self._output(id, "sheet")

    def frame(self, id: str, number: int = -1) -> Path:
        """A frame's PNG, also while the film is made; -1 is the latest. Raises NotFound."""
        record = self._with_run(id)
        assert record.folder is not None
        folder = RunFolder(record.folder)
        count = folder.frames_present() if number == -1 else 0
        path = folder.frame_path(count - 1 if number == -1 else number)
        if number < -1 or not path.is_file():
            sentence = f"there is no frame {number} yet; {record.frames_done} of {record.frames} are rendered"
            raise NotFound(Problem(sentence, field="frame", code="frame.out_of_range"))
        return path

    def report(self, id: str) -> dict[str, Any]:
        """Versions, log and settings for a bug report, without folders of the machine. Raises NotFound."""
        return report(self._queue.get(id), self._home)


def _label(text: str) -> str:
    """A label on one line. Raises FlipbookError for one that is too long."""
    label = " ".join(text.split())
    if len(label) > LONGEST_LABEL:
        sentence = f"has {len(label)} characters; at most {LONGEST_LABEL} are allowed"
        raise FlipbookError(Problem(sentence, field="label", code="label.too_long"))
    return label
