"""Noise and random numbers from whole-number hashing: the same on every machine and library version.

Everything here is unsigned 64-bit arithmetic modulo 2**64 and exactly rounded float operations, so no
maths library can change a bit of it. The mixing step is SplitMix64's finaliser (Steele, Lea and
Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Word = NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_TOP_53_BITS = np.uint64(11)
_PERIOD = 2.0**52
"""Whole numbers beyond this are folded: floats past 2**53 have no neighbours one apart."""


def _mixed(words: Word) -> Word:
    """SplitMix64's finaliser after one step of its counter."""
    words = words + _GOLDEN
    words = (words ^ (words >> np.uint64(30))) * _FIRST
    words = (words ^ (words >> np.uint64(27))) * _SECOND
    return words ^ (words >> np.uint64(31))


def _words(numbers: Float) -> Word:
    """Whole floats as 64-bit words, two's complement; not-a-number counts as 0."""
    folded = np.fmod(np.where(np.isfinite(numbers), numbers, 0.0), _PERIOD)
    return folded.astype(np.int64).astype(np.uint64)


def uniform(seed: int, stream: Float, index: Float) -> Float:
    """One number in [0, 1) for each pair of `stream` (the user's k) and `index`, independent of all others.

    Both broadcast; fractions are cut by floor. 53 random bits each.
    """
    start = _mixed(np.full((1,), seed & 0xFFFF_FFFF_FFFF_FFFF, dtype=np.uint64))
    streams = _mixed(start ^ _words(np.floor(np.atleast_1d(stream))))
    words = _mixed(streams ^ _words(np.floor(np.atleast_1d(index))))
    return (words >> _TOP_53_BITS).astype(np.float64) * 2.0**-53


def smooth_noise(seed: int, x: Float, stream: Float) -> Float:
    """Value noise in -1..1: a random number at every whole x, joined by 6u⁵ − 15u⁴ + 10u³.

    The join is Perlin's ("Improving noise", SIGGRAPH 2002): first and second derivative are
    continuous. Not-a-number where x is not finite.
    """
    finite = np.isfinite(np.atleast_1d(x))
    x = np.where(finite, x, 0.0)
    left = np.floor(x)
    u = x - left
    weight = u * u * u * (u * (u * 6.0 - 15.0) + 10.0)
    a = uniform(seed, stream, left)
    b = uniform(seed, stream, left + 1.0)
    values = 2.0 * (a + (b - a) * weight) - 1.0
    return np.where(finite, values, np.nan)
