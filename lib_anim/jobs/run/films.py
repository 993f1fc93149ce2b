"""Write a run's films and contact sheet from its frames."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from lib_anim.jobs.run.clip_films import write_clip
from lib_anim.jobs.run.folder import RunFolder
from lib_anim.kinds.clip.motion_settings import Motion
from lib_anim.kinds.needs import SoundNeed
from lib_anim.media.contract import Frame
from lib_anim.media.mux import Sound
from lib_anim.media.pictures import write_picture
from lib_anim.media.sheet import contact_sheet, sheet_frames
from lib_anim.media.write import open_sink

FILM, SHEET = "film.mp4", "sheet.png"

Read = Callable[[int], Frame]
"""A frame by its number; raises NoMore for one that will not come."""


class NoMore(Exception):
    """The run has ended before the frame that was asked for."""


@dataclass(frozen=True, kw_only=True)
class Presentation:
    """How a run's frames become its film: rate, sound, order, further formats."""

    rate: Fraction
    soundtrack: SoundNeed | None
    settings: Mapping[str, Any]
    """As JSON, kept in the film's comment."""
    backwards: bool
    motion: Motion | None = None
    """Order, in-betweens and further formats of a clip; their files are written next to the film."""


def write_films(
    folder: RunFolder, showing: Presentation, read: Read, count: int
) -> tuple[int, tuple[str, ...]]:
    """Write the film, and a clip's further ones, of `count` frames; (frames used, warnings).

    Frames are read one at a time in the order in which they are shown. A film that shows them as they were
    made ends where there are NoMore; any other, or one without a first frame, raises it and leaves no file.
    """
    first = read(0)
    audio = Sound(showing.soundtrack.path, start=showing.soundtrack.start) if showing.soundtrack else None
    comment = json.dumps(showing.settings, ensure_ascii=False)
    if showing.motion is not None:
        formats = dict.fromkeys(["MP4", *showing.motion.formats])
        shown = replace(showing.motion, formats=tuple(formats))
        # The run's own frames are its numbered pictures.
        clip = write_clip(
            *(read, count, shown, folder.path, Path(FILM).stem, comment),
            rate=showing.rate,
            audio=audio,
            pictures=False,
        )
        return count, clip.warnings
    height, width = first.shape[:2]
    path, used = folder.path / FILM, 0
    with open_sink(path, width=width, height=height, rate=showing.rate, audio=audio, comment=comment) as sink:
        for index in reversed(range(count)) if showing.backwards else range(count):
            try:
                frame = read(index)
            except NoMore:
                if showing.backwards:
                    raise
                break
            sink.write(frame)
            used += 1
    return used, sink.warnings


def write_sheet(folder: RunFolder, read: Read, count: int) -> Path:
    """Write the contact sheet: up to sixteen frames, evenly spread."""
    listed = sheet_frames(count)
    labels = [str(index) for index in listed]
    sheet = contact_sheet([read(index) for index in listed], columns=4, labels=labels)
    return write_picture(folder.path / SHEET, sheet)
