"""The routes under which Deforum's extension took batches, on Flipbook's queue.

Names, fields and words are Deforum's, so that scripts made for it go on. What it left open is filled in:
waiting jobs can be cancelled, jobs survive a restart, and ids that do not exist are 404.
"""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse

from lib_anim.actions.jobs import JobRecord
from lib_anim.actions.services import Services
from lib_anim.api.endpoint import Pace, Route, json_object
from lib_anim.api.jobs import A_MINUTE, MOST_AT_ONCE
from lib_anim.api.schemas import gives, takes
from lib_anim.errors import Conflict, FlipbookError, NotFound, Problem

_STATUS = {
    "queued": "ACCEPTED",
    "running": "ACCEPTED",
    "done": "SUCCEEDED",
    "failed": "FAILED",
    "cancelled": "CANCELLED",
}

_BATCH: dict[str, Any] = {
    "type": "object",
    "required": ["deforum_settings"],
    "properties": {
        "deforum_settings": {"anyOf": [{"type": "object"}, {"type": "array", "items": {"type": "object"}}]},
        "options_overrides": {"anyOf": [{"type": "object"}, {"type": "null"}]},
    },
    "example": {
        "deforum_settings": {"W": 256, "H": 256, "max_frames": 24, "animation_mode": "2D"},
        "options_overrides": {},
    },
}

_ACCEPTED: dict[str, Any] = {
    "type": "object",
    "properties": {
        "message": {"type": "string"},
        "batch_id": {"type": "string"},
        "job_ids": {"type": "array", "items": {"type": "string"}},
    },
    "example": {"message": "Job(s) accepted", "batch_id": "AAAAAAAAAAAAAAAA", "job_ids": ["BBBB"]},
}

_ANY: dict[str, Any] = {}


class DeforumViews:
    """`/deforum_api/batches` and `/deforum_api/jobs`."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._pace = Pace(A_MINUTE)

    def router(self) -> APIRouter:
        """All of them, with what they take and give."""
        router = APIRouter(prefix="/deforum_api", route_class=Route, tags=["deforum"])
        add = router.add_api_route
        add(
            *("/batches", self.submit),
            methods=["POST"],
            status_code=202,
            openapi_extra=takes(_BATCH),
            responses={**gives(_ACCEPTED, 202, "They wait."), 400: {"description": "No settings."}},
        )
        add("/batches", self.batches, methods=["GET"], responses=gives(_ANY))
        add("/batches/{id}", self.batch, methods=["GET"], responses=gives(_ANY))
        add("/batches/{id}", self.cancel_batch, methods=["DELETE"], responses=gives(_ANY))
        add("/jobs", self.jobs, methods=["GET"], responses=gives(_ANY))
        add("/jobs/{id}", self.job, methods=["GET"], responses=gives(_ANY))
        add("/jobs/{id}", self.cancel, methods=["DELETE"], responses=gives(_ANY))
        return router

    def submit(self, asked: Any = Depends(json_object)) -> JSONResponse:
        """Queue the films of one settings object or of a list of them."""
        given = asked.get("deforum_settings")
        if not given:
            message = "there are no settings; give an object or a list of them as deforum_settings"
            return JSONResponse({"message": message}, 400)
        listed = given if isinstance(given, list) else [given]
        if not all(isinstance(settings, dict) for settings in listed):
            raise FlipbookError(
                Problem(
                    "contains something that is not valid JSON object",
                    field="deforum_settings",
                    code="request.invalid",
                )
            )
        if len(listed) > MOST_AT_ONCE:
            sentence = f"{len(listed)} are too many at once; at most {MOST_AT_ONCE} are allowed"
            raise FlipbookError(Problem(sentence, field="deforum_settings", code="request.too_many"))
        if asked.get("options_overrides"):
            sentence = "the host's options are not changed; use the films' settings instead"
            raise FlipbookError(Problem(sentence, field="options_overrides", code="request.too_many"))
        self._pace.take(len(listed), "deforum_settings")
        ids = self._services.jobs.submit_all(
            [{"kind": "keyframed", "settings": settings} for settings in listed]
        )
        batch = self._services.jobs.get(ids[0]).batch
        return JSONResponse({"message": "Job(s) accepted", "batch_id": batch, "job_ids": ids}, 202)

    def batches(self) -> JSONResponse:
        """The job ids of every batch."""
        found: dict[str, list[str]] = {}
        for record in sorted(self._films(), key=lambda record: record.number):
            found.setdefault(record.batch, []).append(record.id)
        return JSONResponse(found)

    def batch(self, id: str) -> JSONResponse:
        """The state of every job of a batch, in their order."""
        return JSONResponse([status_json(record) for record in self._of(id)])

    def cancel_batch(self, id: str) -> JSONResponse:
        """End what has not ended of a batch."""
        cancelled = []
        for record in self._of(id):
            try:
                self._services.jobs.cancel(record.id)
            except (Conflict, NotFound):
                # It came to its end in between.
                continue
            cancelled.append(record.id)
        return JSONResponse({"ids": cancelled, "message": f"{len(cancelled)} job(s) cancelled."})

    def jobs(self) -> JSONResponse:
        """The state of every job, by its id."""
        return JSONResponse({record.id: status_json(record) for record in self._films()})

    def job(self, id: str) -> JSONResponse:
        """The state of one job."""
        return JSONResponse(status_json(self._services.jobs.get(id)))

    def cancel(self, id: str) -> JSONResponse:
        """End a job: a waiting one now, a running one after its frame."""
        self._services.jobs.cancel(id)
        return JSONResponse({"id": id, "message": "Job cancelled."})

    def _films(self) -> list[JobRecord]:
        return [record for record in self._services.jobs.all() if record.kind == "keyframed"]

    def _of(self, batch: str) -> list[JobRecord]:
        records = self._services.jobs.all(batch=batch)
        if not records:
            raise NotFound(Problem("there is no such batch", field="id", code="job.batch_not_found"))
        return sorted(records, key=lambda record: record.number)


def status_json(record: JobRecord) -> dict[str, Any]:
    """A job in Deforum's words."""
    began = record.started or record.created
    last = record.ended or time.time()
    done = record.frames_done / record.frames if record.frames else 0.0
    phase = _phase(record)
    return {
        "id": record.id,
        "status": _STATUS[record.status],
        "phase": phase,
        # Resuming goes on with it: nothing that fails here is lost for good.
        "error_type": "RETRYABLE" if record.status == "failed" else "NONE",
        "phase_progress": 1.0 if phase == "DONE" else round(min(done, 1.0), 4),
        "started_at": began,
        "last_updated": last,
        "execution_time": last - record.started if record.started else 0.0,
        "update_interval_time": 0.0,
        "updates": record.frames_done,
        "message": " ".join(error["message"] for error in record.errors) or None,
        "outdir": record.folder.name if record.folder else None,
        "timestring": record.folder.name[:15].replace("-", "") if record.folder else None,
        "deforum_settings": dict(record.settings),
        "options_overrides": {},
    }


def _phase(record: JobRecord) -> str:
    if record.status == "queued":
        return "QUEUED"
    if record.status == "done":
        return "DONE"
    if record.phase == "film":
        return "POST_PROCESSING"
    return "GENERATING" if record.frames else "PREPARING"
