"""The table of easings, which grammar, evaluation, error sentences and docs read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Easing:
    """One easing: a formula between two keyframes, or a spline through all keyframes of a run."""

    name: str
    formula: str
    """The definition as the manual shows it; u runs from 0 at the left keyframe to 1 at the right one."""
    progress: Callable[[Float], Float] = lambda u: u
    """u → share of the right keyframe's value. Splines use it where there are too few keyframes."""
    spline: Callable[[Float, Float], Callable[[Float], Float]] | None = None
    """(keyframe positions, values) → interpolating function."""


LEAST_KNOTS = 3
"""Keyframes below which a spline is the straight line."""


# scipy.interpolate takes longer to import than everything else here, and only splines need it.
def _quadratic(x: Float, y: Float) -> Callable[[Float], Float]:
    from scipy.interpolate import make_interp_spline  # k=2: what interp1d(kind="quadratic") calls

    spline: Callable[[Float], Float] = make_interp_spline(x, y, k=2)
    return spline


def _cubic(x: Float, y: Float) -> Callable[[Float], Float]:
    from scipy.interpolate import CubicSpline

    spline: Callable[[Float], Float] = CubicSpline(x, y)
    return spline


def _monotone(x: Float, y: Float) -> Callable[[Float], Float]:
    from scipy.interpolate import PchipInterpolator

    spline: Callable[[Float], Float] = PchipInterpolator(x, y)
    return spline


EASINGS: Mapping[str, Easing] = {
    easing.name: easing
    for easing in (
        Easing("step", "the left value up to the next key", np.zeros_like),
        Easing("linear", "u (the default)"),
        Easing("quadratic", "quadratic spline through all number keys of the run", spline=_quadratic),
        Easing("cubic", "cubic spline through all number keys of the run", spline=_cubic),
        Easing("monotone", "cubic spline without overshoot (PCHIP)", spline=_monotone),
        Easing("ease-in", "u²", lambda u: u * u),
        Easing("ease-out", "1 − (1 − u)²", lambda u: 1.0 - (1.0 - u) ** 2),
        Easing("ease-in-out", "u²(3 − 2u)", lambda u: u * u * (3.0 - 2.0 * u)),
    )
}
"""Every easing by name."""
