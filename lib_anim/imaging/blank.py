"""Detect blank frames."""

from __future__ import annotations

from typing import Literal

import numpy as np

from lib_anim.types import Picture

Blank = Literal["not finite", "black", "one colour"]

_STEP = 0.5 / 255
"""Half an 8-bit step: less is invisible in any file."""


def blankness(picture: Picture) -> Blank | None:
    """Say in which way the frame is empty, or None for a frame that shows something.

    "not finite": a value is NaN or infinite (a VAE in half precision). "black": no value above half an 8-bit
    step (the host's answer to NaN, or its safety filter's). "one colour": no channel varies by more.
    """
    if not (np.isfinite(picture.min()) and np.isfinite(picture.max())):
        return "not finite"
    if picture.max() <= _STEP:
        return "black"
    for part in (picture[0], picture):  # one row tells most frames apart in no time
        if any(np.ptp(part[..., channel]) > _STEP for channel in range(3)):
            return None
    return "one colour"
