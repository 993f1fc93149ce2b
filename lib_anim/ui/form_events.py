"""Event handlers of a form: requests from the page through Gradio, responses as JSON text."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from lib_anim.actions.services import Services
from lib_anim.actions.settings_files import Loaded, settings_of
from lib_anim.errors import FlipbookError
from lib_anim.settings.base import DEFORUM_KEYS, to_json
from lib_anim.settings.fields import PathText
from lib_anim.settings.pasting import pasted
from lib_anim.ui import controls
from lib_anim.ui.form import Form, shown_of
from lib_anim.ui.toolkit import Scripts


class FormEvents:
    """The events of one kind's form."""

    def __init__(self, services: Services, form: Form, scripts: Scripts | None = None) -> None:
        self._services = services
        self._scripts = scripts
        self._form = form
        self._kind = form.kind

    def submit(self, *values: Any, trial: Mapping[str, Any] | None = None) -> str:
        """Queue the film that the controls describe.

        Values: the form's, the engine, a frame number, the label, the host scripts' if there are any.
        """
        count = len(self._form.controls)
        settings = self._with_kept(self._form.read(values[:count]))
        engine, _, label = values[count : count + 3]
        try:
            if self._scripts is not None and len(values) > count + 3:
                settings = _with_scripts(settings, self._scripts.read(values[count + 3 :]))
            found = self._services.jobs.submit_all(
                [
                    {
                        "kind": self._kind,
                        "settings": settings,
                        "engine": engine or "",
                        "label": label or "",
                        **({"trial": trial} if trial else {}),
                    }
                ]
            )
        except FlipbookError as error:
            return _answer("submit", **error.as_json())
        return _answer("submit", ids=found)

    def submit_frame(self, *values: Any) -> str:
        """Queue the one frame whose number stands among the values."""
        frame = values[len(self._form.controls) + 1]
        if not isinstance(frame, int | float) or frame != int(frame):
            return _answer(
                "submit", errors=[{"field": "frame", "message": f"{frame} is not a frame's number"}]
            )
        return self.submit(*values, trial={"only": int(frame)})

    def keep(self, request: str) -> str:
        """Keep what the controls show; say what is wrong with it, how long it takes, how files look."""
        asked = json.loads(request)
        shown = asked["shown"]
        self._services.forms.keep(self._kind, {**self._services.forms.get(self._kind), **shown})
        settings = self._with_kept(self._form.read([shown.get(name) for name in self._form.controls]))
        media = self._media(shown)
        try:
            estimate = self._services.queries.estimate(self._kind, settings, engine=asked.get("engine", ""))
        except FlipbookError as error:
            return _answer("keep", **error.as_json(), media=media)
        return _answer("keep", estimate=estimate, media=media)

    def _media(self, shown: Mapping[str, Any]) -> dict[str, dict[str, str]]:
        """Name → how the file looks that a control names. That one is missing, the settings' check says."""
        found = {}
        for name, spec in self._form.fields.items():
            text = str(shown.get(name) or "").strip()
            if not isinstance(spec, PathText) or not text:
                continue
            try:
                thumbnail = self._services.queries.thumbnail(text, name)
            except FlipbookError:
                continue
            picture = base64.b64encode(thumbnail.jpeg).decode()
            found[name] = {"picture": f"data:image/jpeg;base64,{picture}", "facts": thumbnail.facts}
        return found

    def fill(self, request: str) -> list[Any]:
        """[answer, a change for every control]: shows the draft, or settings that are loaded into it.

        Some settings change their own controls only: what is typed meanwhile elsewhere stays.
        """
        asked = json.loads(request or "{}")
        draft = self._services.forms.get(self._kind)
        try:
            found, warnings, elsewhere = self._asked_for(asked)
        except FlipbookError as error:
            return [_answer("fill", **error.as_json()), *self._form.change({})]
        if elsewhere:
            return [_answer("fill", elsewhere=elsewhere, request=asked), *self._form.change({})]
        if found:
            self._services.forms.keep(self._kind, {**draft, **asked.get("page", {}), **found})
            return [_answer("fill", shown=found, warnings=warnings), *self._form.change(found)]
        shown = {**self._form.defaults, **draft}
        return [_answer("fill", shown=shown, warnings=warnings), *self._form.change(shown)]

    def _asked_for(self, asked: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...], str]:
        """(what controls are to show, warnings, the kind whose form must show it instead of this one).

        `settings` is a whole film's, `part` some settings, `shown` values of controls, `infotext` what was
        copied from a picture, `film` a job whose film a setting is to name, `source` a file that carries
        settings, `file` a settings file's name and, in base64, what it holds.
        """
        if "source" in asked or "file" in asked:
            loaded = self._loaded(asked)
            if loaded.settings.kind != self._kind:
                return {}, (), loaded.settings.kind
            return shown_of(type(loaded.settings), to_json(loaded.settings)), loaded.warnings, ""
        if "settings" in asked:
            loaded = self._services.settings.load(self._kind, asked["settings"])
            return shown_of(type(loaded.settings), to_json(loaded.settings)), loaded.warnings, ""
        fields = self._form.fields
        warnings: tuple[str, ...] = ()
        if "infotext" in asked:
            values, warnings = pasted(settings_of(self._kind), asked["infotext"])
            asked = {**asked, "part": values}
        if "film" in asked:
            film = self._services.jobs.film(asked["film"]["job"])
            asked = {**asked, "part": {asked["film"]["name"]: str(film)}}
        part = {n: controls.shown(fields[n], v) for n, v in asked.get("part", {}).items() if n in fields}
        return {**asked.get("shown", {}), **part}, warnings, ""

    def _loaded(self, asked: Mapping[str, Any]) -> Loaded:
        if "source" in asked:
            return self._services.settings.read(asked["source"])
        return self._services.settings.received(
            asked["file"]["name"], base64.b64decode(asked["file"]["data"])
        )

    def _with_kept(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Settings with the keys of the file they came from that no control shows."""
        kept = self._services.forms.get(self._kind)
        return {**settings, **({DEFORUM_KEYS: kept[DEFORUM_KEYS]} if DEFORUM_KEYS in kept else {})}


def _with_scripts(settings: Mapping[str, Any], given: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """Settings with scripts' arguments from their controls before those that the setting `scripts` holds."""
    held = settings.get("scripts") or {}
    # What is not an object is for the settings to refuse.
    return {**settings, "scripts": {**held, **given}} if given and isinstance(held, Mapping) else {**settings}


def _answer(about: str, **facts: Any) -> str:
    """A response for the page's script. The number makes two equal responses differ."""
    return json.dumps({"about": about, **facts}, ensure_ascii=False)
