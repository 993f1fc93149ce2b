"""Unsharp mask, to counteract the blur of repeated warping."""

from __future__ import annotations

import cv2
import numpy as np

from lib_anim.errors import FlipbookError, Problem
from lib_anim.imaging.mask import overlay
from lib_anim.types import Mask, Picture


def unsharp(
    picture: Picture,
    *,
    amount: float,
    kernel: int = 5,
    sigma: float = 1.0,
    threshold: float = 0.0,
    mask: Mask | None = None,
) -> Picture:
    """Return (1 + amount) · picture − amount · blurred, cut off at 0 and 1, as Deforum's anti-blur.

    The blur is Gaussian, `kernel` × `kernel` pixels (odd), `sigma` pixels. Values that differ from the
    blurred ones by less than `threshold` (0 … 1 on the picture's scale) stay. Where `mask` is 0 nothing
    changes, bit for bit; amount 0 returns the whole picture so, whatever kernel and sigma are.
    Raises FlipbookError for an amount below 0, a kernel that is even or below 1 and a sigma not above 0.
    """
    if amount == 0:
        return picture.copy()
    _check(amount, kernel, sigma)
    blurred = cv2.GaussianBlur(picture, (kernel, kernel), sigma)
    sharp = np.asarray(cv2.addWeighted(picture, 1 + amount, blurred, -amount, 0), np.float32)
    np.clip(sharp, 0, 1, out=sharp)
    if threshold > 0:
        np.copyto(sharp, picture, where=cv2.absdiff(picture, blurred) < threshold)
    if mask is not None:
        return overlay(sharp, picture, mask)
    return sharp


def _check(amount: float, kernel: int, sigma: float) -> None:
    problems = []
    if not amount >= 0:
        problems.append(
            Problem(
                f"is {amount:g} in this frame; 0 is off, above 0 sharpens",
                "sharpen_amount",
                code="value.not_allowed",
            )
        )
    if kernel < 1 or kernel % 2 == 0:
        problems.append(
            Problem(
                f"is {kernel} in this frame; it must be 1, 3, 5 or another odd number",
                "sharpen_kernel",
                code="value.not_allowed",
            )
        )
    if not sigma > 0:
        problems.append(
            Problem(
                f"is {sigma:g} in this frame; it must be above 0", "sharpen_sigma", code="value.not_allowed"
            )
        )
    if problems:
        raise FlipbookError(*problems)
