"""In-between frames: cross-fade, or flow-compensated cross-fade."""

from __future__ import annotations

import cv2
import numpy as np

from lib_anim.imaging.flow import agreement, pull
from lib_anim.imaging.mask import overlay
from lib_anim.types import Flow, Picture


def blend(first: Picture, second: Picture, weight: float) -> Picture:
    """Return (1 − weight) · first + weight · second, as a new picture.

    Weight 0 gives the first and 1 the second bit for bit, and so does any weight when both are equal.
    """
    if weight == 0:
        return first.copy()
    if weight == 1:
        return second.copy()
    # the weighted sum of two equal values can miss them by the last bit; one row tells most pictures apart
    if np.array_equal(first[:1], second[:1]) and np.array_equal(first, second):
        return first.copy()
    return np.asarray(cv2.addWeighted(first, 1 - weight, second, weight, 0), np.float32)


def in_between(first: Picture, second: Picture, forward: Flow, backward: Flow, weight: float) -> Picture:
    """Return the picture `weight` of the way from `first` to `second`, moving along the flow.

    `forward` is the flow from first to second, `backward` that from second to first, in pixels. Both flows
    seen from the middle are estimated as in Jiang et al., "Super SloMo" (2018), equation 4. A pixel that only
    one picture shows (where the two flows disagree) is taken from that one. Weight 0 and 1 return the ends
    bit for bit; values stay within the range of the two pictures.
    """
    if weight in (0, 1):
        return blend(first, second, weight)
    t = np.float32(weight)
    to_first = t * t * backward - (1 - t) * t * forward
    to_second = (1 - t) * (1 - t) * forward - t * (1 - t) * backward
    from_first = pull(first, to_first)
    from_second = pull(second, to_second)
    seen_first = (1 - t) * pull(agreement(forward, backward), to_first)
    seen_second = t * pull(agreement(backward, forward), to_second)
    total = seen_first + seen_second
    share = np.divide(seen_second, total, out=np.full_like(total, t), where=total > 1e-3)
    return overlay(from_second, from_first, share)
