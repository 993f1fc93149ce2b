"""Questions about settings before a film is rendered, and about what is installed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lib_anim.actions import curves as schedule_values
from lib_anim.actions.draft_request import read_draft
from lib_anim.actions.engine_names import engine_name
from lib_anim.actions.engines import EngineFacts, Engines
from lib_anim.actions.places import Places
from lib_anim.actions.preview import preview
from lib_anim.actions.settings_files import settings_of
from lib_anim.actions.settings_service import SettingsService
from lib_anim.actions.temporary import Temporary
from lib_anim.actions.thumbnails import Thumbnail, thumbnail
from lib_anim.actions.uploads import Uploads
from lib_anim.engines.contract.engine import OFFERS
from lib_anim.errors import FlipbookError, Problem
from lib_anim.jobs.queue.store import Queue
from lib_anim.jobs.run.disk_space import most_bytes
from lib_anim.jobs.run.open_inputs import plan_for
from lib_anim.kinds.base import PaintedKind
from lib_anim.kinds.registry import KINDS, find_kind
from lib_anim.settings.base import json_schema

MOST_PREVIEWED = 3_000
"""Frames of a motion preview."""


class Queries:
    """Curves, prompts, previews, estimates, thumbnails; kinds, schemas, engines, models."""

    def __init__(
        self,
        engines: Engines,
        settings: SettingsService,
        places: Places,
        uploads: Uploads,
        queue: Queue,
        previews: Temporary,
    ) -> None:
        self._engines, self._settings, self._places = engines, settings, places
        self._uploads, self._queue, self._previews = uploads, queue, previews

    def curves(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """`{"schedules": {name: text}, "frames", …}` → `{"curves", "errors", "problems", "warnings"}`."""
        return schedule_values.curves(asked)

    def prompts(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """`{"prompts": …, "frames": N, …}` → `{"spans": [{"first", "last", "positive", "negative"}], …}`."""
        return schedule_values.prompts(asked)

    def preview(self, kind: str, settings: Mapping[str, Any]) -> Path:
        """The motion of a keyframed film as a small MP4; the newest few of them are kept. Takes seconds."""
        loaded = self._settings.load(kind, settings)
        if getattr(loaded.settings, "frames", 0) > MOST_PREVIEWED:
            sentence = (
                f"a preview shows at most {MOST_PREVIEWED} frames; set fewer frames to preview the beginning"
            )
            raise FlipbookError(Problem(sentence, field="frames", code="preview.too_long"))
        film = self._previews.new(".mp4")
        preview(loaded, film, lambda event: None)
        return film

    def estimate(
        self,
        kind: str,
        settings: Mapping[str, Any],
        *,
        engine: str = "",
        trial: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """`{"frames", "paint", "bytes", "seconds"}`: pictures to paint, disk at most, time as before.

        None where nobody can tell yet: what an engine can do, or how fast it is, before it was used.
        """
        loaded, draft = self._settings.load(kind, settings), read_draft(trial or {})
        name = engine_name(self._engines, engine)
        capabilities = self._engines.capabilities(name)
        found = find_kind(kind)
        if not isinstance(found, PaintedKind) or capabilities is None:
            return {"frames": None, "paint": None, "bytes": None, "seconds": None}
        plan = plan_for(found, loaded.settings, capabilities, 0, draft)
        each = self._pace_of(kind, name)
        width, height = plan.size
        return {
            "frames": plan.frames,
            "paint": len(plan.painted),
            "bytes": most_bytes(plan),
            "seconds": None if each is None else round(each * width * height * plan.frames, 1),
        }

    def _pace_of(self, kind: str, engine: str) -> float | None:
        """Seconds for each pixel of each frame, as the last finished film of a kind and an engine took."""
        for record in self._queue.jobs(["done"], limit=50):
            size = int(record.settings.get("width") or 0) * int(record.settings.get("height") or 0)
            if (record.kind, record.engine) != (kind, engine) or record.task or not size:
                continue
            if record.started and record.ended and record.frames:
                return (record.ended - record.started) / (size * record.frames)
        return None

    def thumbnail(self, source: str, field: str = "file") -> Thumbnail:
        """How a picture, film or folder looks that a setting names. Raises NotFound, FlipbookError."""
        is_upload = source.startswith("upload:")
        return thumbnail(
            self._uploads.path(source, field) if is_upload else self._places.media(source, field)
        )

    def kinds(self) -> list[dict[str, Any]]:
        """Every kind, as `kind_facts` describes it."""
        return kind_facts()

    def schema(self, kind: str) -> dict[str, Any]:
        """JSON Schema of a kind's settings. Raises NotFound."""
        return json_schema(settings_of(kind))

    def engines(self) -> list[EngineFacts]:
        """Every engine that can be named now, the default first."""
        return [self._facts(name) for name in self._engines.names()]

    def _facts(self, name: str) -> EngineFacts:
        capabilities = self._engines.capabilities(name)
        return EngineFacts(
            name=name,
            title=self._engines.title(name),
            default=name == self._engines.default,
            capabilities=None if capabilities is None else capabilities.as_json(),
        )

    def models(self) -> dict[str, list[str]]:
        """Names of model files at hand, by what they are."""
        return {what: list(names) for what, names in self._engines.models().items()}


def kind_facts() -> list[dict[str, Any]]:
    """What entry points show of every kind.

    `kind`, `title`; `engine`: whether an engine paints it, and `offer`: which offer that engine needs;
    `preview`: whether it has a motion preview; `film_input`, `picture_input`: the settings that take a
    film or a picture from elsewhere, empty where there is none.
    """
    return [
        {
            "kind": kind.name,
            "title": kind.title,
            "engine": isinstance(kind, PaintedKind),
            "offer": OFFERS[kind.offer][0] if isinstance(kind, PaintedKind) else None,
            "preview": kind.motion_preview is not None,
            "film_input": kind.film_input,
            "picture_input": kind.picture_input,
        }
        for kind in KINDS.values()
    ]
