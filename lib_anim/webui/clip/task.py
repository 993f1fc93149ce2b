"""The task of rendering a clip in the host: evaluated values and opened inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from PIL import Image

from lib_anim.engines.contract.requests import LatentRamp, Steering
from lib_anim.webui.clip.prompts import ClipPrompts


class Pictures(Protocol):
    """Per-frame pictures and masks of a clip."""

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
        """A frame's mask in the host's convention: white is repainted."""
        ...

    def close(self) -> None:
        """Close the files; may be called repeatedly."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class ClipTask:
    """The clips of one request. Per-frame tuples have one value for each denoised frame."""

    frames: int
    """Number of frames of the film."""
    denoised: int
    """Number of denoised frames: `frames` and those that only fill the context window."""
    steering: Steering
    """An empty `module` selects the first one that fits."""
    prompts: ClipPrompts
    pictures: Pictures
    denoising: tuple[float, ...] | None = None
    """Denoising strength per frame, in img2img; None uses the request's for all."""
    cfg_scale: tuple[float, ...] | None = None
    """CFG scale per frame; None uses the request's for all."""
    ramp: LatentRamp | None = None
    """In img2img: the shares of the first and the last picture; None uses the init pictures alone."""
    last: Image.Image | None = None
    """The picture with which the clip ends."""
