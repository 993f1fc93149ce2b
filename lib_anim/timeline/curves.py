"""Evaluate keyframes to one value per frame: formulas, easings, splines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lib_anim.timeline.easings import EASINGS, LEAST_KNOTS

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Keyframe:
    """A key on its whole frame. `number` is what keys interpolate between; None for a formula.

    `formula` gives the values at float64 frames of shape (n,).
    """

    frame: int
    easing: str
    number: float | None
    formula: Callable[[Float], Float]


def curve(keyframes: Sequence[Keyframe], frames: int) -> Float:
    """One value per frame, float64 of shape (frames,).

    `keyframes` are sorted, at least one, one per frame, none negative. NaN where a formula gives NaN,
    and between a number and a formula that starts with NaN. Keyframes beyond the film are not
    reached; when there is no other, the first one's value holds for all.
    """
    inside = [keyframe for keyframe in keyframes if keyframe.frame < frames]
    if not inside:
        return np.full(frames, keyframes[0].formula(np.array([float(keyframes[0].frame)]))[0])
    values = np.full(frames, np.nan)
    ends = [*(keyframe.frame for keyframe in inside[1:]), frames]
    for keyframe, end in zip(inside, ends, strict=True):
        if keyframe.number is None:
            values[keyframe.frame : end] = keyframe.formula(np.arange(keyframe.frame, end, dtype=np.float64))
        else:
            values[keyframe.frame] = keyframe.number
    values[: inside[0].frame] = values[inside[0].frame]
    if inside[-1].number is not None:
        values[inside[-1].frame :] = inside[-1].number
    for run in _runs(inside):
        _fill(values, run)
    return values


def _runs(keyframes: Sequence[Keyframe]) -> list[list[Keyframe]]:
    """Neighbouring number keys, each run closed by the formula that ends it, if one does."""
    runs: list[list[Keyframe]] = []
    run: list[Keyframe] = []
    for keyframe in keyframes:
        run.append(keyframe)
        if keyframe.number is None:
            runs.append(run)
            run = []
    runs.append(run)
    return [run for run in runs if len(run) > 1]


def _fill(values: Float, run: list[Keyframe]) -> None:
    """Writes the frames between the run's keys into `values`, which holds the keys' own already."""
    knots = np.array([keyframe.frame for keyframe in run], dtype=np.float64)
    heights = values[knots.astype(np.int64)]
    splines: dict[str, Callable[[Float], Float]] = {}
    for index, left in enumerate(run[:-1]):
        start, end = left.frame, run[index + 1].frame
        if end - start < 2:
            continue
        between = np.arange(start + 1, end, dtype=np.float64)
        easing = EASINGS[left.easing]
        if easing.spline is not None and len(run) >= LEAST_KNOTS and np.isfinite(heights).all():
            if easing.name not in splines:
                splines[easing.name] = easing.spline(knots, heights)
            values[start + 1 : end] = splines[easing.name](between)
        else:
            u = easing.progress((between - start) / (end - start))
            # Where the right value has no share, it may be NaN.
            change = heights[index + 1] - heights[index] if u.any() else 0.0
            values[start + 1 : end] = heights[index] + change * u


def bridged(values: Float) -> Float:
    """The same values with NaN and infinity replaced by straight lines between their finite neighbours.

    Before the first finite value that value holds, after the last one that one: what pandas does for
    Deforum. At least one value has to be finite.
    """
    finite = np.isfinite(values)
    at = np.arange(len(values), dtype=np.float64)
    return np.where(finite, values, np.interp(at, at[finite], values[finite]))
