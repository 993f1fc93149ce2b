"""Seeded normal random numbers: torch's generators, and CUDA's Philox stream on any device."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Normals(Protocol):
    """A stream of normal random numbers."""

    def draw(self, shape: tuple[int, ...]) -> Tensor:
        """The next numbers of the stream, float32."""
        ...


class TorchNormals:
    """The stream of torch's generator on one device."""

    def __init__(self, seed: int, device: torch.device) -> None:
        self._generator = torch.Generator(device).manual_seed(seed)

    def draw(self, shape: tuple[int, ...]) -> Tensor:
        """The next numbers, on the generator's device."""
        return torch.randn(shape, generator=self._generator, device=self._generator.device)


class PhiloxNormals:
    """The numbers of `torch.randn` on CUDA for small tensors, computed with numpy.

    Philox 4×32-10 (Salmon et al. 2011, "Parallel Random Numbers: As Easy as 1, 2, 3", section 3.3) counts
    draws and elements under the seed as key; its first two words become a normal number by Box & Muller 1958.
    """

    def __init__(self, seed: int) -> None:
        self._key = np.array([seed & 0xFFFFFFFF, (seed >> 32) & 0xFFFFFFFF], np.uint64)
        self._drawn = 0

    def draw(self, shape: tuple[int, ...]) -> Tensor:
        """The next numbers, on the CPU."""
        count = int(np.prod(shape))
        counter = np.zeros((4, count), np.uint64)
        counter[0] = self._drawn
        counter[2] = np.arange(count)
        self._drawn += 1
        words = _philox(counter, self._key)
        # Half a step is added to keep the logarithm finite.
        unit = words[0].astype(np.float64) * 2.0**-32 + 2.0**-33
        angle = (words[1].astype(np.float64) * 2.0**-32 + 2.0**-33) * (2 * np.pi)
        normals = np.sqrt(-2 * np.log(unit)) * np.sin(angle)
        return torch.from_numpy(normals.astype(np.float32).reshape(shape))


def _philox(counter: NDArray[np.uint64], key: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Ten rounds over (4, n) counters of 32 bits held in 64."""
    low = np.uint64(0xFFFFFFFF)
    key = key.copy()
    c0, c1, c2, c3 = counter
    for _ in range(10):
        first = c0 * np.uint64(0xD2511F53)
        second = c2 * np.uint64(0xCD9E8D57)
        c0, c1, c2, c3 = (
            (second >> np.uint64(32)) ^ c1 ^ key[0],
            second & low,
            (first >> np.uint64(32)) ^ c3 ^ key[1],
            first & low,
        )
        key = (key + np.array([0x9E3779B9, 0xBB67AE85], np.uint64)) & low
    return np.stack([c0, c1, c2, c3])
