"""Frames of a run folder to its film and contact sheet."""

from __future__ import annotations

import json
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from lib_anim.jobs.folder import RunFolder
from lib_anim.media.pictures import read_picture, write_picture
from lib_anim.media.sheet import contact_sheet, sheet_frames
from lib_anim.media.write import open_sink


def make_film(
    folder: RunFolder, rate: Fraction, soundtrack: str, settings: Mapping[str, Any], backwards: bool
) -> tuple[Path | None, Path | None, tuple[str, ...]]:
    """(film, contact sheet, warnings) of the frames that are there; None without a frame.

    The film carries the settings as JSON in its comment. The contact sheet shows up to sixteen
    frames, evenly spread.
    """
    count = folder.frames_present()
    if not count:
        return None, None, ()
    first = read_picture(folder.frame_path(0))
    height, width = first.shape[:2]
    film = folder.path / "film.mp4"
    with open_sink(
        film,
        width=width,
        height=height,
        rate=rate,
        audio=Path(soundtrack) if soundtrack else None,
        comment=json.dumps(settings, ensure_ascii=False),
    ) as sink:
        for index in reversed(range(count)) if backwards else range(count):
            sink.write(read_picture(folder.frame_path(index)))
    shown = sheet_frames(count)
    frames = [read_picture(folder.frame_path(index)) for index in shown]
    sheet = folder.path / "sheet.png"
    write_picture(sheet, contact_sheet(frames, columns=4, labels=[str(index) for index in shown]))
    return film, sheet, sink.warnings
