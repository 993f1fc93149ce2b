"""Uploads, run folders and the trash over HTTP."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response

from lib_anim.actions.services import Services
from lib_anim.api import schemas as shapes
from lib_anim.api.endpoint import Pace, Route
from lib_anim.api.schemas import gives

UPLOADS_A_MINUTE = 60

PIECE = 1 << 20
"""Bytes that are gathered before they go to the disk."""


class FileViews:
    """The routes `/uploads`, `/runs` and `/trash`."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._pace = Pace(UPLOADS_A_MINUTE)

    def router(self) -> APIRouter:
        """All of them, with what they take and give."""
        router = APIRouter(route_class=Route, tags=["files"])
        add = router.add_api_route
        binary = {"schema": {"type": "string", "format": "binary"}}
        body = {"requestBody": {"required": True, "content": {"application/octet-stream": binary}}}
        add(
            *("/uploads", self.upload),
            methods=["POST"],
            status_code=201,
            openapi_extra=body,
            responses=gives(shapes.UPLOAD, 201, "Kept for a week, or as long as a job needs it."),
        )
        add("/runs", self.runs, methods=["GET"], responses=gives(shapes.RUNS))
        add("/runs/{name}", self.throw_away, methods=["DELETE"], status_code=204, responses=gives({}, 409))
        add("/trash", self.trash, methods=["GET"], responses=gives(shapes.RUNS))
        add("/trash", self.empty_trash, methods=["DELETE"], responses=gives(shapes.FREED))
        add(
            "/trash/{name}/restore", self.restore, methods=["POST"], status_code=204, responses=gives({}, 409)
        )
        return router

    async def upload(self, request: Request) -> JSONResponse:
        """Send a film, sound or picture as the body; settings name it by the address that comes back."""
        self._pace.take(1, "upload")
        with self._services.uploads.receive() as receiving:
            gathered = bytearray()
            async for chunk in request.stream():
                gathered += chunk
                if len(gathered) >= PIECE:
                    await run_in_threadpool(receiving.write, bytes(gathered))
                    gathered.clear()
            await run_in_threadpool(receiving.write, bytes(gathered))
            address = await run_in_threadpool(receiving.keep)
        await run_in_threadpool(self._services.tidy)
        return JSONResponse({"upload": address}, 201)

    def runs(self) -> JSONResponse:
        """Every run folder with its size."""
        return JSONResponse({"runs": [facts.as_json() for facts in self._services.folders.all()]})

    def throw_away(self, name: str) -> Response:
        """Move a run folder to the trash, where it stays for thirty days."""
        self._services.throw_away(name)
        return Response(status_code=204)

    def trash(self) -> JSONResponse:
        """What lies in the trash."""
        return JSONResponse({"runs": [facts.as_json() for facts in self._services.folders.trash()]})

    def empty_trash(self) -> JSONResponse:
        """Delete what lies in the trash."""
        return JSONResponse({"bytes": self._services.folders.empty_trash()})

    def restore(self, name: str) -> Response:
        """Take a run out of the trash."""
        self._services.folders.restore(name)
        return Response(status_code=204)
