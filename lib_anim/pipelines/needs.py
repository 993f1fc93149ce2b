"""What a plan needs from files. The job opens it: pipelines touch no file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lib_anim.imaging.fit import Fit


@dataclass(frozen=True, kw_only=True)
class PictureNeed:
    """A picture file, as float32 RGB in [0, 1] of a given size."""

    path: Path
    field: str
    """The setting that named it, for error sentences."""
    width: int
    height: int
    fit: Fit = "crop"
