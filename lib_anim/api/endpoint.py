"""Base of all routes: reading JSON bodies, error responses."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from threading import Lock
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from lib_anim.errors import FlipbookError, Problem

LARGEST_BODY = 64 * 2**20
"""Bytes of a request of JSON, as much as a settings file may have."""

DEEPEST = 50
"""Levels of objects and arrays inside each other."""


class TooLarge(FlipbookError):
    """More was sent than is read."""

    status = 413


class WrongType(FlipbookError):
    """A request whose media type is not the one that the route takes."""

    status = 415


class TooMany(FlipbookError):
    """More was asked in a short time than is done."""

    status = 429


class Route(APIRoute):
    """A route whose mistakes answer like all others: a status and `{"errors": [{"field", …, "message"}]}`."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        handle = super().get_route_handler()

        async def handle_or_refuse(request: Request) -> Response:
            try:
                return await handle(request)
            except FlipbookError as error:
                return refusal(error)
            except RequestValidationError as error:
                return refusal(FlipbookError(*(_problem(wrong) for wrong in error.errors())))

        return handle_or_refuse


def refusal(error: FlipbookError) -> JSONResponse:
    """The answer that says what is wrong."""
    headers = {"Retry-After": "60"} if error.status == TooMany.status else None
    return JSONResponse(error.as_json(), error.status, headers)


def _problem(wrong: Any) -> Problem:
    """What the framework found in a path or a query, as one of our sentences."""
    *_, name = wrong["loc"]
    return Problem(f"{wrong['msg'][:1].lower()}{wrong['msg'][1:]}", field=str(name), code="request.invalid")


async def json_body(request: Request) -> Any:
    """The request's JSON. Refused by its type before it is read, and by its length while it is.

    Only `application/json` is taken: a page of another origin cannot send that unless the server agrees.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise WrongType(
            Problem("send JSON with Content-Type: application/json", field="body", code="request.invalid")
        )
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > LARGEST_BODY:
            raise TooLarge(
                Problem(f"is larger than {LARGEST_BODY >> 20} MiB", field="body", code="file.too_large")
            )
    try:
        value = json.loads(data.decode("utf-8"), parse_constant=_no_constant, parse_int=_number)
        if b"\\ud" in data.lower():
            # Halves of surrogate pairs are JSON but no text: they could be neither stored nor sent back.
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise FlipbookError(
            Problem(f"is not valid JSON: {error}", field="body", code="file.invalid_json")
        ) from error
    if not _shallow(value):
        raise FlipbookError(
            Problem(f"is nested more than {DEEPEST} levels deep", field="body", code="request.invalid")
        )
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not allowed")


def _number(text: str) -> int:
    number = int(text)
    if abs(number) >= 2**63:
        raise ValueError(f"{text[:20]}… is too large a number")
    return number


def _shallow(value: Any) -> bool:
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(DEEPEST):
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, dict | list)
        ]
        if not level:
            return True
    return False


async def json_object(request: Request) -> dict[str, Any]:
    """The request's JSON object."""
    value = await json_body(request)
    if not isinstance(value, dict):
        raise FlipbookError(Problem("is not valid JSON object", field="body", code="request.invalid"))
    return value


class Pace:
    """At most so many in a minute: a bucket that fills again as time goes by."""

    def __init__(self, a_minute: int, now: Callable[[], float] = time.monotonic) -> None:
        self._most, self._now = a_minute, now
        self._left, self._at = float(a_minute), now()
        self._lock = Lock()

    def take(self, count: int, what: str) -> None:
        """Raises TooMany when they are used up."""
        with self._lock:
            now = self._now()
            self._left = min(self._most, self._left + (now - self._at) * self._most / 60)
            self._at = now
            if count > self._left:
                sentence = f"more than {self._most} in a minute are not taken; wait, or send fewer"
                raise TooMany(Problem(sentence, field=what, code="request.too_many"))
            self._left -= count
