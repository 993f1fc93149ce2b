"""Frames of a run folder to its film and contact sheet."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from lib_anim.jobs.clip_films import write_clip
from lib_anim.jobs.folder import RunFolder
from lib_anim.media.contract import Frame
from lib_anim.media.mux import Sound
from lib_anim.media.pictures import read_picture, write_picture
from lib_anim.media.sheet import contact_sheet, sheet_frames
from lib_anim.media.write import open_sink
from lib_anim.pipelines.needs import SoundNeed
from lib_anim.settings.motion import Motion


def make_film(
    folder: RunFolder,
    rate: Fraction,
    soundtrack: SoundNeed | None,
    settings: Mapping[str, Any],
    backwards: bool,
    motion: Motion | None = None,
) -> tuple[Path | None, Path | None, tuple[str, ...]]:
    """(film, contact sheet, warnings) of the frames that are there; None without a frame.

    The film carries the settings as JSON in its comment. The contact sheet shows up to sixteen
    frames, evenly spread. With `motion`, the film shows them in its order and with its in-betweens, and
    films of the other formats that it names lie beside it.
    """
    count = folder.frames_present()
    if not count:
        return None, None, ()
    first = read_picture(folder.frame_path(0))
    film = folder.path / "film.mp4"
    audio = Sound(soundtrack.path, start=soundtrack.start) if soundtrack else None
    comment = json.dumps(settings, ensure_ascii=False)

    def read(index: int) -> Frame:
        return read_picture(folder.frame_path(index))

    if motion is None:
        height, width = first.shape[:2]
        with open_sink(film, width=width, height=height, rate=rate, audio=audio, comment=comment) as sink:
            for index in reversed(range(count)) if backwards else range(count):
                sink.write(read(index))
        warnings = sink.warnings
    else:
        formats = dict.fromkeys(["MP4", *motion.formats])
        shown = replace(motion, formats=tuple(formats))
        # The run's own frames are its numbered pictures.
        warnings = write_clip(
            read, count, shown, folder.path, "film", comment, rate=rate, audio=audio, pictures=False
        ).warnings
    listed = sheet_frames(count)
    sheet = folder.path / "sheet.png"
    labels = [str(index) for index in listed]
    write_picture(sheet, contact_sheet([read(index) for index in listed], columns=4, labels=labels))
    return film, sheet, warnings
