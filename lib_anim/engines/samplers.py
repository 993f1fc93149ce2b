"""Walks from noise to a picture: the samplers, as functions over noise levels and any denoiser.

Latents are x̂ = x + σ·noise ("variance exploding"; Karras et al. 2022, appendix C.3.4), so one loop serves
every network. Levels are plain floats, descending; the last may be 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

Denoise = Callable[[Tensor, float], Tensor]
"""(x (B, C, H, W), σ) → the network's guess of the clean latents."""

Draw = Callable[[], Tensor]
"""Fresh unit noise of the latents' shape, on their device."""

Stepped = Callable[[int], None]
"""Called with the number of steps done."""


@dataclass(frozen=True, kw_only=True)
class Walk:
    """What a sampler gets: where to start, which levels to visit, whom to ask."""

    denoise: Denoise
    x: Tensor
    sigmas: Sequence[float]
    draw: Draw
    eta: float
    stepped: Stepped


@dataclass(frozen=True, kw_only=True)
class Sampler:
    """One sampler and what the WebUI couples to its name."""

    name: str
    run: Callable[[Walk], Tensor]
    spacing: str = "Uniform"
    """What "Automatic" means for it."""
    eta: float = 0.0
    """Its own share of fresh noise per step, used when a request gives none."""


def euler(walk: Walk) -> Tensor:
    """Euler's method on dx/dσ = (x − D(x, σ))/σ: Karras et al. 2022, algorithm 1 without its correction."""
    x = walk.x
    for i, (here, there) in enumerate(zip(walk.sigmas[:-1], walk.sigmas[1:], strict=True)):
        slope = (x - walk.denoise(x, here)) / here
        x = x + slope * (there - here)
        walk.stepped(i + 1)
    return x


def euler_ancestral(walk: Walk) -> Tensor:
    """Euler's method to a lower level, then fresh noise up to the next: Song et al. 2021 (DDIM), eq. 16."""
    x = walk.x
    for i, (here, there) in enumerate(zip(walk.sigmas[:-1], walk.sigmas[1:], strict=True)):
        slope = (x - walk.denoise(x, here)) / here
        down, up = ancestral_split(here, there, walk.eta)
        x = x + slope * (down - here)
        if there > 0:
            x = x + walk.draw() * up
        walk.stepped(i + 1)
    return x


def ancestral_split(here: float, there: float, eta: float) -> tuple[float, float]:
    """(level to step down to, noise to add) with down² + up² = there².

    up = η·√(there²·(here² − there²)/here²), the posterior's deviation for η = 1 (Ho et al. 2020 eq. 7 in σ).
    """
    up = min(there, eta * (there**2 * (here**2 - there**2) / here**2) ** 0.5)
    return (there**2 - up**2) ** 0.5, up


SAMPLERS = {
    sampler.name: sampler
    for sampler in (
        Sampler(name="Euler a", run=euler_ancestral, eta=1.0),
        Sampler(name="Euler", run=euler),
    )
}
"""By the WebUI's names."""
