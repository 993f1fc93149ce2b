"""All routes behind an access guard from the composition root."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, HTTPException, Request

from lib_anim.actions.services import Services
from lib_anim.api.deforum import DeforumViews
from lib_anim.api.files import FileViews
from lib_anim.api.jobs import JobViews
from lib_anim.api.presets import PresetViews
from lib_anim.api.queries import LookViews
from lib_anim.api.schemas import PREFIX

Guard = Callable[..., Any]
"""A dependency that raises HTTPException for who may not come in."""

READING = ("GET", "HEAD", "OPTIONS")


def routers(services: Services, guard: Guard, origins: Sequence[str] = ()) -> list[APIRouter]:
    """The routers of the API; every route asks `guard` first.

    `origins` are pages of other origins that may ask for changes; "*" stands for all.
    """

    def same_origin(request: Request) -> None:
        origin = request.headers.get("origin")
        if request.method in READING or origin is None or origin in origins or "*" in origins:
            return
        # A browser that carries somebody's cookie says whose page it acts for.
        if urlsplit(origin).netloc != request.headers.get("host"):
            raise HTTPException(403, "this page is of another origin")

    locks = [Depends(guard), Depends(same_origin)]
    views = APIRouter(prefix=PREFIX, dependencies=locks)
    for router in (
        JobViews(services).router(),
        LookViews(services).router(),
        PresetViews(services).router(),
        FileViews(services).router(),
    ):
        views.include_router(router)
    deforum = APIRouter(dependencies=locks)
    deforum.include_router(DeforumViews(services).router())
    return [views, deforum]
