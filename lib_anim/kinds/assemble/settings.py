# ruff: noqa: E501 (one setting, one line: tables may be wide)
"""Settings of assembly: frames in, film out, without a model."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from lib_anim.settings.base import Settings
from lib_anim.settings.fields import Choice, Flag, Number, PathText, Rate, Text, setting

SOURCE, ORDER, SOUND, OUTPUT = "Source", "Order", "Sound", "Output"


# fmt: off
@dataclass(frozen=True, kw_only=True)
class Assemble(Settings):
    """A film made of a folder of pictures, a run, or another film."""

    kind: ClassVar[str] = "assemble"

    source: str = setting("", PathText(label="Source", help="A film, an animation, a run folder, or a folder of pictures.", group=SOURCE, basic=True))
    start: int = setting(0, Number(label="Start", help="First frame of the source that is used.", group=SOURCE, whole=True, low=0, unit="frame"))
    stop: int = setting(-1, Number(label="Stop", help="The frame before which it ends; -1 uses all.", group=SOURCE, whole=True, low=-1, unit="frame"))
    every: int = setting(1, Number(label="Every", help="Use every n-th frame; the length in seconds stays.", group=SOURCE, whole=True, low=1))
    fps: Fraction | None = setting(None, Rate(label="FPS", help="Frames per second of the film; a film is resampled and keeps its length, pictures are shown this fast.", group=SOURCE, unit="frames/s", optional=True, basic=True))

    speed: float = setting(1.0, Number(label="Speed", help="2 is twice as fast, 0.5 half.", group=ORDER, low=0.01, high=100, basic=True))
    reverse: bool = setting(False, Flag(label="Reverse", help="Last frame first: an init image comes last.", group=ORDER, basic=True))
    boomerang: bool = setting(False, Flag(label="Boomerang", help="Forth and back; the turning frames are shown once.", group=ORDER, basic=True))
    loop: int = setting(1, Number(label="Loop", help="How many times all of it is shown.", group=ORDER, whole=True, low=1, high=10_000, basic=True))

    sound: str = setting("keep", Choice(label="Sound", help="Keep the source's sound where the frames stay in step with it, or drop it.", group=SOUND, options=("keep", "none")))
    audio: str = setting("", PathText(label="Audio", help="A file whose sound the film gets instead.", group=SOUND, basic=True))
    audio_start: float = setting(0.0, Number(label="Audio start", help="Seconds into the audio file at which it begins.", group=SOUND, low=0, unit="s"))
    audio_offset: float = setting(0.0, Number(label="Audio offset", help="Seconds into the film at which sound begins; negative skips that much of it.", group=SOUND, unit="s"))
    fade_in: float = setting(0.0, Number(label="Fade in", help="Seconds in which the sound rises at the start.", group=SOUND, low=0, unit="s"))
    fade_out: float = setting(0.0, Number(label="Fade out", help="Seconds in which it falls at the end.", group=SOUND, low=0, unit="s"))

    format: str = setting("", Text(label="Format", help="Empty goes by the film's ending.", group=OUTPUT, longest=40, basic=True))
    quality: int = setting(-1, Number(label="Quality", help="The encoder's own number; -1 takes the format's default.", group=OUTPUT, whole=True, low=-1, high=100))
    sheet: str = setting("", PathText(label="Contact sheet", help="A PNG with up to sixteen frames; empty for none.", group=OUTPUT))
    poster: str = setting("", PathText(label="Poster", help="A PNG of one frame; empty for none.", group=OUTPUT))
    poster_frame: int = setting(0, Number(label="Poster frame", help="Which frame of the film that is.", group=OUTPUT, whole=True, low=0, unit="frame"))
# fmt: on
