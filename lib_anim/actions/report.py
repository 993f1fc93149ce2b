"""Bug report: versions, settings, log, without names of people or folders."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lib_anim.actions.settings_files import settings_of
from lib_anim.jobs.queue.record import JobRecord
from lib_anim.jobs.run.folder import RunFolder
from lib_anim.jobs.run.start import versions
from lib_anim.settings.portable import without_folders

MOST_LINES = 2_000
"""Lines of the log, the last ones."""


def report(record: JobRecord, home: Path) -> dict[str, Any]:
    """Versions, platform, the job, its settings, manifest and log as JSON, without the machine's folders."""
    folders = {str(home), str(Path.home()), *_folders_of(record.settings.values())}
    if record.folder is not None:
        folders |= {str(record.folder), str(record.folder.parent)}
    facts = {
        "versions": versions(),
        "platform": {
            "system": platform.system(),
            "release": platform.release(),
            "machine": platform.machine(),
        },
        "job": {
            "kind": record.kind,
            "engine": record.engine,
            "status": record.status,
            "phase": record.phase,
            "frames_done": record.frames_done,
            "frames": record.frames,
            "warnings": list(record.warnings),
            "errors": list(record.errors),
            "seconds": record.ended - record.started if record.ended and record.started else None,
        },
        "settings": without_folders(settings_of(record.kind), record.settings),
        "manifest": _manifest(record),
        "log": _log(record),
    }
    return {name: _stripped(value, sorted(folders, key=len, reverse=True)) for name, value in facts.items()}


def _folders_of(values: Iterable[Any]) -> set[str]:
    """Folders that settings name: an error sentence repeats them."""
    paths = (Path(value) for value in values if isinstance(value, str) and len(value) < 4096)
    return {str(path.parent) for path in paths if path.is_absolute() and len(path.parts) > 2}


def _manifest(record: JobRecord) -> dict[str, Any] | None:
    if record.folder is None or not (record.folder / "run.json").is_file():
        return None
    manifest = RunFolder.open(record.folder).manifest()
    return {name: value for name, value in manifest.items() if name not in ("settings", "parts")}


def _log(record: JobRecord) -> list[Any]:
    path = None if record.folder is None else record.folder / "log.jsonl"
    if path is None or not path.is_file():
        return []
    lines = path.read_text("utf-8", errors="replace").splitlines()[-MOST_LINES:]
    return [_line(line) for line in lines]


def _line(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        # A crash may have cut the last one.
        return {"unreadable": line}


def _stripped(value: Any, folders: list[str]) -> Any:
    if isinstance(value, str):
        for folder in folders:
            value = value.replace(folder, "…")
        return value
    if isinstance(value, dict):
        return {name: _stripped(child, folders) for name, child in value.items()}
    return [_stripped(child, folders) for child in value] if isinstance(value, list) else value
