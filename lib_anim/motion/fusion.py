"""Fusion weights of frames that are in several windows."""

from __future__ import annotations

from collections.abc import Sequence

from lib_anim.motion.windows import Window
from lib_anim.types import WindowFusion

LEAST = 1e-37
"""Weight at the outermost frame of a linear ramp: positive, so that a frame in one window only keeps a
weight."""


def shares(
    found: Sequence[Window], count: int, fusion: WindowFusion, overlap: int, closed: bool
) -> tuple[tuple[float, ...], ...]:
    """For each window the share of each of its frames; for every frame the shares of all windows add up to 1.

    `last` gives 1 to the last window that has the frame.
    """
    if fusion == "last":
        last = {frame: i for i, window in enumerate(found) for frame in window}
        return tuple(tuple(float(last[frame] == i) for frame in window) for i, window in enumerate(found))
    raw = [_weights(window, count, fusion, overlap, closed) for window in found]
    totals = [0.0] * count
    for window, weights in zip(found, raw, strict=True):
        for frame, weight in zip(window, weights, strict=True):
            totals[frame] += weight
    return tuple(
        tuple(weight / totals[frame] for frame, weight in zip(window, weights, strict=True))
        for window, weights in zip(found, raw, strict=True)
    )


def _weights(
    window: Window, count: int, fusion: WindowFusion, overlap: int, closed: bool
) -> tuple[float, ...]:
    length = len(window)
    if fusion == "flat":
        return (1.0,) * length
    if fusion == "pyramid":
        return tuple(float(min(i, length - 1 - i) + 1) for i in range(length))
    weights = [1.0] * length
    reach = min(overlap, length)
    for i in range(reach):
        ramp = LEAST + (1 - LEAST) * (i / (reach - 1) if reach > 1 else 0.5)
        # A clip's own ends need no ramp.
        if closed or window[0] != 0:
            weights[i] = min(weights[i], ramp)
        if closed or window[-1] != count - 1:
            weights[-1 - i] = min(weights[-1 - i], ramp)
    return tuple(weights)
