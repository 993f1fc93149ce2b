"""Adds Flipbook's API routes to the WebUI's server, protected by the WebUI's own credentials."""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from modules import shared

from lib_anim.api.routes import routers


def add_routes(page: Any, app: FastAPI) -> None:
    """The host's `on_app_started`: called for every page that it creates, also after "Reload UI"."""
    # Imported here: the engines import modules that the host loads after its scripts.
    from lib_anim.webui.host.services import services

    def guard(request: Request) -> None:
        check(request, app)

    for router in routers(services(), guard, _origins()):
        app.include_router(router)
    # Cached at the first request; must be generated again with these routes.
    app.openapi_schema = None


def check(request: Request, app: FastAPI) -> None:
    """Raise HTTPException 401 for a request that the host's own routes would reject.

    The host protects only its own routes, not those of extensions. Accepts users of `--api-auth` and
    `--gradio-auth` by HTTP Basic, and the page's login cookie; everything where neither is set.
    """
    api = dict(_users(getattr(shared.cmd_opts, "api_auth", None)))
    page = getattr(app, "auth", None)
    if not api and page is None:
        return
    cookies = (request.cookies.get(name) for name in ("access-token", "access-token-unsecure"))
    if page is not None and any(cookie in getattr(app, "tokens", {}) for cookie in cookies if cookie):
        return
    given = _basic(request.headers.get("authorization", ""))
    if given and (_known(api, *given) or (isinstance(page, Mapping) and _known(page, *given))):
        return
    raise HTTPException(401, "log in first", {"WWW-Authenticate": "Basic"})


def _users(text: str | None) -> Iterator[tuple[str, str]]:
    """(user, password) pairs of `--api-auth`: `user:password,user:password`."""
    for pair in (text or "").split(","):
        user, colon, password = pair.strip().partition(":")
        if colon:
            yield user, password


def _basic(header: str) -> tuple[str, str] | None:
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(value.strip(), validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (user, password) if colon else None


def _known(users: Mapping[str, str], user: str, password: str) -> bool:
    """Whether the credentials are valid; constant time for wrong names and wrong passwords."""
    expected = users.get(user)
    right = secrets.compare_digest(password.encode(), (expected or "").encode())
    return expected is not None and right


def _origins() -> tuple[str, ...]:
    """CORS origins that the host allows."""
    text = getattr(shared.cmd_opts, "cors_allow_origins", None) or ""
    return tuple(origin.strip() for origin in text.split(",") if origin.strip())
