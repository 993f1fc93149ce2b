"""Query routes: kinds, schemas, engines, models, curves, prompts, previews, estimates."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response

from lib_anim.actions.services import Services
from lib_anim.api import schemas as shapes
from lib_anim.api.endpoint import Route, json_object
from lib_anim.api.ranged import file_response
from lib_anim.api.schemas import gives, gives_file, takes
from lib_anim.errors import FlipbookError, Problem


class LookViews:
    """The routes that change nothing."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def router(self) -> APIRouter:
        """All of them, with what they take and give."""
        router = APIRouter(route_class=Route, tags=["looks"])
        add = router.add_api_route
        listing = gives({"type": "object"})
        add("/kinds", self.kinds, methods=["GET"], responses=listing)
        add("/schema/{kind}", self.schema, methods=["GET"], responses=listing)
        add("/engines", self.engines, methods=["GET"], responses=listing)
        add("/models", self.models, methods=["GET"], responses=listing)
        add(
            *("/curves", self.curves),
            methods=["POST"],
            openapi_extra=takes(shapes.CURVES),
            responses=gives(shapes.CURVES_FOUND),
        )
        add(
            *("/prompts", self.prompts),
            methods=["POST"],
            openapi_extra=takes(shapes.PROMPTS),
            responses=gives(shapes.PROMPTS_FOUND),
        )
        add(
            *("/preview", self.preview),
            methods=["POST"],
            openapi_extra=takes(shapes.SETTINGS),
            responses=gives_file("video/mp4", "The motion on a checkerboard, small, at the film's rate."),
        )
        add(
            *("/estimate", self.estimate),
            methods=["POST"],
            openapi_extra=takes(shapes.ORDER),
            responses=gives(shapes.ESTIMATE),
        )
        return router

    def kinds(self) -> JSONResponse:
        """Every kind of film."""
        return JSONResponse({"kinds": self._services.queries.kinds()})

    def schema(self, kind: str) -> JSONResponse:
        """JSON Schema (2020-12) of a kind's settings."""
        return JSONResponse(self._services.queries.schema(kind))

    def engines(self) -> JSONResponse:
        """Who can paint, the default first; `capabilities` is null before an engine was used."""
        return JSONResponse({"engines": [asdict(facts) for facts in self._services.queries.engines()]})

    def models(self) -> JSONResponse:
        """Names of model files at hand, by what they are."""
        return JSONResponse({"models": self._services.queries.models()})

    def curves(self, asked: Any = Depends(json_object)) -> JSONResponse:
        """Schedules as a value per frame, and the sentence for each that is wrong."""
        return JSONResponse(self._services.queries.curves(asked))

    def prompts(self, asked: Any = Depends(json_object)) -> JSONResponse:
        """The prompt of every frame, as spans that show the same."""
        return JSONResponse(self._services.queries.prompts(asked))

    def preview(self, request: Request, asked: Any = Depends(json_object)) -> Response:
        """The motion of a keyframed film on a checkerboard, in seconds, without an engine."""
        kind, settings = kind_and_settings(asked)
        path = self._services.queries.preview(kind, settings)
        return file_response(request, path, "video/mp4", {"X-Content-Type-Options": "nosniff"})

    def estimate(self, asked: Any = Depends(json_object)) -> JSONResponse:
        """How many pictures must be painted, how much disk they take at most, and how long it may take."""
        kind, settings = kind_and_settings(asked, ("engine", "trial"))
        engine, trial = asked.get("engine") or "", asked.get("trial") or {}
        if not isinstance(engine, str) or not isinstance(trial, dict):
            raise FlipbookError(
                Problem(
                    "engine must be a string and trial a JSON object", field="body", code="request.invalid"
                )
            )
        return JSONResponse(self._services.queries.estimate(kind, settings, engine=engine, trial=trial))


def kind_and_settings(asked: dict[str, Any], others: tuple[str, ...] = ()) -> tuple[str, dict[str, Any]]:
    """`{"kind", "settings"}` of a request; `others` are further fields it may have."""
    known = ("kind", "settings", *others)
    problems = [
        Problem(
            f"there is no such field; there are {', '.join(known)}",
            field=name,
            code="request.unknown_field",
        )
        for name in asked
        if name not in known
    ]
    if not isinstance(asked.get("kind"), str):
        problems.append(Problem("is missing; it takes a string", field="kind", code="request.invalid"))
    if not isinstance(asked.get("settings"), dict):
        problems.append(
            Problem("is missing; it takes a JSON object", field="settings", code="request.invalid")
        )
    if problems:
        raise FlipbookError(*problems)
    return asked["kind"], asked["settings"]
