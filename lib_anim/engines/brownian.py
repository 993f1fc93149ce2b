"""Noise of one Brownian path over σ, so that a stochastic solver's result hardly depends on its steps."""

from __future__ import annotations

import math

import torch
import torchsde  # type: ignore[import-untyped]
from torch import Tensor

DIGITS = 6
"""Decimals of σ between which the path is not divided further; torchsde's own default."""


class BrownianNoise:
    """Unit noise between two levels: (W(there) − W(here))/√|there − here| of one path W per seed.

    The path is torchsde's BrownianTree (Li et al. 2020, "Scalable Gradients for SDEs", section 4), drawn on
    the CPU, as the WebUI sets it up for DPM++ SDE and 2M SDE.
    """

    def __init__(self, shape: tuple[int, int, int], seed: int, reach: tuple[float, float]) -> None:
        """`shape` (C, H, W); `reach`: smallest and largest level that will be asked for."""
        low, high = (torch.tensor(level) for level in reach)
        self._ends = tuple(round(level, DIGITS) for level in reach)
        self._tree = torchsde.BrownianTree(low, torch.zeros(shape), high, tol=10**-DIGITS, entropy=seed)

    def between(self, here: float, there: float) -> Tensor:
        """(C, H, W) float32 on the CPU for a step from `here` down to `there`."""
        # The tree rounds its own ends to its tolerance and complains about anything outside them.
        path: Tensor = self._tree(max(there, self._ends[0]), min(here, self._ends[1]))
        return -path / math.sqrt(here - there)
