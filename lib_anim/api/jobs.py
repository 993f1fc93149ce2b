"""Job routes: submit, list, follow, cancel, resume, move, download."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response, StreamingResponse

from lib_anim.actions.jobs import ENDED, STATUSES, JobEvent
from lib_anim.actions.services import Services
from lib_anim.api import schemas as shapes
from lib_anim.api.endpoint import Pace, Route, json_body, json_object
from lib_anim.api.ranged import file_response
from lib_anim.api.schemas import gives, gives_file, job_json, takes
from lib_anim.errors import Conflict, FlipbookError, NotFound, Problem

MOST_AT_ONCE = 500
"""Jobs of one request."""

A_MINUTE = 600
"""Jobs that are taken within a minute."""

MOST_STREAMS = 64
"""Event streams that are open at a time."""

LOOK = 0.2
"""Seconds between looks for something to tell a stream."""

BREATH = 15.0
"""Seconds after which a silent stream says that it lives, so that nobody between closes it."""

FILMS = {
    ".mp4": "video/mp4",
    ".mov": "video/quicktime",
    ".webm": "video/webm",
    ".mkv": "video/x-matroska",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".png": "image/png",
    ".apng": "image/apng",
}


class JobViews:
    """The routes below `/jobs`."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._pace = Pace(A_MINUTE)
        self._streams = 0

    def router(self) -> APIRouter:
        """All of them, with what they take and give."""
        router = APIRouter(route_class=Route, tags=["jobs"])
        add = router.add_api_route
        add(
            *("/jobs", self.submit),
            methods=["POST"],
            status_code=202,
            openapi_extra=takes(shapes.SUBMIT),
            responses=gives(shapes.IDS, 202, "They wait in the queue."),
        )
        add("/jobs", self.list, methods=["GET"], responses=gives(shapes.JOBS))
        add("/jobs/{id}", self.get, methods=["GET"], responses=gives(shapes.JOB))
        add("/jobs/{id}", self.cancel, methods=["DELETE"], responses=gives(shapes.JOB))
        add("/jobs/{id}/resume", self.resume, methods=["POST"], responses=gives(shapes.JOB))
        add(
            *("/jobs/{id}/move", self.move),
            methods=["POST"],
            openapi_extra=takes(shapes.MOVE),
            responses=gives(shapes.JOB),
        )
        add(
            *("/jobs/{id}/rerender", self.rerender),
            methods=["POST"],
            status_code=202,
            openapi_extra=takes(shapes.RERENDER),
            responses=gives(shapes.IDS, 202, "It waits in the queue."),
        )
        stream = gives_file("text/event-stream", "Server-sent events until the job has ended.")
        nothing: dict[int | str, dict[str, Any]] = {
            204: {"description": "It has ended, and there is nothing more to tell."}
        }
        add("/jobs/{id}/events", self.events, methods=["GET"], responses={**stream, **nothing})
        add(
            *("/jobs/{id}/film", self.film),
            methods=["GET"],
            responses=gives_file("video/mp4", "The film, in its own format."),
        )
        add(
            *("/jobs/{id}/frames/{n}", self.frame),
            methods=["GET"],
            responses=gives_file("image/png", "The frame, also while the film is made."),
        )
        add(
            *("/jobs/{id}/sheet", self.sheet),
            methods=["GET"],
            responses=gives_file("image/png", "Up to sixteen frames on one sheet."),
        )
        add("/jobs/{id}/report", self.report, methods=["GET"], responses=gives({"type": "object"}))
        return router

    def submit(self, asked: Any = Depends(json_body)) -> JSONResponse:
        """Queue one film, or a list of them: all or none."""
        orders = asked if isinstance(asked, list) else [asked]
        if len(orders) > MOST_AT_ONCE:
            raise FlipbookError(
                Problem(
                    f"{len(orders)} are too many at once; at most {MOST_AT_ONCE} are allowed",
                    field="jobs",
                    code="request.too_many",
                )
            )
        checked = [_order(order, number if len(orders) > 1 else None) for number, order in enumerate(orders)]
        self._pace.take(len(checked), "jobs")
        return JSONResponse({"ids": self._services.jobs.submit_all(checked)}, 202)

    def list(
        self,
        status: str = Query("", description="Only those; several with commas between."),
        limit: int = Query(200, ge=1, le=2_000),
    ) -> JSONResponse:
        """Running jobs, then waiting ones in their order, then ended ones, newest first; without settings."""
        asked = [word.strip() for word in status.split(",") if word.strip()]
        statuses = [known for known in STATUSES if known in asked]
        if unknown := [word for word in asked if word not in STATUSES]:
            raise FlipbookError(
                Problem(
                    f'"{unknown[0]}" is not allowed; it takes {", ".join(STATUSES)}',
                    field="status",
                    code="request.invalid",
                )
            )
        records = self._services.jobs.all(statuses, limit=limit)
        return JSONResponse({"jobs": [job_json(record, with_settings=False) for record in records]})

    def get(self, id: str) -> JSONResponse:
        """One job: how far it is, what went wrong, what came out, and its settings."""
        return JSONResponse(job_json(self._services.jobs.get(id)))

    def cancel(self, id: str) -> JSONResponse:
        """End a queued job now, a running one after its frame; it leaves a film of what there is."""
        return JSONResponse(job_json(self._services.jobs.cancel(id)))

    def resume(self, id: str) -> JSONResponse:
        """Go on with a failed or cancelled job; the frames come out as if it had never stopped."""
        return JSONResponse(job_json(self._services.jobs.resume(id)))

    def move(self, id: str, asked: Any = Depends(json_object)) -> JSONResponse:
        """Put a queued job at another place among the queued ones."""
        _only(asked, ("to",))
        return JSONResponse(job_json(self._services.jobs.move(id, _whole(asked, "to", -1))))

    def rerender(self, id: str, asked: Any = Depends(json_object)) -> JSONResponse:
        """Re-render some frames of an ended job with changed settings; all others stay bit-identical."""
        _only(asked, ("first", "last", "changes"))
        changes = asked.get("changes", {})
        if not isinstance(changes, dict):
            raise FlipbookError(
                Problem("is not valid JSON object of settings", field="changes", code="request.invalid")
            )
        self._pace.take(1, "jobs")
        first, last = _whole(asked, "first", 0), _whole(asked, "last", 0)
        return JSONResponse({"ids": [self._services.jobs.rerender(id, first, last, changes)]}, 202)

    async def events(self, id: str, last_event_id: str = Header("")) -> Response:
        """What happens to the job, as it happens: `status`, `phase`, `frames`, `warning`, `moved`.

        Each event has a number; a client that comes back with `Last-Event-ID` gets what it has missed. Of
        `frames` only the latest is kept.
        """
        after = int(last_event_id) if last_event_id.isdecimal() and len(last_event_id) < 19 else 0
        record = await run_in_threadpool(self._services.jobs.get, id)
        if record.status in ENDED and not await run_in_threadpool(self._services.jobs.events, id, after):
            return Response(status_code=204)
        if self._streams >= MOST_STREAMS:
            raise Conflict(
                Problem(
                    f"{MOST_STREAMS} event streams are already open; close some",
                    code="server.too_many_streams",
                )
            )
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(self._stream(id, after), 200, headers, "text/event-stream")

    async def _stream(self, id: str, after: int) -> AsyncIterator[str]:
        self._streams += 1
        try:
            sent = time.monotonic()
            yield "retry: 2000\n\n"
            while True:
                record = await run_in_threadpool(self._services.jobs.get, id)
                events = await run_in_threadpool(self._services.jobs.events, id, after)
                for event in events:
                    after = event.number
                    yield _sse(event)
                if events:
                    sent = time.monotonic()
                elif record.status in ENDED:
                    return
                else:
                    if time.monotonic() - sent > BREATH:
                        sent = time.monotonic()
                        yield ": still here\n\n"
                    await asyncio.sleep(LOOK)
        except NotFound:
            return
        finally:
            self._streams -= 1

    def film(self, id: str, request: Request) -> Response:
        """The film; of a cancelled job the part that there is. A range of it where one is asked for."""
        path = self._services.jobs.film(id)
        if path.is_dir():
            raise Conflict(
                Problem(
                    "it is a folder of pictures; download its frames one by one",
                    field="film",
                    code="job.no_single_file",
                )
            )
        kind = FILMS.get(path.suffix.lower(), "application/octet-stream")
        return _file(request, path, kind, f"flipbook-{id[:6]}")

    def frame(self, id: str, n: int, request: Request) -> Response:
        """A frame as PNG; -1 is the latest."""
        return _file(request, self._services.jobs.frame(id, n), "image/png", f"frame-{n}")

    def sheet(self, id: str, request: Request) -> Response:
        """The contact sheet as PNG."""
        return _file(request, self._services.jobs.sheet(id), "image/png", "sheet")

    def report(self, id: str) -> JSONResponse:
        """Versions, log and settings for a bug report; names of folders are left out."""
        return JSONResponse(self._services.jobs.report(id))


def _sse(event: JobEvent) -> str:
    data = json.dumps({"job": event.job, "time": event.time, **event.data}, ensure_ascii=False)
    return f"id: {event.number}\nevent: {event.name}\ndata: {data}\n\n"


def _file(request: Request, path: Path, kind: str, name: str) -> Response:
    headers = {
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-cache",
        "Content-Disposition": f'inline; filename="{name}{path.suffix}"',
    }
    return file_response(request, path, kind, headers)


def _order(order: Any, number: int | None) -> dict[str, Any]:
    """One job of a request, its outer shape checked."""
    front = "" if number is None else f"jobs[{number}]."
    if not isinstance(order, dict):
        raise FlipbookError(
            Problem("is not valid JSON object", field=front[:-1] or "body", code="request.invalid")
        )
    _only(order, ("kind", "settings", "engine", "trial", "label"), front)
    shape = {"kind": str, "settings": dict}
    maybe = {"engine": str, "trial": dict, "label": str}
    problems = []
    for name, type_ in {**shape, **maybe}.items():
        if order.get(name) is None:
            if name in shape:
                problems.append(Problem("is missing", field=front + name, code="request.invalid"))
        elif not isinstance(order[name], type_):
            what = "a text" if type_ is str else "a JSON object"
            problems.append(
                Problem(
                    f"is no {what.split(' ', 1)[1]}; it takes {what}",
                    field=front + name,
                    code="request.invalid",
                )
            )
    if problems:
        raise FlipbookError(*problems)
    return {name: value for name, value in order.items() if value is not None}


def _only(asked: dict[str, Any], names: tuple[str, ...], front: str = "") -> None:
    unknown = [name for name in asked if name not in names]
    if unknown:
        sentence = f"there is no such field; there are {', '.join(names)}"
        raise FlipbookError(
            *(Problem(sentence, field=front + name, code="request.unknown_field") for name in unknown)
        )


def _whole(asked: dict[str, Any], name: str, low: int) -> int:
    value = asked.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise FlipbookError(
            Problem(f"it takes an integer, {low} or more", field=name, code="value.not_allowed")
        )
    return value
