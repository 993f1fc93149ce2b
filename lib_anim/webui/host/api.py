"""The API's routes in the WebUI's server, behind the WebUI's own locks."""

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
    """The host's `on_app_started`: called for every page that it makes, also after "Reload UI"."""
    # The engines load what the host itself loads only after its scripts.
    from lib_anim.webui.host.services import services

    def guard(request: Request) -> None:
        check(request, app)

    for router in routers(services(), guard, _origins()):
        app.include_router(router)
    # Made and kept when somebody asks for it first; ours must be in it.
    app.openapi_schema = None


def check(request: Request, app: FastAPI) -> None:
    """Raise 401 for a request that the host's own routes would not let in.

    The host guards its own routes alone and leaves those of extensions open. With `--api-auth` one of its
    users is needed, with `--gradio-auth` one of the page's: as HTTP Basic, or the page's cookie.
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
    """`user:password,user:password`, as `--api-auth` has it."""
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
    """Whether they are one of the users; it takes as long for a wrong name as for a wrong password."""
    expected = users.get(user)
    right = secrets.compare_digest(password.encode(), (expected or "").encode())
    return expected is not None and right


def _origins() -> tuple[str, ...]:
    """Pages of other origins that the host lets in."""
    text = getattr(shared.cmd_opts, "cors_allow_origins", None) or ""
    return tuple(origin.strip() for origin in text.split(",") if origin.strip())
