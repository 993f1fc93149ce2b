"""The input of a sampler: initial latents, noise levels, denoiser and noise source."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor

Denoise = Callable[[Tensor, float], Tensor]
"""(x (B, C, H, W), σ) → the network's prediction of the clean latents."""

Draw = Callable[[float, float], Tensor]
"""(level, next level) → fresh unit noise of the latents' shape, on their device."""

Stepped = Callable[[int], None]
"""Called with the number of steps done."""


@dataclass(frozen=True, kw_only=True)
class SamplerInput:
    """Input of one sampling pass. Latents are x̂ = x + σ·noise ("variance exploding"; Karras et al. 2022,
    C.3.4)."""

    denoise: Denoise
    x: Tensor
    """Latents at the first level."""
    sigmas: Sequence[float]
    """Descending; the last may be 0."""
    draw: Draw
    eta: float
    """Share of fresh noise per step; 0 is deterministic."""
    stepped: Stepped

    def steps(self) -> Iterator[tuple[float, float]]:
        """(level, next level) of every step; calls `stepped` after each."""
        for i in range(len(self.sigmas) - 1):
            yield self.sigmas[i], self.sigmas[i + 1]
            self.stepped(i + 1)


def ancestral_split(here: float, there: float, eta: float) -> tuple[float, float]:
    """(level to step down to, noise to add) with down² + up² = there².

    up = η·√(there²·(here² − there²)/here²): Song et al. 2021 (DDIM), eq. 16, in σ; for η = 1 the standard
    deviation
    of the posterior, Ho et al. 2020, eq. 7.
    """
    up = min(there, eta * (there**2 * (here**2 - there**2) / here**2) ** 0.5)
    return (there**2 - up**2) ** 0.5, up
