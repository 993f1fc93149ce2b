"""Noise from one Brownian path over σ, which makes stochastic samplers nearly independent of the step
count."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lib_anim.engines.sampling.randomness import Normals, TorchNormals

DIGITS = 6
"""Decimals of σ between which the path is not divided further; torchsde's own default."""

POOL = 24
"""Words of entropy from which seeds are drawn; torchsde's default for trees."""

REMEMBERED = 64
"""Number of cached intervals; adjacent steps share their ends."""


def _on_cpu(seed: int) -> Normals:
    return TorchNormals(seed, torch.device("cpu"))


@dataclass(frozen=True)
class _Interval:
    """A node of the binary interval tree."""

    start: float
    end: float
    key: int
    """0 for the whole; 2·key for the left half, 2·key + 1 for the right."""
    depth: int

    @property
    def middle(self) -> float:
        return round(0.5 * (self.start + self.end), DIGITS)


class BrownianNoise:
    """Unit noise between two levels: (W(there) − W(here))/√|there − here| of one path W per seed.

    The path is drawn by bisection, each half from a seed of its tree position (Li et al. 2020, "Scalable
    Gradients for SDEs", section 4), and has the numbers of torchsde's `BrownianTree`, as the WebUI sets it
    up for
    DPM++ SDE and 2M SDE. torchsde supports torch's generators only; here the
    noise source draws.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        seed: int,
        reach: tuple[float, float],
        normals: Callable[[int], Normals] = _on_cpu,
    ) -> None:
        """`shape` (C, H, W); `reach`: smallest and largest level that is requested; `normals`: seed →
        stream of
        the noise source."""
        # Levels are float32 in the WebUI.
        low, high = (float(np.float32(level)) for level in reach)
        self._shape = shape
        self._seed = seed
        self._normals = normals
        self._whole = _Interval(round(low, DIGITS), round(high, DIGITS), 0, 0)
        (first,) = np.random.SeedSequence(seed, pool_size=POOL).generate_state(1)
        self._all = self._drawn(int(first)) * math.sqrt(high - low)
        self._known: OrderedDict[_Interval, Tensor] = OrderedDict()

    def between(self, here: float, there: float) -> Tensor:
        """(C, H, W) float32, where the noise source draws, for a step from `here` down to `there`."""
        low = max(round(there, DIGITS), self._whole.start)
        high = min(round(here, DIGITS), self._whole.end)
        return -self._increment(self._whole, self._all, low, high) / math.sqrt(here - there)

    def _drawn(self, seed: int) -> Tensor:
        return self._normals(seed).draw(self._shape)

    def _increment(self, within: _Interval, path: Tensor, low: float, high: float) -> Tensor:
        """W(high) − W(low), where `path` is the increment over all of `within`."""
        if low >= high:
            return torch.zeros_like(path)
        if (low, high) == (within.start, within.end):
            return path
        middle = within.middle
        left = _Interval(within.start, middle, 2 * within.key, within.depth + 1)
        right = _Interval(middle, within.end, 2 * within.key + 1, within.depth + 1)
        first = self._left(within, left, path)
        if high <= middle:
            return self._increment(left, first, low, high)
        if low >= middle:
            return self._increment(right, path - first, low, high)
        return self._increment(left, first, low, middle) + self._increment(right, path - first, middle, high)

    def _left(self, within: _Interval, left: _Interval, path: Tensor) -> Tensor:
        """The increment over the left half: a Brownian bridge's value there."""
        if left in self._known:
            self._known.move_to_end(left)
            return self._known[left]
        key = (within.key, within.depth)
        (seed,) = np.random.SeedSequence(self._seed, spawn_key=key, pool_size=POOL).generate_state(1)
        ahead, behind, whole = left.end - left.start, within.end - left.end, within.end - within.start
        noise = self._drawn(int(seed)) * math.sqrt(ahead * behind / whole)
        self._known[left] = path * (ahead / whole) + noise
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return self._known[left]
