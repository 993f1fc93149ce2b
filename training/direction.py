"""Which way the object of a clip moves, by optical flow."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from lib_anim.imaging.flow import optical_flow

DIFFERS = 0.14
"""How far a pixel of the object is from the clip's median picture, at least, in some channel."""
SMALLEST = 0.004
"""Least share of the picture that is taken for an object."""
MOVES = 1.0
"""Pixels a frame from which on something moves. Drawn objects move by 4 and are found to by 1.4 (in rain) and
more; a shapeless spot that flickered in a painted clip came to 0.55."""


def moving_object(clip: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where the object is in each frame, (F, H, W), of a clip (F, H, W, 3) in [0, 1].

    An object that goes through the picture covers no pixel half of the time, so the median over time is the
    scene without it; of what differs, the largest connected part counts.
    """
    scene = np.median(clip, axis=0)
    found = np.zeros(clip.shape[:3], np.bool_)
    kernel = np.ones((3, 3), np.uint8)
    for frame, mask in zip(clip, found, strict=True):
        differs = (np.abs(frame - scene).max(axis=-1) > DIFFERS).astype(np.uint8)
        opened = cv2.morphologyEx(differs, cv2.MORPH_OPEN, kernel)
        count, parts, facts, _ = cv2.connectedComponentsWithStats(opened)
        if count > 1:
            largest = 1 + int(np.argmax(facts[1:, cv2.CC_STAT_AREA]))
            if facts[largest, cv2.CC_STAT_AREA] >= SMALLEST * mask.size:
                mask[:] = parts == largest
    return found


def drift(clip: NDArray[np.float32]) -> float:
    """Pixels per frame by which the moving object of a clip (F, H, W, 3) in [0, 1] goes to the right.

    The median over neighbouring frames of the mean flow on the object; 0 where no object is found in at least
    a third of them. Inside an object of one colour the flow is too small, its sign is right.
    """
    steps = []
    for before, after, mask in zip(clip[:-1], clip[1:], moving_object(clip)[:-1], strict=True):
        if mask.any():
            steps.append(float(optical_flow(before, after, "fine")[mask, 0].mean()))
    return float(np.median(steps)) if len(steps) >= (len(clip) - 1) / 3 else 0.0


def way(clip: NDArray[np.float32]) -> str:
    """`left`, `right`, or an empty string for a clip in which nothing moves across."""
    speed = drift(clip)
    return "" if abs(speed) < MOVES else "right" if speed > 0 else "left"
