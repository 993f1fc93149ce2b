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
