"""Dense optical flow by OpenCV's DIS, and pictures moved along a flow."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from lib_anim.errors import FlipbookError
from lib_anim.imaging.sample import Floats, sample
from lib_anim.types import Border, Flow, Mask, Picture

Quality = Literal["fast", "medium", "fine"]
"""OpenCV's presets, and Deforum's "DIS Fine": every pixel, 192 gradient descent steps."""

_SMALLEST = 32
"""OpenCV 4 and 5 crash the process (they read below their pyramid) for wide pictures with a shorter side."""


def optical_flow(first: Picture, second: Picture, quality: Quality = "medium") -> Flow:
    """Return the flow from `first` to `second`, RGB (H, W, 3) in [0, 1] of one size.

    Dense Inverse Search (Kroeger et al., 2016) on 8-bit luma, the depth it is made for. Two equal pictures
    have flow zero exactly. A shift of 20 px is found to a few tenths of a pixel where there is texture.
    Raises FlipbookError for sizes that differ and for sides under 32 px.
    """
    if first.shape != second.shape:
        raise FlipbookError(
            f"The flow needs two pictures of one size, not {_size(first)} and {_size(second)}."
        )
    if min(first.shape[:2]) < _SMALLEST:
        raise FlipbookError(
            f"The flow needs pictures of {_SMALLEST} px and more on each side, not {_size(first)}."
        )
    if np.array_equal(first, second):
        return np.zeros((*first.shape[:2], 2), np.float32)
    preset = cv2.DISOPTICAL_FLOW_PRESET_FAST if quality == "fast" else cv2.DISOPTICAL_FLOW_PRESET_MEDIUM
    search = cv2.DISOpticalFlow.create(preset)
    if quality == "fine":
        search.setFinestScale(0)
        search.setGradientDescentIterations(192)
        search.setPatchSize(8)
        search.setPatchStride(4)
    unset = np.zeros((*first.shape[:2], 2), np.float32)
    return np.asarray(search.calc(_luma(first), _luma(second), unset), np.float32)


def pull(picture: Floats, flow: Flow, border: Border = "replicate") -> Floats:
    """Return the picture seen at each pixel's position plus its flow.

    With the flow from a to b, `pull(b, flow)` lays b onto a. To push a along that flow to b's place, pull a
    along the flow from b to a. `picture` is float32 (H, W) or (H, W, C), untouched.
    """
    height, width = flow.shape[:2]
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    return sample(picture, np.add(flow[..., 0], x), np.add(flow[..., 1], y), border)


def agreement(forward: Flow, backward: Flow) -> Mask:
    """Return 1 where following `forward` and then `backward` leads back, 0 where it does not (occluded).

    The test of Sundaram et al., "Dense point trajectories" (2010), equation 5: the squared gap may be 1 % of
    the squared flows plus half a pixel.
    """
    back = np.stack([pull(np.ascontiguousarray(backward[..., i]), forward) for i in (0, 1)], axis=-1)
    gap = np.square(forward + back).sum(axis=-1)
    allowed = 0.01 * (np.square(forward).sum(axis=-1) + np.square(back).sum(axis=-1)) + 0.5
    visible: Mask = (gap <= allowed).astype(np.float32)
    return visible


def _luma(picture: Picture) -> NDArray[np.uint8]:
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.convertScaleAbs(grey, alpha=255), np.uint8)


def _size(picture: Picture) -> str:
    return f"{picture.shape[1]}×{picture.shape[0]}"
