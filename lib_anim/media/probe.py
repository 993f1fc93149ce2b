"""Says what a film, animation, sound, picture or folder of pictures is, without decoding all of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from lib_anim.media.container import open_input
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
    with open_source(place) as source:
        info = source.info
        found = MediaInfo(
            kind="pictures" if place.is_dir() else "video",
            width=info.width,
            height=info.height,
            rate=info.rate,
            frames=info.frames,
            duration=float(info.duration),
            audio=info.audio,
            alpha=info.alpha,
            warnings=source.warnings,
            **({} if place.is_dir() else _container_facts(place)),
        )
    return found


def _container_facts(place: Path) -> dict[str, Any]:
    with open_input(place) as container:
        tags = {key.lower(): value for key, value in container.metadata.items()}
        return {
            "codec": container.streams.video[0].codec_context.codec.name,
            "container": container.format.name,
            "comment": tags.get("comment", ""),
        }
