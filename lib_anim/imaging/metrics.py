"""Frame metrics: motion and difference of two frames."""

from __future__ import annotations

import math

import cv2
import numpy as np

from lib_anim.imaging.flow import optical_flow
from lib_anim.types import Picture


def mean_motion(first: Picture, second: Picture) -> tuple[float, float]:
    """Return how far the content moved from `first` to `second` on average: pixels right, pixels down.

    The mean of the optical flow, each pixel weighted by how much it contrasts with its neighbours in `first`:
    flat areas show no motion and would water the mean down. (0, 0) for a picture of one colour.
    Raises FlipbookError as `optical_flow` does.
    """
    flow = optical_flow(first, second)
    luma = cv2.cvtColor(first, cv2.COLOR_RGB2GRAY)
    weight = np.hypot(cv2.Sobel(luma, cv2.CV_32F, 1, 0), cv2.Sobel(luma, cv2.CV_32F, 0, 1)).astype(np.float64)
    total = float(weight.sum())
    if total == 0:
        return 0.0, 0.0
    return float((flow[..., 0] * weight).sum() / total), float((flow[..., 1] * weight).sum() / total)


def mean_difference(first: Picture, second: Picture) -> float:
    """Return the mean of |first − second| over all values, 0 … 1; times 255 it is in 8-bit steps."""
    return float(np.abs(first - second).mean(dtype=np.float64))


def psnr(first: Picture, second: Picture) -> float:
    """Return the peak signal-to-noise ratio in dB for pictures in [0, 1]; infinite for equal ones."""
    error = float(np.square(first - second, dtype=np.float32).mean(dtype=np.float64))
    return math.inf if error == 0 else -10 * math.log10(error)
