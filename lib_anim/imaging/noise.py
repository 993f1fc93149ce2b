"""Noise added to the init picture: Gaussian, or Gaussian modulated by Perlin noise."""

from __future__ import annotations

import math
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from lib_anim.errors import FlipbookError, Problem
from lib_anim.types import Mask, NoiseType, Picture

"""Deforum's words; its "uniform" is Gaussian white noise, and so is ours."""


def add_noise(
    picture: Picture,
    amount: float,
    seed: int | np.random.Generator,
    *,
    kind: NoiseType = "uniform",
    mask: Mask | None = None,
    octaves: int = 4,
    persistence: float = 0.5,
    cells: tuple[float, float] = (8.0, 8.0),
) -> Picture:
    """Return the picture with noise of strength `amount` (0 … 1), in [0, 1], where `mask` is above 0.

    The noise is Deforum's: Gaussian, cut off at ±1, times amount / 2, so the standard deviation is 0.36 ·
    amount at most. What Deforum does besides is left out: it blends a noise picture over the frame, which
    pulls every pixel towards grey by `amount` (and what the mask protects all the way). Here the noise has
    mean zero and is limited per pixel to the room left below white and above black, so the mean stays and
    nothing is cut off; pure black and pure white stay as they are. Where the mask is 0, and everywhere when
    `amount` is 0, the picture comes back bit for bit. `kind` "perlin" multiplies the noise by `perlin`'s
    clouds moved to 0 … 1, with these octaves, persistence and cells (Deforum's perlin_w counts them down the
    picture, perlin_h across it). The same seed and size give the same noise.
    Raises FlipbookError for an amount outside 0 … 1.
    """
    if not 0 <= amount <= 1:
        raise FlipbookError(
            Problem(
                f"is {amount:g} in this frame; it must be between 0 and 1", "noise", code="value.not_allowed"
            )
        )
    generator = np.random.default_rng(seed)
    height, width = picture.shape[:2]
    noise = _gaussian(height, width, generator)
    if kind == "perlin":
        clouds = perlin(height, width, generator, octaves=octaves, persistence=persistence, cells=cells)
        clouds += 1
        clouds /= 2
        noise *= cv2.merge((clouds, clouds, clouds))
    np.clip(noise, -1, 1, out=noise)
    noise = np.asarray(cv2.subtract(noise, np.array(cv2.mean(noise)), noise), np.float32)
    room = np.minimum(picture, 1 - picture)
    np.minimum(room, np.float32(amount / 2), out=room)
    noise *= room
    if mask is not None:
        noise *= cv2.merge((mask, mask, mask))
    noise += picture
    return np.clip(noise, 0, 1, out=noise)


def _gaussian(height: int, width: int, generator: np.random.Generator) -> Picture:
    """Return standard normal values, float32 (height, width, 3), out to ±4.3.

    By 16-bit draws through the inverse of the distribution, so four to eight times faster than
    `Generator.standard_normal` and, the table being symmetric, of mean zero exactly.
    """
    draws = generator.integers(0, 65536, (height, width, 3), dtype=np.uint16)
    values: Picture = _normal_table().take(draws, mode="wrap")
    return values


@cache
def _normal_table() -> NDArray[np.float32]:
    return np.asarray(ndtri((np.arange(65536) + 0.5) / 65536), np.float32)


def perlin(
    height: int,
    width: int,
    seed: int | np.random.Generator,
    *,
    octaves: int = 4,
    persistence: float = 0.5,
    cells: tuple[float, float] = (8.0, 8.0),
) -> NDArray[np.float32]:
    """Return Perlin's gradient noise, float32 (height, width).

    Octave k = 0, 1, … has cells · 2^k cells and weight persistence^k. Each lies in [−1, 1] (unit gradients,
    times √2), their sum in ±(1 + p + p² + …). `cells` counts the first octave's cells down and across the
    picture; it need not be whole, and any size works. After K. Perlin, "Improving Noise" (2002): fade
    6t⁵ − 15t⁴ + 10t³.
    Raises FlipbookError for fewer than one octave and for cells that are not positive.
    """
    if octaves < 1:
        raise FlipbookError(
            Problem(
                f"is {octaves}; at least one octave is needed", "perlin_octaves", code="value.not_allowed"
            )
        )
    if min(cells) <= 0:
        raise FlipbookError(
            Problem(f"is {min(cells):g}; it must be above 0", "perlin_w, perlin_h", code="value.not_allowed")
        )
    generator = np.random.default_rng(seed)
    downs, acrosses = [], []
    for octave in range(octaves):
        # A pixel is the sum over four corners of weight(y) weight(x) (gx dx + gy dy), which is two products
        # of matrices; those of all octaves side by side are one.
        weight_y, reach_y = _corner_weights(height, cells[0] * 2**octave)
        weight_x, reach_x = _corner_weights(width, cells[1] * 2**octave)
        corners = (weight_y.shape[1], weight_x.shape[1])
        angle = generator.random(corners, dtype=np.float32) * np.float32(2 * math.pi)
        share = np.float32(math.sqrt(2) * persistence**octave)
        downs += [weight_y @ (share * np.cos(angle)), reach_y @ (share * np.sin(angle))]
        acrosses += [reach_x.T, weight_x.T]
    total: NDArray[np.float32] = np.hstack(downs) @ np.vstack(acrosses)
    return total


def _corner_weights(length: int, cells: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return each pixel's fade weight of each corner, and that times the distance; (length, corners) both."""
    position = np.arange(length) * (cells / length)
    corner = np.floor(position).astype(np.intp)
    inside = position - corner
    fade = inside**3 * (inside * (inside * 6 - 15) + 10)
    weight, reach = np.zeros((2, length, int(corner[-1]) + 2), np.float32)
    pixel = np.arange(length)
    weight[pixel, corner], weight[pixel, corner + 1] = 1 - fade, fade
    reach[pixel, corner], reach[pixel, corner + 1] = (1 - fade) * inside, fade * (inside - 1)
    return weight, reach
