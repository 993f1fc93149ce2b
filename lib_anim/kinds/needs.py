"""Input files that a plan needs. The job opens them: loops touch no file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from lib_anim.media.contract import SourceInfo


@dataclass(frozen=True, kw_only=True)
class PictureNeed:
    """A picture file, opened as its frame: uint8 RGB, or RGBA where it has alpha."""

    path: Path
    field: str
    """The setting that named it, for error sentences."""


@dataclass(frozen=True, kw_only=True)
class VideoNeed:
    """A film or a folder of pictures, opened as a source of the frames start, start + every, … < stop."""

    path: Path
    field: str
    start: int = 0
    stop: int | None = None
    every: int = 1
    parameters: bool = False
    """A look also tells what the folder's pictures say about how they were made."""


@dataclass(frozen=True, kw_only=True)
class SoundNeed:
    """A file whose sound the film gets, from `start` seconds on."""

    path: Path
    start: Fraction = Fraction(0)


Need = PictureNeed | VideoNeed

Probe = Callable[[VideoNeed], SourceInfo]
"""Tells a plan what a video is, without giving it the frames. Raises FlipbookError."""
