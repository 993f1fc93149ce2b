"""Growing, blurring and feathering of soft masks, float32 (H, W) in 0..1."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.float32]

_HALF = 0.5
"""From here on a soft mask counts as covering, where an edge is needed to measure from."""


def _distances(covered: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Euclidean distance of each covered pixel to the nearest uncovered one."""
    from scipy import ndimage  # a third of the start of `schedule`, which draws no masks

    found: NDArray[np.float64] = ndimage.distance_transform_edt(covered)
    return found


def grow(mask: Mask, pixels: float) -> Mask:
    """The mask with everything within `pixels` of it covered; negative pixels shrink it from its edge.

    Distances are Euclidean between pixel centres. What lies farther from the edge keeps its value.
    """
    covered = mask >= _HALF
    if pixels >= 0:
        if not covered.any():
            return mask
        near = _distances(~covered) <= pixels
        return np.where(near, np.maximum(mask, near), mask).astype(np.float32)
    if covered.all():
        return mask
    near = _distances(covered) <= -pixels
    return np.where(near, np.float32(0), mask)


def blur(mask: Mask, pixels: float) -> Mask:
    """Gaussian blur with `pixels` as standard deviation; beyond the picture its edge pixels go on."""
    from scipy import ndimage

    blurred: Mask = np.clip(ndimage.gaussian_filter(mask, pixels, mode="nearest"), 0.0, 1.0).astype(
        np.float32
    )
    return blurred


def feather(mask: Mask, pixels: float) -> Mask:
    """The mask fading out towards its edge over `pixels`, from 1 inside to 0 at the first pixel outside.

    Linear in the Euclidean distance. Unlike blur it never reaches beyond the mask.
    """
    covered = mask >= _HALF
    if pixels == 0 or covered.all():
        return mask
    ramp = np.minimum(_distances(covered) / (pixels + 1.0), 1.0)
    faded: Mask = (mask * ramp).astype(np.float32)
    return faded


SHAPES: dict[str, Callable[[Mask, float], Mask]] = {"grow": grow, "blur": blur, "feather": feather}
"""The mask functions of the language."""
