"""What a job is asked to do: one definition from a request's JSON to the queue's row and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lib_anim.kinds.draft import WHOLE, DraftOptions

LONGEST_LABEL = 200
"""Characters of a label."""


@dataclass(frozen=True, kw_only=True)
class PartSpec:
    """Frames `first` to `last` of a run, to be rendered again with changed settings."""

    first: int
    last: int
    changes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class JobSpec:
    """A film to render, a range of a run to re-render, or a run to resume."""

    kind: str
    settings: Mapping[str, Any]
    """Whole settings as JSON, checked before the spec was made."""
    engine: str = ""
    """The name that the engine is opened by; empty where nothing is painted."""
    draft: DraftOptions = WHOLE
    label: str = ""
    """The user's name for the job, shown in lists of jobs and runs."""
    part: PartSpec | None = None
    run: Path | None = None
    """An existing run folder, to be resumed or re-rendered."""
    warnings: tuple[str, ...] = ()

    def task(self) -> dict[str, Any]:
        """Draft and part in the form that the queue stores; empty for a whole film."""
        task: dict[str, Any] = {}
        if not self.draft.whole:
            task["trial"] = self.draft.as_json()
        if self.part is not None:
            task["part"] = {
                "first": self.part.first,
                "last": self.part.last,
                "changes": dict(self.part.changes),
            }
        return task


def draft_and_part(task: Mapping[str, Any]) -> tuple[DraftOptions, PartSpec | None]:
    """The inverse of `JobSpec.task`."""
    part = task.get("part")
    return DraftOptions(**task.get("trial", {})), None if part is None else PartSpec(**part)
