"""What a clip of the host is to be, with nothing left to read or to evaluate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from PIL import Image

from lib_anim.engines.contract.requests import LatentRamp, Steering
from lib_anim.webui.clip.prompts import ClipPrompts


class Pictures(Protocol):
    """What a clip follows, frame by frame."""

    @property
    def video(self) -> bool:
        """Whether every frame has a picture of its own."""
        ...

    @property
    def masks(self) -> bool:
        """Whether frames have masks."""
        ...

    def frame(self, number: int) -> np.ndarray:
        """A frame's picture, uint8 RGB (H, W, 3)."""
        ...

    def mask(self, number: int) -> Image.Image | None:
        """A frame's mask as the host takes it: white is repainted."""
        ...

    def close(self) -> None:
        """Close the files; twice is allowed."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class ClipTask:
    """One request's clips. Tuples with a value per frame have one for each that is denoised."""

    frames: int
    """Frames of the film."""
    denoised: int
    """Frames that are denoised: with those that only fill the context."""
    steering: Steering
    """`module` may be empty: the first one that fits."""
    prompts: ClipPrompts
    pictures: Pictures
    denoising: tuple[float, ...] | None = None
    """Of each frame, in img2img; None where the request's holds for all."""
    cfg_scale: tuple[float, ...] | None = None
    """Of each frame; None where the request's holds for all."""
    ramp: LatentRamp | None = None
    """In img2img: the shares of the first and the last picture; None starts from the pictures alone."""
    last: Image.Image | None = None
    """The picture that the clip ends with."""
