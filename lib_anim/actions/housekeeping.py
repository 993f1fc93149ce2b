"""Run folders, their sizes, and the trash."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lib_anim.errors import Conflict, NotFound, Problem
from lib_anim.jobs.run.folder import RunFolder

KEPT_DAYS = 30.0
"""Days after which what lies in the trash is gone."""


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """A run folder as a list shows it."""

    name: str
    kind: str
    label: str
    """The user's name for it; empty where there is none."""
    status: str
    """What its manifest says; empty where that is damaged."""
    created: str
    frames: int
    """PNGs that lie in it."""
    bytes: int

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Runs:
    """The run folders below one folder. Names are those of its own children, and nothing else."""

    def __init__(self, folder: Path, trash: Path) -> None:
        self._folder, self._trash = folder, trash

    def all(self) -> list[RunFacts]:
        """Every run, newest first."""
        folders = (path for path in self._folder.iterdir() if (path / "run.json").is_file())
        return [_facts(path) for path in sorted(folders, key=lambda path: path.name, reverse=True)]

    def throw_away(self, name: str, busy: Iterable[Path]) -> None:
        """Move a run to the trash. Raises NotFound, and Conflict for one that a job is in or waits for."""
        path = self._run(name)
        if path in {other.absolute() for other in busy}:
            raise Conflict(Problem("a job uses it; cancel that first", field="run", code="run.in_use"))
        with RunFolder(path).locked():
            # Whoever works in it holds the lock; a folder under another name is nobody's to open.
            pass
        self._trash.mkdir(parents=True, exist_ok=True)
        os.utime(path)
        path.rename(self._free(name))

    def restore(self, name: str) -> None:
        """Take a run out of the trash. Raises NotFound, Conflict when its place is taken."""
        path = self._trash / name
        if not _is_name(name) or not path.is_dir():
            raise NotFound(Problem("there is no such run in the trash", field="run", code="run.not_found"))
        if (self._folder / name).exists():
            raise Conflict(Problem("there is a run of that name", field="run", code="run.exists"))
        path.rename(self._folder / name)

    def trash(self) -> list[RunFacts]:
        """What lies in the trash, newest first."""
        paths = self._trash.iterdir() if self._trash.is_dir() else ()
        return [_facts(path) for path in sorted(paths, key=lambda path: path.name, reverse=True)]

    def empty_trash(self, older_than_days: float = 0.0, now: float | None = None) -> int:
        """Delete what lies in the trash for so long; returns the bytes."""
        now = time.time() if now is None else now
        freed = 0
        for path in list(self._trash.iterdir()) if self._trash.is_dir() else ():
            if now - path.stat().st_mtime >= older_than_days * 86_400:
                freed += _size(path)[1]
                shutil.rmtree(path, ignore_errors=True)
        return freed

    def _run(self, name: str) -> Path:
        path = self._folder / name
        if not _is_name(name) or path.is_symlink() or not (path / "run.json").is_file():
            raise NotFound(Problem("there is no such run", field="run", code="run.not_found"))
        return path.absolute()

    def _free(self, name: str) -> Path:
        for number in range(1, 10_000):
            path = self._trash / (name if number == 1 else f"{name}-{number}")
            if not path.exists():
                return path
        raise Conflict(
            Problem(
                "the trash contains it ten thousand times; empty the trash",
                field="run",
                code="run.name_exhausted",
            )
        )


def _is_name(name: str) -> bool:
    """Whether a text is the name of a child, and no way anywhere else."""
    return name not in ("", ".", "..") and not set(name) & set("/\\:\0") and Path(name).name == name


def _facts(path: Path) -> RunFacts:
    try:
        manifest = json.loads((path / "run.json").read_text("utf-8"))
        kind, label, status, created = (
            str(manifest.get(name, "")) for name in ("kind", "label", "status", "created")
        )
    except (OSError, ValueError, AttributeError):
        kind = label = status = created = ""
    frames, size = _size(path)
    return RunFacts(
        name=path.name,
        kind=kind,
        label=label,
        status=status,
        created=created,
        frames=frames,
        bytes=size,
    )


def _size(folder: Path) -> tuple[int, int]:
    """(PNGs among the frames, bytes of everything)."""
    frames = total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_size
            except FileNotFoundError:
                continue
            frames += name.endswith(".png") and os.path.basename(place) == "frames"
    return frames, total
