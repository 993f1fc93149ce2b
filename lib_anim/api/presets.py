"""Presets over HTTP, and the settings inside files."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse, Response

from lib_anim.actions.services import Services
from lib_anim.api import schemas as shapes
from lib_anim.api.endpoint import Route, json_object
from lib_anim.api.queries import kind_and_settings
from lib_anim.api.schemas import gives, takes
from lib_anim.errors import FlipbookError, Problem
from lib_anim.settings.base import to_json


class PresetViews:
    """The routes below `/presets`, and `/settings`."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def router(self) -> APIRouter:
        """All of them, with what they take and give."""
        router = APIRouter(route_class=Route, tags=["presets"])
        add = router.add_api_route
        add("/presets", self.list, methods=["GET"], responses=gives(shapes.PRESETS))
        add("/presets/{name}", self.get, methods=["GET"], responses=gives(shapes.PRESET))
        add(
            *("/presets/{name}", self.put),
            methods=["PUT"],
            openapi_extra=takes(shapes.PRESET_PUT),
            responses=gives(shapes.PRESET),
        )
        add("/presets/{name}", self.delete, methods=["DELETE"], status_code=204, responses=gives({}, 409))
        add(
            *("/presets/{name}/rename", self.rename),
            methods=["POST"],
            openapi_extra=takes(shapes.RENAME),
            responses=gives(shapes.PRESET),
        )
        add("/presets/{name}/export", self.export, methods=["GET"], responses=gives(shapes.PRESET))
        add(
            *("/settings", self.settings),
            methods=["POST"],
            openapi_extra=takes(shapes.FILE_OR_SETTINGS),
            responses=gives(shapes.LOADED),
        )
        return router

    def list(self) -> JSONResponse:
        """Every preset, without its settings."""
        entries = [preset.as_json() for preset in self._services.presets.all()]
        return JSONResponse({"presets": [{k: v for k, v in e.items() if k != "settings"} for e in entries]})

    def get(
        self, name: str, parts: str = Query("", description="motion, prompts, output; with commas between.")
    ) -> JSONResponse:
        """A preset, or only some parts of it."""
        return JSONResponse(self._services.presets.get(name, _words(parts)).as_json())

    def put(self, name: str, asked: Any = Depends(json_object)) -> JSONResponse:
        """Save settings, or only some parts of them, under a name; what had it is replaced."""
        kind, settings = kind_and_settings(asked, ("parts", "about", "name"))
        parts = asked.get("parts") or []
        if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
            raise FlipbookError(
                Problem("takes a list of motion, prompts, output", field="parts", code="request.invalid")
            )
        preset = self._services.presets.put(name, kind, settings, parts, asked.get("about") or "")
        return JSONResponse(preset.as_json())

    def delete(self, name: str) -> Response:
        """Delete one of one's own presets."""
        self._services.presets.delete(name)
        return Response(status_code=204)

    def rename(self, name: str, asked: Any = Depends(json_object)) -> JSONResponse:
        """Give one of one's own presets another name."""
        if set(asked) != {"to"} or not isinstance(asked["to"], str):
            raise FlipbookError(
                Problem("takes the new name, and nothing else", field="to", code="request.invalid")
            )
        return JSONResponse(self._services.presets.rename(name, asked["to"]).as_json())

    def export(self, name: str) -> Response:
        """A preset as a file to pass on: files are named without their folders. `PUT` takes it as it is."""
        headers = {"Content-Disposition": 'attachment; filename="flipbook-preset.json"'}
        return Response(self._services.presets.export(name), 200, headers, "application/json")

    def settings(self, asked: Any = Depends(json_object)) -> JSONResponse:
        """Checked settings: of `{"file": path or upload}`, or of `{"kind", "settings"}` in any dialect."""
        if set(asked) == {"file"}:
            if not isinstance(asked["file"], str):
                raise FlipbookError(
                    Problem("takes a path, or the address of an upload", field="file", code="request.invalid")
                )
            loaded = self._services.settings.read(asked["file"])
        else:
            loaded = self._services.settings.load(*kind_and_settings(asked))
        answer = {
            "kind": loaded.settings.kind,
            "settings": to_json(loaded.settings),
            "warnings": list(loaded.warnings),
        }
        return JSONResponse(answer)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]
