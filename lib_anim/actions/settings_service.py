"""Read settings that a caller sends or names, and check that they name only files the caller may use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from lib_anim.actions.places import Places
from lib_anim.actions.remote_files import RemoteFiles
from lib_anim.actions.settings_files import (
    ADDRESS,
    Loaded,
    settings_from,
    settings_in,
    settings_of,
    settings_sent,
)
from lib_anim.actions.uploads import Uploads
from lib_anim.errors import FlipbookError, Problem
from lib_anim.kinds.base import PaintedKind
from lib_anim.kinds.registry import find_kind
from lib_anim.settings.base import Settings, specs


class SettingsService:
    """Checked settings from JSON, files and uploads, with every file they name resolved."""

    def __init__(
        self, runs: Path, places: Places, uploads: Uploads, remote: Callable[[], RemoteFiles]
    ) -> None:
        self._runs, self._places, self._uploads, self._remote = runs, places, uploads, remote

    def load(self, kind: str, settings: Mapping[str, Any]) -> Loaded:
        """Checked settings of a kind from a JSON object, which may be in an importer's format."""
        settings_of(kind)
        named = settings.get("kind", kind)
        if named != kind:
            sentence = f'the settings are of kind "{named}", the job is of kind "{kind}"; make them equal'
            raise FlipbookError(Problem(sentence, field="kind", code="kind.mismatch"))
        importers = find_kind(kind).importers if "kind" not in settings else ()
        foreign = any(importer.recognises(settings) for importer in importers)
        loaded = settings_from(settings if foreign else {**settings, "kind": kind}, {})
        return Loaded(settings=self.resolved(loaded.settings), warnings=loaded.warnings)

    def read(self, source: str) -> Loaded:
        """The settings in a settings file of any origin, or in the metadata of a film or picture.

        A film inside its run folder has its run's settings, with all paths. Raises FlipbookError when there
        are none, and for a file that the caller may not name.
        """
        address = source.lower().startswith("upload:")
        path = self._uploads.path(source) if address else self._places.file(source, "file")
        loaded = settings_in(path, self._runs)
        return Loaded(settings=self.resolved(loaded.settings), warnings=loaded.warnings)

    def received(self, name: str, data: bytes) -> Loaded:
        """The settings of a settings file of any origin that a caller sends. Raises FlipbookError."""
        loaded = settings_sent(name, data)
        return Loaded(settings=self.resolved(loaded.settings), warnings=loaded.warnings)

    def resolved(self, settings: Settings) -> Settings:
        """Uploads and addresses replaced by their files. Raises FlipbookError for files outside `places`."""
        found, problems = {}, list[Problem]()
        for name, spec in specs(type(settings)).items():
            value = getattr(settings, name)
            try:
                resolved = spec.rooted(value, partial(self._file_of, name))
            except FlipbookError as error:
                problems += error.problems
                continue
            if resolved != value:
                found[name] = resolved
        if problems:
            raise FlipbookError(*problems)
        settings = settings.changed(found) if found else settings
        self._places.check(settings)
        kind = find_kind(settings.kind)
        if isinstance(kind, PaintedKind):
            # Files inside mask expressions and the like.
            for need in kind.needs(settings).values():
                self._places.media(str(need.path), need.field)
        return settings

    def _file_of(self, name: str, text: str) -> str:
        """The path of an upload or an address that a setting names; any other path unchanged."""
        if not ADDRESS.match(text):
            return text
        if not text.lower().startswith("upload:"):
            text = self._remote().fetch(text, self._uploads, name)
        return str(self._uploads.path(text, name))
