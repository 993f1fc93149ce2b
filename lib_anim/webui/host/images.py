"""Converts between Flipbook's float pictures and the host's 8-bit pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from lib_anim.types import Mask, Picture

if TYPE_CHECKING:
    import torch


def to_pil(picture: Picture | Mask) -> Image.Image:
    """Convert float32 in [0, 1] to 8 bits, rounded to nearest."""
    return Image.fromarray(_eight_bits(picture))


def _eight_bits(picture: Picture | Mask) -> np.ndarray:
    scaled = picture * np.float32(255)
    np.rint(scaled, out=scaled)
    return np.clip(scaled, 0, 255, out=scaled).astype(np.uint8)


def with_full_precision(shown: np.ndarray, decoded: torch.Tensor | None, init: Picture | None) -> Picture:
    """The host's 8-bit picture as float32, with the precision of `decoded` or `init` where they match.

    `shown`: uint8 (H, W, 3), the decoded picture truncated to 8 bits and then changed by masks, face
    restoration and scripts. `decoded`: (C, H, W) in [0, 1]. Without init or with an 8-bit init the result is
    exactly the host's; otherwise truncation in a feedback loop would darken by half a level per frame.
    """
    picture: Picture = shown.astype(np.float32) / np.float32(255)
    if init is None:
        return picture
    rounded = _eight_bits(init)
    if np.array_equal(rounded / np.float32(255), init):
        return picture
    if decoded is not None and decoded.shape[1:] == shown.shape[:2]:
        fine = decoded.numpy().transpose(1, 2, 0)
        picture = np.where((255 * fine).astype(np.uint8) == shown, fine, picture)
    kept = (rounded == shown).all(axis=-1, keepdims=True)
    return np.ascontiguousarray(np.clip(np.where(kept, init, picture), 0, 1), np.float32)
