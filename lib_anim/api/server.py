"""The API as a server of its own."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from fastapi import FastAPI, Header, HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

from lib_anim import __version__
from lib_anim.actions.services import Services
from lib_anim.api.routes import Guard, routers


def create_app(
    services: Services, token: str = "", hosts: Sequence[str] = ("127.0.0.1", "localhost")
) -> FastAPI:
    """The application. With a `token`, every request needs `Authorization: Bearer TOKEN`.

    `hosts` are the names by which the server may be called, so that no page on the internet can reach
    it under a name of its own that leads here; "*" allows all.
    """
    app = FastAPI(
        title="Flipbook",
        version=__version__,
        description="Films from keyframes: jobs, looks at settings, and what there is.",
    )
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))
    for router in routers(services, _guard(token)):
        app.include_router(router)
    return app


def _guard(token: str) -> Guard:
    def guard(authorization: str = Header("")) -> None:
        scheme, _, given = authorization.partition(" ")
        if token and not (
            scheme.lower() == "bearer" and secrets.compare_digest(given.strip().encode(), token.encode())
        ):
            raise HTTPException(
                401, "send the token: Authorization: Bearer …", {"WWW-Authenticate": "Bearer"}
            )

    return guard
