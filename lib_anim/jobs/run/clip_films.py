"""Films, pictures and text of a clip, in the formats that its settings name."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from lib_anim.jobs import atomic
from lib_anim.kinds.clip.motion_settings import Motion
from lib_anim.kinds.clip.presentation import shown_frames
from lib_anim.media.contract import Frame
from lib_anim.media.mux import Sound
from lib_anim.media.pictures import write_picture
from lib_anim.media.write import open_sink

FILMS = {
    "GIF": (".gif", "gif"),
    "MP4": (".mp4", "h264"),
    "WEBP": (".webp", "webp"),
    "WEBM": (".webm", "vp9"),
    "APNG": (".apng", "apng"),
}
"""Save format → ending and media format, in the order in which sd-webui-animatediff lists its films."""


@dataclass(frozen=True, kw_only=True)
class ClipFiles:
    """What was written of one clip."""

    films: tuple[Path, ...]
    """In the order of `FILMS`."""
    pictures: tuple[Path, ...]
    """Numbered, in the film's order with its in-betweens; empty without PNG."""
    text: Path | None
    warnings: tuple[str, ...]


def write_clip(
    read: Callable[[int], Frame],
    count: int,
    motion: Motion,
    folder: Path,
    stem: str,
    text: str,
    *,
    rate: Fraction | None = None,
    audio: Path | Sound | None = None,
    pictures: bool = True,
) -> ClipFiles:
    """Write what `motion.formats` names of a clip of `count` frames, which `read` gives by number.

    Files are `folder`/`stem`.ending; pictures `folder`/`stem`/00000.png, unless `pictures` is off because
    they are kept elsewhere. All carry `text`, the picture's parameters in the WebUI's form: films as comment,
    GIF, WebP and pictures where the WebUI's PNG Info looks. `rate` None takes the settings' FPS. Frames are
    read one at a time, and each of the film is made once for all formats; memory is flat in length.
    """
    wanted = [name for name in FILMS if name in motion.formats]
    numbered: list[Path] = []
    keep = pictures and "PNG" in motion.formats
    first = read(0)
    height, width = first.shape[:2]
    folder.mkdir(parents=True, exist_ok=True)
    if keep:
        (folder / stem).mkdir(exist_ok=True)
    warnings: list[str] = []
    with ExitStack() as stack:
        sinks = [
            stack.enter_context(
                open_sink(
                    folder / (stem + ending),
                    width=width,
                    height=height,
                    rate=motion.fps if rate is None else rate,
                    audio=audio if ending in (".mp4", ".webm") else None,
                    comment=text,
                    format=form,
                    loop=motion.loop_number,
                )
            )
            for ending, form in (FILMS[name] for name in wanted)
        ]
        for number, frame in enumerate(shown_frames(read, count, motion)) if sinks or keep else ():
            for sink in sinks:
                sink.write(frame)
            if keep:
                path = folder / stem / f"{number:05}.png"
                numbered.append(write_picture(path, frame, {"parameters": text}))
    for sink in sinks:
        warnings += sink.warnings
    text_file = None
    if "TXT" in motion.formats:
        text_file = folder / f"{stem}.txt"
        atomic.write_bytes(text_file, (text + "\n").encode())
    return ClipFiles(
        films=tuple(folder / (stem + FILMS[name][0]) for name in wanted),
        pictures=tuple(numbered),
        text=text_file,
        warnings=tuple(dict.fromkeys(warnings)),
    )


def next_stem(folder: Path, seed: int, request_id: str = "") -> str:
    """`NNNNN-SEED` or `NNNNN-SEED-ID`, numbered on from what lies in `folder`."""
    numbers = [
        int(found[1])
        for path in (folder.iterdir() if folder.is_dir() else ())
        if (found := re.match(r"(\d{5,})-", path.name))
    ]
    tail = re.sub(r"[^\w.-]+", "_", request_id).strip("._")[:100]
    return f"{max(numbers, default=-1) + 1:05}-{seed}" + (f"-{tail}" if tail else "")
