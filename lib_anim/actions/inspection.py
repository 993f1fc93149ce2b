"""Identify a file: film, run, pictures, settings, weights."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lib_anim.actions.assembly import is_run
from lib_anim.actions.settings_files import load_settings
from lib_anim.errors import NotFound, Problem
from lib_anim.jobs.run.folder import RunFolder
from lib_anim.media.probe import probe
from lib_anim.models.inspect import inspect as inspect_weights

SETTINGS = frozenset({".json", ".txt"})
WEIGHTS = frozenset({".safetensors", ".ckpt", ".pt", ".pth", ".bin"})


def inspect(path: Path) -> dict[str, Any]:
    """Facts of a film, sound, picture, folder, settings or weights file, as JSON values.

    `kind` says which; a settings file's `changed` holds what differs from the defaults; a film's
    `settings` those it carries. Raises NotFound or FlipbookError.
    """
    if not path.exists():
        raise NotFound(Problem(f'there is no "{path}"', field="file", code="file.not_found"))
    if is_run(path):
        return _run_facts(path)
    suffix = path.suffix.lower()
    if suffix in SETTINGS:
        loaded = load_settings(path)
        return {
            "kind": "settings",
            "of": loaded.settings.kind,
            "dialect": loaded.settings.dialect,
            "changed": loaded.settings.from_defaults(),
            "warnings": list(loaded.warnings),
        }
    if suffix in WEIGHTS:
        return asdict(inspect_weights(path))
    facts = probe(path).as_json()
    return {**facts, "settings": _carried(facts.get("comment", ""))}


def _run_facts(path: Path) -> dict[str, Any]:
    folder = RunFolder.open(path)
    manifest = folder.manifest()
    kept = ("status", "frames", "rate", "warnings", "outputs", "engine", "versions", "settings")
    facts = {name: manifest[name] for name in kept if name in manifest}
    return {"kind": "run", "of": manifest.get("kind"), "frames_done": folder.frames_present(), **facts}


def _carried(comment: str) -> Any:
    try:
        found = json.loads(comment)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
