"""Bringing a picture of another shape to a frame's size."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Fit = Literal["crop", "stretch"]


def fit(picture: NDArray[np.float32], width: int, height: int, how: Fit = "crop") -> NDArray[np.float32]:
    """Return float32 (height, width, 3): "crop" keeps the shape and cuts the longer side's edges evenly.

    Shrinking averages over areas, growing is Lanczos, clipped to [0, 1]. The right size is returned as it is.
    """
    rows, columns = picture.shape[:2]
    if (rows, columns) == (height, width):
        return picture
    if how == "crop":
        scale = max(width / columns, height / rows)
        keep_w, keep_h = min(columns, round(width / scale)), min(rows, round(height / scale))
        left, top = (columns - keep_w) // 2, (rows - keep_h) // 2
        picture = picture[top : top + keep_h, left : left + keep_w]
    shrinking = picture.shape[0] > height or picture.shape[1] > width
    how_cv = cv2.INTER_AREA if shrinking else cv2.INTER_LANCZOS4
    return np.clip(cv2.resize(picture, (width, height), interpolation=how_cv), 0, 1).astype(np.float32)


def picture_of(frame: NDArray[np.uint8], width: int, height: int, how: Fit = "crop") -> NDArray[np.float32]:
    """A file's frame, uint8 RGB or RGBA, as float32 RGB of a size. What is transparent lies over black."""
    picture = frame.astype(np.float32) / np.float32(255)
    if picture.shape[2] == 4:
        picture = picture[..., :3] * picture[..., 3:]
    return fit(picture, width, height, how)


def alpha_of(frame: NDArray[np.uint8], width: int, height: int, how: Fit = "crop") -> NDArray[np.float32]:
    """A frame's alpha as float32 (height, width) in [0, 1]; 1 everywhere where it has none."""
    if frame.shape[2] == 3:
        return np.ones((height, width), np.float32)
    alpha = np.repeat(frame[..., 3:].astype(np.float32) / np.float32(255), 3, axis=2)
    return np.ascontiguousarray(fit(alpha, width, height, how)[..., 0])
