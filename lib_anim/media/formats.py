"""Output formats of films and animations, and their encoder settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from lib_anim.errors import FlipbookError, Problem


@dataclass(frozen=True)
class Quality:
    """An encoder's one number for quality."""

    option: str
    best: int
    worst: int
    default: int | None
    """None where the encoder is lossless unless a number is given."""
    lossy: Mapping[str, str] = field(default_factory=dict)
    """Further options when a number is given."""


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
    quality: Quality | None = None
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
    shows: str = ""
    """The muxer's option for how often it is shown; empty for films, whose players decide."""
    shown_again: bool = False
    """Whether that option counts the times after the first one, with -1 for none."""
    tick: Fraction | None = None
    """Unit of time where the format has a fixed one; frames are then shown at the nearest tick."""

    @property
    def animation(self) -> bool:
        """Whether it is a picture that moves: no sound, and no container to copy pictures between."""
        return not self.sound

    def showing(self, times: int) -> dict[str, str]:
        """The muxer's options for being shown `times` times; 0 is for ever."""
        if not self.shows:
            return {}
        again = (times - 1 or -1) if times and self.shown_again else times
        return {self.shows: str(again)}


_FRAGMENTS = {
    "movflags": "frag_keyframe+empty_moov+default_base_moof",
    "frag_duration": "1000000",
    "flush_packets": "1",
}
_FLUSHED = {"flush_packets": "1"}
_CLUSTERS = {"cluster_time_limit": "1000", **_FLUSHED}
_MP4_SOUND = ("aac", "mp3", "ac3", "eac3", "alac")
_WEBM_SOUND = ("opus", "vorbis")

FORMATS: dict[str, Format] = {
    f.name: f
    for f in (
        Format(
            name="h264",
            suffix=".mp4",
            title="MP4 (H.264)",
            muxer="mp4",
            codec="libx264",
            pixels="yuv420p",
            options={"preset": "medium"},
            quality=Quality("crf", 0, 51, 17),
            even=True,
            sound="aac",
            sound_copied=_MP4_SOUND,
            growing=_FRAGMENTS,
            finished={"movflags": "faststart"},
        ),
        Format(
            name="h265",
            suffix=".mp4",
            title="MP4 (H.265)",
            muxer="mp4",
            codec="libx265",
            pixels="yuv420p",
            # Finer chroma: without it flat colours are off by three steps at any usual quality.
            options={"preset": "medium", "x265-params": "log-level=error:cbqpoffs=-6:crqpoffs=-6"},
            quality=Quality("crf", 0, 51, 15),
            even=True,
            sound="aac",
            sound_copied=_MP4_SOUND,
            growing=_FRAGMENTS,
            finished={"movflags": "faststart"},
            # Apple's players take H.265 only under this name.
            codec_tag="hvc1",
        ),
        Format(
            name="vp9",
            suffix=".webm",
            title="WebM (VP9)",
            muxer="webm",
            codec="libvpx-vp9",
            pixels="yuv420p",
            pixels_alpha="yuva420p",
            options={"b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1"},
            quality=Quality("crf", 0, 63, 20),
            sound="libopus",
            sound_copied=_WEBM_SOUND,
            growing=_CLUSTERS,
            finished={"cues_to_front": "1"},
        ),
        Format(
            name="av1",
            suffix=".webm",
            title="WebM (AV1)",
            muxer="webm",
            codec="libsvtav1",
            # In 8 bits its flat colours are off by three steps even at the best quality.
            pixels="yuv420p10le",
            options={"preset": "8"},
            quality=Quality("crf", 1, 63, 19),
            even=True,
            sound="libopus",
            sound_copied=_WEBM_SOUND,
            growing=_CLUSTERS,
            finished={"cues_to_front": "1"},
        ),
        Format(
            name="prores",
            suffix=".mov",
            title="MOV (ProRes 4444)",
            muxer="mov",
            codec="prores_ks",
            pixels="yuv444p10le",
            pixels_alpha="yuva444p10le",
            options={"profile": "4444", "alpha_bits": "16", "vendor": "apl0"},
            sound="aac",
            sound_copied=(*_MP4_SOUND, "pcm_s16le", "pcm_s24le"),
            growing=_FRAGMENTS,
            # Without it the container cuts text off at 64 KiB.
            finished={"movflags": "faststart+use_metadata_tags"},
        ),
        Format(
            name="ffv1",
            suffix=".mkv",
            title="MKV (FFV1, lossless)",
            muxer="matroska",
            codec="ffv1",
            pixels="bgr0",
            pixels_alpha="bgra",
            sound="flac",
            sound_copied=("aac", "mp3", "opus", "vorbis", "flac", "pcm_s16le", "pcm_s24le"),
            growing=_CLUSTERS,
            finished={"cues_to_front": "1"},
        ),
        Format(
            name="gif",
            suffix=".gif",
            title="GIF",
            muxer="gif",
            codec="gif",
            pixels="pal8",
            growing=_FLUSHED,
            shows="loop",
            shown_again=True,
            tick=Fraction(1, 100),
        ),
        Format(
            name="webp",
            suffix=".webp",
            title="WebP",
            muxer="webp",
            codec="libwebp_anim",
            pixels="bgra",
            pixels_alpha="bgra",
            options={"lossless": "1"},
            quality=Quality("quality", 100, 0, None, {"lossless": "0"}),
            growing=_FLUSHED,
            shows="loop",
        ),
        Format(
            name="apng",
            suffix=".png",
            title="APNG",
            muxer="apng",
            codec="apng",
            pixels="rgb24",
            pixels_alpha="rgba",
            growing=_FLUSHED,
            shows="plays",
        ),
    )
}
"""Every film and animation format by its name."""

SEQUENCES = {"png": ".png", "jpeg": ".jpg"}
"""Formats that are a folder of numbered pictures, and the ending of each picture."""

_BY_SUFFIX = {
    ".mp4": "h264",
    ".m4v": "h264",
    ".webm": "vp9",
    ".mov": "prores",
    ".mkv": "ffv1",
    ".gif": "gif",
    ".webp": "webp",
    ".apng": "apng",
}


def find_format(path: Path, name: str | None = None) -> Format:
    """The format of that name, or the one that the path's ending means.

    Raises FlipbookError listing what there is.
    """
    if name is None:
        name = _BY_SUFFIX.get(path.suffix.lower())
        if name is None:
            raise FlipbookError(
                Problem(
                    f"{path.name} has no extension of a film; use one of {', '.join(sorted(_BY_SUFFIX))} "
                    "or name the format.",
                    "out",
                    code="media.unknown_format",
                )
            )
    if name not in FORMATS:
        known = ", ".join((*FORMATS, *SEQUENCES))
        raise FlipbookError(
            Problem(f"{name!r} is not a format; choose from {known}.", "format", code="media.unknown_format")
        )
    return FORMATS[name]
