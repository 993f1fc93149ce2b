"""File responses with HTTP range support."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from fastapi import Request
from fastapi.responses import FileResponse, Response, StreamingResponse

_ONE_RANGE = re.compile(r"bytes=(?P<first>\d{0,19})-(?P<last>\d{0,19})", re.ASCII)

PIECE = 1 << 18
"""Bytes that are read at a time."""


def file_response(
    request: Request, path: Path, media_type: str, headers: Mapping[str, str] | None = None
) -> Response:
    """The file, or the one range of it that is asked for (RFC 9110, 14).

    Starlette does it itself since 0.39; the WebUI has 0.26, which sends whole files only, so that a player
    seeks no further than it has loaded. Several ranges at once are answered with the whole file.
    """
    whole = FileResponse(path, media_type=media_type, headers=dict(headers or {}))
    if "accept-ranges" in whole.headers:
        return whole
    status = os.stat(path)
    whole.set_stat_headers(status)
    whole.headers["accept-ranges"] = "bytes"
    asked = _ONE_RANGE.fullmatch(request.headers.get("range", "").replace(" ", "").lower())
    known = (whole.headers["etag"], whole.headers["last-modified"])
    if asked is None or request.headers.get("if-range", known[0]) not in known:
        return whole
    span = _span(asked["first"], asked["last"], status.st_size)
    if span is None:
        return Response(status_code=416, headers={"content-range": f"bytes */{status.st_size}"})
    begin, end = span
    headers = dict(whole.headers) | {
        "content-range": f"bytes {begin}-{end - 1}/{status.st_size}",
        "content-length": str(end - begin),
    }
    return StreamingResponse(_pieces(path, begin, end), 206, headers)


def _span(first: str, last: str, size: int) -> tuple[int, int] | None:
    """[begin, end) of a range, of the file's end where `first` is empty; None where nothing is there."""
    if not first:
        begin, end = (max(0, size - int(last)), size) if last else (size, size)
    else:
        begin, end = int(first), min(size, int(last) + 1 if last else size)
    return (begin, end) if begin < end else None


def _pieces(path: Path, begin: int, end: int) -> Iterator[bytes]:
    with open(path, "rb") as file:
        file.seek(begin)
        while begin < end and (piece := file.read(min(PIECE, end - begin))):
            begin += len(piece)
            yield piece
