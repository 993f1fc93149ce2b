"""Masks: conversion, morphology, blending, overlay."""

from __future__ import annotations

import cv2
import numpy as np

from lib_anim.types import Mask, Picture


def from_luminance(picture: Picture) -> Mask:
    """Return the picture's luma (Rec. 601) as a mask: white is repainted, black is kept, both exactly."""
    red, green, blue = picture[..., 0], picture[..., 1], picture[..., 2]
    # written as differences so that white gives exactly 1
    luma: Mask = green + np.float32(0.299) * (red - green) + np.float32(0.114) * (blue - green)
    np.clip(luma, 0, 1, out=luma)
    return luma


def everywhere(height: int, width: int) -> Mask:
    """Return the mask that repaints all."""
    return np.ones((height, width), np.float32)


def invert(mask: Mask) -> Mask:
    """Return 1 − mask."""
    inverse: Mask = 1 - mask
    return inverse


def adjust(mask: Mask, *, contrast: float = 1.0, brightness: float = 1.0) -> Mask:
    """Return the mask with its contrast scaled about its mean, then its brightness scaled, within 0 … 1.

    Deforum's two multipliers (it swaps them for masks from files; here each is what it is called).
    1 and 1 return the mask bit for bit.
    """
    if contrast == 1 and brightness == 1:
        return mask.copy()
    mean = np.float32(mask.mean(dtype=np.float64))
    changed: Mask = np.clip(mean + np.float32(contrast) * (mask - mean), 0, 1)
    changed *= np.float32(brightness)
    np.clip(changed, 0, 1, out=changed)
    return changed


def blur(mask: Mask, sigma: float) -> Mask:
    """Return the mask blurred by a Gaussian of `sigma` pixels; 0 returns it bit for bit."""
    if sigma <= 0:
        return mask.copy()
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE), np.float32)


def grow(mask: Mask, pixels: int) -> Mask:
    """Return the mask grown by that many pixels in every direction (a disc); below 0 it shrinks."""
    if pixels == 0:
        return mask.copy()
    reach = abs(pixels)
    across = np.arange(-reach, reach + 1)
    disc = (across**2 + across[:, None] ** 2 <= (reach + 0.5) ** 2).astype(np.uint8)
    shape = cv2.dilate if pixels > 0 else cv2.erode
    return np.asarray(shape(mask, disc, borderType=cv2.BORDER_REPLICATE), np.float32)


def feather(mask: Mask, pixels: float) -> Mask:
    """Return the mask with a slope of `pixels` from its edge (where it crosses 0.5) outwards to 0.

    What was masked stays masked, unlike with `blur`.
    """
    inside = mask >= 0.5
    if pixels <= 0 or not inside.any():
        return mask.copy()
    distance = cv2.distanceTransform((~inside).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    slope: Mask = np.clip(1 - distance / np.float32(pixels + 1), 0, 1).astype(np.float32)
    return np.maximum(mask, slope)


def both(first: Mask, second: Mask) -> Mask:
    """Return first & second: the smaller value."""
    return np.minimum(first, second)


def either(first: Mask, second: Mask) -> Mask:
    """Return first | second: the larger value."""
    return np.maximum(first, second)


def without(first: Mask, second: Mask) -> Mask:
    r"""Return first \ second: in the first but not in the second."""
    return np.minimum(first, 1 - second)


def is_blank(mask: Mask) -> bool:
    """Whether the mask repaints nothing that an 8-bit mask could tell: no value of half a step or more."""
    return not bool((mask >= 0.5 / 255).any())


_WHOLE = np.float32(1024)


def overlay(painted: Picture, original: Picture, mask: Mask) -> Picture:
    """Return `painted` where the mask is 1 and `original` where it is 0, both bit for bit, mixed between."""
    # OpenCV divides by the sum of weights plus 1e-5, which float32 cannot resolve next to this power of two
    share = mask * _WHOLE
    return np.asarray(cv2.blendLinear(painted, original, share, _WHOLE - share), np.float32)
