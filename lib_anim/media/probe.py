"""Probe a film, animation, sound, picture or picture folder without decoding all of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from lib_anim.media.comment import read_comment
from lib_anim.media.container import film_stream, open_input
from lib_anim.media.pictures import is_picture, open_picture
from lib_anim.media.read import open_source


@dataclass(frozen=True, kw_only=True)
class MediaInfo:
    """What is known of a file."""

    kind: str
    """video, animation, picture, pictures (a folder) or sound."""
    width: int | None = None
    height: int | None = None
    rate: Fraction | None = None
    frames: int | None = None
    duration: float = 0.0
    """Seconds."""
    audio: bool = False
    alpha: bool = False
    codec: str = ""
    container: str = ""
    comment: str = ""
    """The text that the file carries: settings as JSON, when Flipbook wrote it."""
    warnings: tuple[str, ...] = field(default_factory=tuple)

    def as_json(self) -> dict[str, Any]:
        """Plain values; the rate as text such as 30000/1001."""
        return {
            **asdict(self),
            "rate": None if self.rate is None else str(self.rate),
            "warnings": list(self.warnings),
        }


def probe(path: Path | str) -> MediaInfo:
    """Look at a file or folder. Raises NotFound or FlipbookError when it cannot be read."""
    place = Path(path)
    if place.is_file() and not is_picture(place):
        sound = _sound_alone(place)
        if sound is not None:
            return sound
    with open_source(place) as source:
        info = source.info
        found = MediaInfo(
            width=info.width,
            height=info.height,
            rate=info.rate,
            frames=info.frames,
            duration=float(info.duration),
            audio=info.audio,
            alpha=info.alpha,
            warnings=source.warnings,
            comment=read_comment(place),
            **_container_facts(place),
        )
    return found


def _container_facts(place: Path) -> dict[str, Any]:
    if place.is_dir():
        return {"kind": "pictures"}
    if is_picture(place):
        with open_picture(place) as image:
            kind = "animation" if getattr(image, "n_frames", 1) > 1 else "picture"
            return {"kind": kind, "codec": (image.format or "").lower()}
    with open_input(place) as container:
        stream = film_stream(container)
        return {
            "kind": "video",
            "codec": stream.codec_context.codec.name if stream else "",
            "container": container.format.name,
        }


def _sound_alone(place: Path) -> MediaInfo | None:
    """The facts of a file that holds sound and no film; None for a film."""
    with open_input(place) as container:
        if film_stream(container) is not None or not container.streams.audio:
            return None
        return MediaInfo(
            kind="sound",
            duration=(container.duration or 0) / 1_000_000,
            audio=True,
            codec=container.streams.audio[0].codec_context.codec.name,
            container=container.format.name,
        )
