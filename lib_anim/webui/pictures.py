"""Flipbook's pictures as the host takes them."""

from __future__ import annotations

import numpy as np
from PIL import Image

from lib_anim.engines.contract import Mask, Picture


def to_pil(picture: Picture | Mask) -> Image.Image:
    """float32 in [0, 1] as 8 bits, rounded to the nearest."""
    return Image.fromarray(np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8))
