"""Thumbnail and facts of a picture, film or folder."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from lib_anim.errors import NotFound, Problem
from lib_anim.media.read import open_source

SIDE = 256
"""Pixels of the longer side."""


@dataclass(frozen=True)
class Thumbnail:
    """What a view shows of a file."""

    jpeg: bytes
    facts: str
    """Size, and for what has several frames their number, rate and length in seconds."""


def thumbnail(path: Path) -> Thumbnail:
    """The first frame of a picture, a film or a folder of pictures. Raises NotFound or FlipbookError."""
    if not path.exists():
        raise NotFound(Problem(f'there is no "{path.name}"', code="file.not_found"))
    with open_source(path) as source:
        info, frames = source.info, len(source)
        frame = source[0]
    picture = Image.fromarray(frame).convert("RGB")
    picture.thumbnail((SIDE, SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=85)
    facts = f"{info.width} × {info.height}"
    if frames > 1:
        facts += f", {frames} frames, {float(info.rate):.4g} frames/s, {frames / float(info.rate):.4g} s"
    return Thumbnail(buffer.getvalue(), facts)
