"""Load settings files of any version and origin."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lib_anim.errors import FlipbookError, NotFound, Problem
from lib_anim.jobs.run.folder import RunFolder
from lib_anim.kinds.registry import DEFAULT_KIND, SETTINGS, importer_of
from lib_anim.media.probe import probe
from lib_anim.settings.base import Settings, from_json, specs
from lib_anim.settings.parts import partial

LARGEST = 64 * 2**20
"""Bytes of a settings file; Parseq manifests of long films take some ten megabytes."""

ADDRESS = re.compile(r"(https?://|upload:)", re.IGNORECASE)
"""What a text begins with that names no file of this machine."""


TEXTS = (".json", ".txt", "")
"""Endings of files that are settings; others carry them in their metadata."""


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """Settings and what had to be said about them."""

    settings: Settings
    warnings: tuple[str, ...]


def settings_of(kind: object) -> type[Settings]:
    """The settings class of a kind's name. Raises NotFound with the names that exist."""
    if kind not in SETTINGS:
        raise NotFound(
            Problem(
                f'there is no kind "{kind}"; there are {", ".join(SETTINGS)}',
                field="kind",
                code="kind.unknown",
            )
        )
    return SETTINGS[str(kind)]


def read_json(path: Path, field: str = "file") -> Any:
    """A JSON file's value. Raises NotFound or FlipbookError with line and column."""
    try:
        if path.stat().st_size > LARGEST:
            raise FlipbookError(
                Problem(f'"{path}" is larger than {LARGEST >> 20} MiB', field=field, code="file.too_large")
            )
        data = path.read_bytes()
    except FileNotFoundError:
        raise NotFound(Problem(f'there is no file "{path}"', field=field, code="file.not_found")) from None
    except OSError as error:
        raise FlipbookError(
            Problem(f'"{path}" cannot be read: {error.strerror}', field=field, code="file.unreadable")
        ) from error
    return _json_of(data, path.name, field)


def _json_of(data: bytes, name: str, field: str) -> Any:
    try:
        return json.loads(data.decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        # A file that breaks off has its mistake after its last line.
        lines = [*error.doc.splitlines(), ""]
        line = lines[min(error.lineno, len(lines)) - 1]
        sentence = f'"{name}" is not valid JSON in line {error.lineno}: {error.msg}'
        column = error.colno if len(line) <= 200 else None
        raise FlipbookError(
            Problem(sentence, field=field, column=column, text=line, code="file.invalid_json")
        ) from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise FlipbookError(
            Problem(f'"{name}" is not JSON text in UTF-8', field=field, code="file.invalid_json")
        ) from error


def load_settings(
    path: Path, changes: Mapping[str, Any] | None = None, parts: Mapping[str, Path] | None = None
) -> Loaded:
    """Flipbook's JSON (recognised by its `kind`), a Deforum settings file, mov2mov's parameters, or a film or
    picture that carries its settings, with some values replaced.

    `parts` (motion, prompts, output) are taken from other files, then `changes` apply: Flipbook's
    names, and Deforum's or mov2mov's where the file is theirs. Relative paths inside a file start at
    the file's folder where such a file exists there. Raises FlipbookError with every problem of the file
    at once.
    """
    is_text = path.suffix.lower() in TEXTS or not path.is_file()
    data = _object(read_json(path), path.name) if is_text else carried(path)
    changed = settings_from(data, changes or {}, path.parent.absolute())
    if not parts:
        return changed
    plain = settings_from(data, {}, path.parent.absolute())
    settings, warnings = plain.settings, list(changed.warnings)
    for part, other in parts.items():
        loaded = load_settings(other)
        if loaded.settings.kind != settings.kind:
            sentence = f'"{other.name}" has settings of kind {loaded.settings.kind}, not {settings.kind} one'
            raise FlipbookError(Problem(sentence, field=part, code="settings.none_in_file"))
        settings = partial(settings, loaded.settings, [part])
        warnings.extend(loaded.warnings)
    before = plain.settings.values()
    replaced = {name: value for name, value in changed.settings.values().items() if value != before[name]}
    return Loaded(settings=settings.changed(replaced), warnings=tuple(warnings))


def settings_sent(name: str, data: bytes) -> Loaded:
    """As `load_settings`, for what a file called `name` holds that lies on somebody else's machine.

    An exported preset is taken as well.
    """
    if len(data) > LARGEST:
        raise FlipbookError(
            Problem(f'"{name}" is larger than {LARGEST >> 20} MiB', field="file", code="file.too_large")
        )
    found = _object(_json_of(data, name, "file"), name)
    if isinstance(inner := found.get("settings"), Mapping) and "kind" in found:
        found = {**inner, "kind": found["kind"]}
    return settings_from(found, {})


def _object(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise FlipbookError(
            Problem(
                f'"{name}" contains no JSON object of settings', field="file", code="settings.none_in_file"
            )
        )
    return value


def settings_from(data: Mapping[str, Any], changes: Mapping[str, Any], folder: Path | None = None) -> Loaded:
    """As `load_settings`, for an object that is read already."""
    importer = importer_of(data)
    if importer is not None:
        foreign, warnings = importer.read(data, changes)
        return Loaded(settings=_rooted(foreign, folder, frozenset(changes)), warnings=warnings)
    cls = settings_of(data.get("kind", DEFAULT_KIND))
    unknown = [name for name in changes if name not in specs(cls)]
    if unknown:
        cls().changed(dict.fromkeys(unknown))
    loaded, warnings = from_json(cls, {**data, **changes})
    return Loaded(settings=_rooted(loaded, folder, frozenset(changes)), warnings=warnings)


def _rooted(settings: Settings, folder: Path | None, given: frozenset[str]) -> Settings:
    """Relative paths of a file made absolute: from its folder where they exist there, else from here."""

    def place(text: str, given_here: bool) -> str:
        if Path(text).is_absolute() or ADDRESS.match(text):
            return text
        near = folder / text if folder is not None and not given_here else None
        return str(near if near is not None and near.exists() else Path(text).absolute())

    found = {}
    for name, spec in specs(type(settings)).items():
        value = getattr(settings, name)
        rooted = spec.rooted(value, lambda text, here=name in given: place(text, here))  # type: ignore[misc]
        if rooted != value:
            found[name] = rooted
    return settings.changed(found) if found else settings


def settings_in(path: Path, runs: Path | None = None) -> Loaded:
    """The settings that a file carries: a settings file, or a film or picture with settings inside.

    A film or frame in one of the run folders below `runs` has the settings of its run. Raises FlipbookError
    when the file carries none.
    """
    if path.suffix.lower() in TEXTS:
        return load_settings(path)
    run = next((p for p in path.parents if runs is not None and p.parent == runs.resolve()), None)
    if run is not None and (run / "run.json").is_file():
        return settings_from(RunFolder.open(run).manifest()["settings"], {}, path.parent)
    return settings_from(carried(path), {}, path.parent)


def carried(path: Path) -> Mapping[str, Any]:
    """The settings in a film's or picture's metadata, as they stand. Raises FlipbookError without any."""
    comment = probe(path).comment
    try:
        found = json.loads(comment)
    except ValueError:
        found = None
    if isinstance(found, dict) and "settings" in found and "kind" not in found:
        found = found["settings"]
    if not isinstance(found, dict) or not ("kind" in found or importer_of(found)):
        raise FlipbookError(
            Problem(f'"{path.name}" contains no settings', field="file", code="settings.none_in_file")
        )
    return found
