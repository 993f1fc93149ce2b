"""Resize and crop pictures to the frame's size."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from lib_anim.types import Fit


def fit(picture: NDArray[np.float32], width: int, height: int, how: Fit = "crop") -> NDArray[np.float32]:
    """Return float32 (height, width, 3): "crop" keeps the shape and cuts the longer side's edges evenly,
    "fill" keeps all of it and repeats its edges, "stretch" keeps neither.

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
    inside_w, inside_h = width, height
    if how == "fill":
        scale = min(width / columns, height / rows)
        inside_w, inside_h = min(width, round(columns * scale)), min(height, round(rows * scale))
        inside_w, inside_h = max(inside_w, 1), max(inside_h, 1)
    shrinking = picture.shape[0] > inside_h or picture.shape[1] > inside_w
    how_cv = cv2.INTER_AREA if shrinking else cv2.INTER_LANCZOS4
    sized = np.clip(cv2.resize(picture, (inside_w, inside_h), interpolation=how_cv), 0, 1)
    top, left = (height - inside_h) // 2, (width - inside_w) // 2
    if (inside_w, inside_h) != (width, height):
        bottom, right = height - inside_h - top, width - inside_w - left
        sized = cv2.copyMakeBorder(sized, top, bottom, left, right, cv2.BORDER_REPLICATE)
    return sized.astype(np.float32, copy=False)


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
