"""Tone-map HDR pictures (PQ and HLG, BT.2020) to SDR."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from lib_anim.media.contract import Frame

PQ, HLG = 16, 18
"""H.273's numbers of the two HDR transfer characteristics."""

_WHITE = 203.0
"""Nits of diffuse white in HDR (ITU-R BT.2408); 1 in linear light here."""
_HLG_PEAK = 1000.0
"""Nits of the screen that HLG is shown on (ITU-R BT.2100's reference)."""
_KNEE = 0.6
"""Linear light up to which nothing is compressed; white then comes out at 237 of 255."""

_LUMA_2020 = np.array([0.2627, 0.6780, 0.0593], np.float32)
_TO_709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)
"""Linear BT.2020 to linear BT.709 (ITU-R BT.2087)."""


def tone_map(picture: NDArray[np.generic], transfer: int) -> Frame:
    """Tone-map uint16 RGB (H, W, 3), full range, BT.2020, coded by `transfer`, to uint8 sRGB.

    Linear light in units of diffuse white is converted to BT.709, cut to its gamut, and compressed
    above a knee on the largest channel, so that hues stay; then coded as sRGB.
    """
    linear = _decoding(transfer)[picture]
    if transfer == HLG:
        # The screen's part of HLG works on luminance (BT.2100, system gamma 1.2).
        linear *= (_HLG_PEAK / _WHITE) * np.maximum(linear @ _LUMA_2020, 1e-6)[..., None] ** 0.2
    linear = np.maximum(linear @ _TO_709.T, 0)
    top = np.maximum(linear.max(axis=2, keepdims=True), 1e-6)
    room = 1 - _KNEE
    bent = _KNEE + room * (1 - np.exp(-(top - _KNEE) / room))
    linear *= np.where(top > _KNEE, bent, top) / top
    index = np.clip(np.rint(linear * 4095), 0, 4095).astype(np.uint16)
    frame: Frame = _encoding().take(index)
    return frame


@lru_cache(maxsize=2)
def _decoding(transfer: int) -> NDArray[np.float32]:
    """Code value to linear light: PQ to the screen's, in diffuse whites (SMPTE ST 2084); HLG to the
    scene's, 0 to 1 (ITU-R BT.2100)."""
    code = np.arange(65536, dtype=np.float64) / 65535
    if transfer == PQ:
        m1, m2 = 2610 / 16384, 2523 / 4096 * 128
        c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
        power = code ** (1 / m2)
        linear = 10000 / _WHITE * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)
    else:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        linear = np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)
    return linear.astype(np.float32)


@lru_cache(maxsize=1)
def _encoding() -> NDArray[np.uint8]:
    """Linear light in 4096 steps to sRGB code values."""
    x = np.arange(4096, dtype=np.float64) / 4095
    y = np.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055)
    steps: NDArray[np.uint8] = np.rint(y * 255).astype(np.uint8)
    return steps
