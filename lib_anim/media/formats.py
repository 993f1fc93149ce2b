"""The kinds of film and animation that can be written, and how each is encoded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lib_anim.errors import FlipbookError, Problem


@dataclass(frozen=True, kw_only=True)
class Format:
    """One way of storing frames."""

    name: str
    suffix: str
    """The file's ending."""
    title: str
    """What a menu shows."""
    muxer: str
    codec: str
    pixels: str
    pixels_alpha: str = ""
    """Pixel format for frames with alpha; empty when the format has none."""
    options: Mapping[str, str] = field(default_factory=dict)
    quality: tuple[str, int, int, int] | None = None
    """The encoder's quality option, its best and worst value and the default."""
    even: bool = False
    """Whether width and height must be even."""
    sound: str = ""
    """Encoder for sound; empty when the format carries none."""
    sound_copied: tuple[str, ...] = ()
    """Codecs of sound that the container takes as they are."""
    growing: Mapping[str, str] = field(default_factory=dict)
    """Muxer options while the file grows, so that what is written plays after a crash."""
    finished: Mapping[str, str] = field(default_factory=dict)
    """Muxer options of the finished file."""
    codec_tag: str = ""


_FRAGMENTS = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "flush_packets": "1"}
_FAST_START = {"movflags": "faststart"}
_MP4_SOUND = ("aac", "mp3", "ac3", "eac3", "alac")

FORMATS: dict[str, Format] = {
    f.name: f
    for f in (
        Format(
            name="h264",
            suffix=".mp4",
            title="MP4, H.264",
            muxer="mp4",
            codec="libx264",
            pixels="yuv420p",
            options={"preset": "medium"},
            quality=("crf", 0, 51, 17),
            even=True,
            sound="aac",
            sound_copied=_MP4_SOUND,
            growing=_FRAGMENTS,
            finished=_FAST_START,
        ),
    )
}
"""Every format by its name."""

_BY_SUFFIX = {".mp4": "h264", ".m4v": "h264"}


def find_format(path: Path, name: str | None = None) -> Format:
    """The format of that name, or the one that the path's ending means.

    Raises FlipbookError listing what there is.
    """
    if name is None:
        name = _BY_SUFFIX.get(path.suffix.lower())
        if name is None:
            raise FlipbookError(
                Problem(
                    f"{path.name} does not end like a film; use one of {', '.join(sorted(_BY_SUFFIX))} "
                    "or name the format.",
                    "out",
                )
            )
    if name not in FORMATS:
        raise FlipbookError(
            Problem(f"{name!r} is no film format; choose from {', '.join(FORMATS)}.", "format")
        )
    return FORMATS[name]
