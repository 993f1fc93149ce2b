"""Flipbook's pictures as the host takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from lib_anim.types import Mask, Picture

if TYPE_CHECKING:
    import torch


def to_pil(picture: Picture | Mask) -> Image.Image:
    """float32 in [0, 1] as 8 bits, rounded to the nearest."""
    return Image.fromarray(_eight_bits(picture))


def _eight_bits(picture: Picture | Mask) -> np.ndarray:
    scaled = picture * np.float32(255)
    np.rint(scaled, out=scaled)
    return np.clip(scaled, 0, 255, out=scaled).astype(np.uint8)


def finest(shown: np.ndarray, decoded: torch.Tensor | None, init: Picture | None) -> Picture:
    """The host's 8-bit picture, with what is known more finely where it is the same.

    `shown` is what the host hands out: the decoded picture cut down to 8 bits, over which masks, face
    restoration and scripts may have been laid. Eight bits answer where eight bits asked (or nothing), so that
    such pictures equal the host's; in a loop they would darken by half a level at every turn.
    """
    picture: Picture = shown.astype(np.float32) / np.float32(255)
    if init is None:
        return picture
    asked = _eight_bits(init)
    if np.array_equal(asked / np.float32(255), init):
        return picture
    if decoded is not None and decoded.shape[1:] == shown.shape[:2]:
        fine = decoded.numpy().transpose(1, 2, 0)
        picture = np.where((255 * fine).astype(np.uint8) == shown, fine, picture)
    kept = (asked == shown).all(axis=-1, keepdims=True)
    return np.ascontiguousarray(np.clip(np.where(kept, init, picture), 0, 1), np.float32)
