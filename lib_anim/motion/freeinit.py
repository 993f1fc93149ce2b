"""FreeInit: new initial noise with the low frequencies of the last result (Wu et al. 2023)."""

from __future__ import annotations

import torch
from torch import Tensor

from lib_anim.types import FreeInitFilter

ORDER = 4
"""Of the Butterworth filter."""


def low_pass(shape: tuple[int, int, int], kind: FreeInitFilter, spatial: float, temporal: float) -> Tensor:
    """Low-pass filter (frames, h, w) float32: the share of each frequency that is kept, zero frequency
    centred.

    With D² = ((d_s/d_t)·f)² + y² + x², each axis from −1 to 1: gaussian exp(−D²/2d_s²), butterworth
    1/(1 + (D²/d_s²)⁴), ideal 1 up to D² = 2·d_s (as published), box a block in the centre. A stop
    frequency of 0 keeps nothing.
    """
    if spatial == 0 or temporal == 0:
        return torch.zeros(shape)
    if kind == "box":
        return _box(shape, spatial, temporal)
    axes = [2 * torch.arange(side, dtype=torch.float64) / side - 1 for side in shape]
    distance = (
        (spatial / temporal * axes[0]).square()[:, None, None] + axes[1].square()[:, None] + axes[2].square()
    )
    if kind == "gaussian":
        return torch.exp(-distance / (2 * spatial**2)).float()
    if kind == "butterworth":
        return (1 / (1 + (distance / spatial**2) ** ORDER)).float()
    return (distance <= spatial * 2).float()


def renewed(latents: Tensor, start: Tensor, fresh: Tensor, alpha: float, kept: Tensor) -> Tensor:
    """The next iteration's unit noise (frames, C, h, w), float32.

    `latents` is the last result, `start` the first iteration's noise, `fresh` new noise, `alpha` ᾱ of the
    last training step, `kept` a low pass: low frequencies of √ᾱ·latents + √(1 − ᾱ)·start, high ones of
    `fresh`.
    """
    noised = alpha**0.5 * latents.float() + (1 - alpha) ** 0.5 * start.float()
    axes = (0, 2, 3)
    # The mask is shifted once to the FFT's frequency order, so that no spectrum has to be shifted.
    mask = torch.fft.ifftshift(kept.to(latents.device))[:, None]
    high = torch.fft.fftn(fresh.float(), dim=axes)
    mixed = high + (torch.fft.fftn(noised, dim=axes) - high) * mask
    result: Tensor = torch.fft.ifftn(mixed, dim=axes).real
    return result


def _box(shape: tuple[int, int, int], spatial: float, temporal: float) -> Tensor:
    """Box filter; both half sizes of a picture are computed from its height, as published."""
    half = (round(shape[0] // 2 * temporal), *(round(shape[1] // 2 * spatial),) * 2)
    result = torch.zeros(shape)
    where = tuple(
        slice(max(side // 2 - reach, 0), side // 2 + reach) for side, reach in zip(shape, half, strict=True)
    )
    result[where] = 1.0
    return result
