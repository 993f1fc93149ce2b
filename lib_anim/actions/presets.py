"""Presets: named settings, the user's own and the shipped ones."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lib_anim.actions.settings_files import settings_from, settings_of
from lib_anim.errors import Conflict, FlipbookError, NotFound, Problem
from lib_anim.jobs import atomic
from lib_anim.kinds.registry import find_kind
from lib_anim.settings.base import Settings, specs, to_json
from lib_anim.settings.parts import PARTS
from lib_anim.settings.portable import without_folders

SHIPPED = Path(__file__).with_name("shipped_presets")

LONGEST_NAME = 80

MOST = 1_000
"""Presets of one user."""


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Settings under a name. A preset of a part holds that part's settings alone."""

    name: str
    kind: str
    settings: Mapping[str, Any]
    about: str = ""
    """What it is for, in a sentence."""
    shipped: bool = False
    """Whether it came with Flipbook: such are read only, and one of the user's lies over one of its name."""

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "kind": self.kind,
            "about": self.about,
            "shipped": self.shipped,
            "settings": dict(self.settings),
        }


class Presets:
    """The presets of one data folder, one file each, written in one step."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def all(self) -> list[Preset]:
        """Every preset, by name; the user's instead of shipped ones of the same name."""
        found = {preset.name: preset for preset in _read_all(SHIPPED, shipped=True)}
        found |= {preset.name: preset for preset in _read_all(self._folder, shipped=False)}
        return sorted(found.values(), key=lambda preset: preset.name.casefold())

    def get(self, name: str, parts: Iterable[str] = ()) -> Preset:
        """A preset, or only some parts of it (motion, prompts, output). Raises NotFound, FlipbookError."""
        found = next((preset for preset in self.all() if preset.name == name), None)
        if found is None:
            raise NotFound(
                Problem(f'there is no preset "{name[:LONGEST_NAME]}"', field="name", code="preset.not_found")
            )
        names = tuple(parts)
        if not names:
            return found
        return Preset(
            name=found.name,
            kind=found.kind,
            settings=only_parts(found.kind, found.settings, names),
            about=found.about,
            shipped=found.shipped,
        )

    def put(
        self, name: str, kind: str, settings: Mapping[str, Any], parts: Iterable[str] = (), about: str = ""
    ) -> Preset:
        """Save settings, or only some parts of them, under a name; what had it is replaced.

        Raises FlipbookError for a name that cannot be, and with every problem of the settings.
        """
        name = checked_name(name)
        loaded = settings_from(settings if _is_foreign(kind, settings) else {**settings, "kind": kind}, {})
        given = _given(loaded.settings, settings)
        if names := tuple(parts):
            given = only_parts(kind, given, names)
        if not isinstance(about, str) or len(about) > 1_000:
            raise FlipbookError(
                Problem("takes at most 1000 characters", field="about", code="request.too_many")
            )
        preset = Preset(name=name, kind=loaded.settings.kind, settings=given, about=about)
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / _file(name)
        if not path.exists() and sum(1 for _ in self._folder.glob("*.json")) >= MOST:
            raise Conflict(
                Problem(
                    f"there are {MOST} presets already; delete some", field="name", code="preset.conflict"
                )
            )
        entry = {name: value for name, value in preset.as_json().items() if name != "shipped"}
        atomic.write_json(path, entry)
        return preset

    def rename(self, old: str, new: str) -> Preset:
        """Give one of the user's presets another name. Raises NotFound, and Conflict when that is taken."""
        preset, new = self._own(old), checked_name(new)
        if new != old and (self._folder / _file(new)).exists():
            raise Conflict(
                Problem(f'there is a preset "{new}" already', field="name", code="preset.conflict")
            )
        renamed = self.put(new, preset.kind, preset.settings, about=preset.about)
        if new != old:
            (self._folder / _file(old)).unlink(missing_ok=True)
        return renamed

    def delete(self, name: str) -> None:
        """Delete one of the user's presets. Raises NotFound, and Conflict for a shipped one."""
        self._own(name)
        (self._folder / _file(name)).unlink(missing_ok=True)

    def export(self, name: str) -> str:
        """A preset as the text of a file to pass on: files are named without their folders."""
        preset = self.get(name)
        entry = {**preset.as_json(), "settings": without_folders(settings_of(preset.kind), preset.settings)}
        del entry["shipped"]
        return json.dumps(entry, ensure_ascii=False, indent=2) + "\n"

    def _own(self, name: str) -> Preset:
        preset = self.get(name)
        if preset.shipped:
            raise Conflict(
                Problem(
                    f'"{name}" comes with Flipbook; save a copy under another name',
                    field="name",
                    code="preset.conflict",
                )
            )
        return preset


def checked_name(name: str) -> str:
    """A preset's name, trimmed. Raises FlipbookError for one that is empty, too long or not printable."""
    name = unicodedata.normalize("NFC", name).strip()
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        sentence = f"a name has 1 to {LONGEST_NAME} printable characters"
        raise FlipbookError(Problem(sentence, field="name", code="preset.bad_name"))
    return name


def only_parts(kind: str, settings: Mapping[str, Any], parts: Iterable[str]) -> dict[str, Any]:
    """The settings of some parts alone. Raises FlipbookError for a part that does not exist."""
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        sentence = f'there is no part "{unknown[0]}"; there are {", ".join(PARTS)}'
        raise FlipbookError(Problem(sentence, field="parts", code="settings.unknown_part"))
    groups = {group for part in parts for group in PARTS[part]}
    known = specs(settings_of(kind))
    taken = {n: value for n, value in settings.items() if n in known and known[n].group in groups}
    return {**taken, **({"dialect": settings["dialect"]} if taken and "dialect" in settings else {})}


def _is_foreign(kind: str, data: Mapping[str, Any]) -> bool:
    return "kind" not in data and any(importer.recognises(data) for importer in find_kind(kind).importers)


def _given(settings: Settings, asked: Mapping[str, Any]) -> dict[str, Any]:
    """What was asked for, in its canonical form: all of a Deforum file, else the names that were given.

    Names that were left out stay out, so that a preset of four settings changes four.
    """
    values = to_json(settings)
    names = [name for name in asked if name in specs(type(settings))]
    if settings.dialect != "native" and "dialect" not in asked:
        names = list(specs(type(settings)))
    dialect = {"dialect": settings.dialect} if settings.dialect != "native" else {}
    return {**dialect, **{name: values[name] for name in names}}


def _file(name: str) -> str:
    """A file's name that every system takes, different for every preset's name."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40]
    return f"{slug or 'preset'}-{hashlib.sha256(name.encode()).hexdigest()[:12]}.json"


def _read_all(folder: Path, shipped: bool) -> list[Preset]:
    found = []
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        try:
            data = json.loads(path.read_text("utf-8-sig"))
            name, kind, settings = data["name"], data["kind"], data["settings"]
            settings_of(kind)
        except (OSError, ValueError, TypeError, KeyError, NotFound):
            # Somebody's own file, or one of a newer Flipbook's kinds: it stays, and is not offered.
            continue
        if isinstance(name, str) and isinstance(settings, dict):
            about = str(data.get("about", ""))
            found.append(Preset(name=name, kind=kind, settings=settings, about=about, shipped=shipped))
    return found
