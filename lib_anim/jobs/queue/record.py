"""The queue's record of a job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from lib_anim.jobs.spec import JobSpec, draft_and_part

Status = Literal["queued", "running", "done", "failed", "cancelled"]

STATUSES: tuple[Status, ...] = get_args(Status)

ENDED: tuple[Status, ...] = ("done", "failed", "cancelled")


@dataclass(frozen=True, kw_only=True)
class JobRecord:
    """One row of the queue. Immutable: `Queue.get` gives the present one."""

    id: str
    """Unguessable: who knows it may see the job."""
    number: int
    """Rises with every job that is submitted."""
    place: int
    """Queued jobs are taken in this order."""
    batch: str
    """Jobs that were submitted together share it."""
    kind: str
    engine: str
    """The name it is opened by; empty where nothing is painted."""
    settings: Mapping[str, Any]
    """Whole settings as JSON, checked when the job was submitted."""
    task: Mapping[str, Any]
    """`{"trial": …}` for a look at a film, `{"part": {"first", "last", "changes"}}` for a range of a run that
    is re-rendered, `{}` for a film."""
    label: str = ""
    """The user's name for the job."""
    status: Status
    phase: str
    """What is being done, in a word; how it ended, after the end."""
    frames_done: int
    frames: int
    """Of the film; 0 until it is planned."""
    seconds_left: float | None
    """None while nobody can tell."""
    warnings: tuple[str, ...]
    errors: tuple[Mapping[str, Any], ...]
    """Problems as JSON, of a failed job."""
    outputs: Mapping[str, str]
    """`film` and `sheet`: names inside the run folder."""
    run: str
    """The run folder; empty until there is one."""
    created: float
    """Seconds since 1970, as all times here."""
    started: float | None
    ended: float | None
    cancelling: bool
    """Whether it was asked to end; a running one ends after its frame."""

    @property
    def spec(self) -> JobSpec:
        """What the job is asked to do; a job that has begun continues in its run folder."""
        draft, part = draft_and_part(self.task)
        return JobSpec(
            kind=self.kind,
            settings=self.settings,
            engine=self.engine,
            draft=draft,
            label=self.label,
            part=part,
            run=self.folder,
            warnings=self.warnings,
        )

    @property
    def folder(self) -> Path | None:
        """The run folder, where there is one."""
        return Path(self.run) if self.run else None

    @property
    def resumable(self) -> bool:
        """Whether `resume` can go on with it."""
        return self.status in ("failed", "cancelled")


@dataclass(frozen=True)
class JobEvent:
    """Something that happened to a job. Numbers rise over all jobs and are never used twice."""

    number: int
    job: str
    time: float
    name: str
    """`status`, `phase`, `frames` (only the latest is kept), `warning`, `moved`."""
    data: Mapping[str, Any]
