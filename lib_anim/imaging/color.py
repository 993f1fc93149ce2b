"""Colour coherence by histogram matching, greyscale, contrast and brightness, all in float."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from lib_anim.types import ColorSpace, Picture

_LEVELS = 65536
"""Histogram bins per channel: 1/65535 of the range is 0.004 of an 8-bit step."""

_RANGES: dict[ColorSpace, tuple[tuple[float, float], ...]] = {
    "RGB": ((0.0, 1.0), (0.0, 1.0), (0.0, 1.0)),
    "HSV": ((0.0, 360.0), (0.0, 1.0), (0.0, 1.0)),
    "LAB": ((0.0, 100.0), (-128.0, 128.0), (-128.0, 128.0)),
}
"""Smallest and largest value per channel of OpenCV's float32 conversions from RGB in [0, 1]."""

_Plane = NDArray[np.float32]


def match_colors(picture: Picture, reference: Picture, space: ColorSpace) -> Picture:
    """Return the picture with the reference's distribution of colours, channel by channel in `space`.

    Both are RGB (H, W, 3) in [0, 1] and may differ in size; the result is in [0, 1]. A picture that equals
    its reference comes back bit for bit. The rule is scikit-image's match_histograms (each value goes to the
    reference's value at the same cumulative share), on 16-bit histograms instead of sorted values. HSV and
    CIE LAB (D65) are those of sRGB, with the channels in their true order (Deforum swaps R and B).
    Hue is matched as the circle it is: weighted by saturation, because grey has none, and cut open where the
    two pictures together have least of it, so that reds on both sides of 0° stay together.
    """
    if np.array_equal(picture, reference):
        return picture.copy()
    source, target = _from_rgb(picture, space), _from_rgb(reference, space)
    matched = np.empty_like(source)
    for channel, (low, high) in enumerate(_RANGES[space]):
        values, wanted = source[..., channel], target[..., channel]
        if space == "HSV" and channel == 0:
            matched[..., channel] = _match_hue(values, wanted, source[..., 1], target[..., 1])
        else:
            matched[..., channel] = _match(values, wanted, low, high)
    result = _to_rgb(matched, space)
    if space == "LAB":
        # OpenCV's way to LAB and back is off by up to 0.6/255: take only the change from it
        result += picture - _to_rgb(source, space)
        np.clip(result, 0, 1, out=result)
    return result


def grayscale(picture: Picture) -> Picture:
    """Return the picture's luma (Rec. 601, as Deforum) in all three channels; grey stays bit for bit."""
    # the weighted sum of three equal values can miss them by the last bit; one row tells most pictures apart
    if _is_grey(picture[:1]) and _is_grey(picture):
        return picture.copy()
    luma = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    np.clip(luma, 0, 1, out=luma)
    return np.asarray(cv2.cvtColor(luma, cv2.COLOR_GRAY2RGB), np.float32)


def contrast(picture: Picture, amount: float) -> Picture:
    """Return the picture times `amount`, cut off at 0 and 1; 1 returns it bit for bit.

    Deforum's word and rule: it scales about black, not about grey. It lets values above white wrap round to
    dark; here they stay white.
    """
    scaled: Picture = np.clip(picture * np.float32(amount), 0, 1)
    return scaled


def brightness(picture: Picture, amount: float) -> Picture:
    """Return the picture plus `amount` (−1 … 1), cut off at 0 and 1; 0 returns it bit for bit."""
    moved: Picture = np.clip(picture + np.float32(amount), 0, 1)
    return moved


def _is_grey(picture: Picture) -> bool:
    return bool((picture == picture[..., 1:2]).all())


def _from_rgb(picture: Picture, space: ColorSpace) -> Picture:
    if space == "RGB":
        return picture
    code = cv2.COLOR_RGB2HSV if space == "HSV" else cv2.COLOR_RGB2Lab
    return np.asarray(cv2.cvtColor(picture, code), np.float32)


def _to_rgb(values: Picture, space: ColorSpace) -> Picture:
    if space != "RGB":
        values = np.asarray(
            cv2.cvtColor(values, cv2.COLOR_HSV2RGB if space == "HSV" else cv2.COLOR_Lab2RGB), np.float32
        )
    inside: Picture = np.clip(values, 0, 1)
    return inside


def _match(
    values: _Plane,
    wanted: _Plane,
    low: float,
    high: float,
    weights: _Plane | None = None,
    wanted_weights: _Plane | None = None,
) -> _Plane:
    """Return `values` carried to the value of `wanted` at the same (weighted) cumulative share."""
    bins, wanted_bins = _bins(values, low, high), _bins(wanted, low, high)
    share, wanted_share = _cumulative(bins, weights), _cumulative(wanted_bins, wanted_weights)
    present = np.flatnonzero(np.diff(wanted_share, prepend=0.0))
    levels = low + present * ((high - low) / (_LEVELS - 1))
    table: _Plane = np.interp(share, wanted_share[present], levels).astype(np.float32)
    return table[bins]


def _match_hue(hue: _Plane, wanted: _Plane, saturation: _Plane, wanted_saturation: _Plane) -> _Plane:
    if not saturation.any() or not wanted_saturation.any():
        return hue
    cut = _emptiest_hue((hue, saturation), (wanted, wanted_saturation))
    turned, turned_wanted = np.mod(hue - cut, np.float32(360)), np.mod(wanted - cut, np.float32(360))
    matched = _match(turned, turned_wanted, 0.0, 360.0, saturation, wanted_saturation)
    back: _Plane = np.mod(matched + cut, np.float32(360))
    return back


def _emptiest_hue(*pictures: tuple[_Plane, _Plane]) -> np.float32:
    """Return the hue in degrees that (hue, saturation) pictures together have least of, seen through ±15°."""
    share = np.zeros(360)
    for hue, saturation in pictures:
        degrees = np.minimum(hue.astype(np.intp), 359)
        share += np.bincount(degrees.ravel(), saturation.ravel(), minlength=360) / float(saturation.sum())
    window = np.hanning(33)[1:-1]
    smooth = np.convolve(np.concatenate([share[-15:], share, share[:15]]), window, mode="valid")
    return np.float32(np.argmin(smooth) + 0.5)


def _bins(values: _Plane, low: float, high: float) -> NDArray[np.intp]:
    scaled = (values - np.float32(low)) * np.float32((_LEVELS - 1) / (high - low)) + np.float32(0.5)
    bins: NDArray[np.intp] = np.clip(scaled, 0, _LEVELS - 1).astype(np.intp)
    return bins


def _cumulative(bins: NDArray[np.intp], weights: _Plane | None) -> NDArray[np.float64]:
    counts = np.bincount(bins.ravel(), None if weights is None else weights.ravel(), minlength=_LEVELS)
    summed = np.cumsum(counts, dtype=np.float64)
    return np.asarray(summed / summed[-1], np.float64)
