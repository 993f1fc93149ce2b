"""Samplers of Euler's family: straight, ancestral, with Heun's correction, and for consistency models."""

from __future__ import annotations

from torch import Tensor

from lib_anim.engines.sampling.sampler_input import SamplerInput, ancestral_split


def euler(walk: SamplerInput) -> Tensor:
    """Euler's method on dx/dσ = (x − D(x, σ))/σ: Karras et al. 2022, algorithm 1 without its correction."""
    x = walk.x
    for here, there in walk.steps():
        x = x + (x - walk.denoise(x, here)) / here * (there - here)
    return x


def euler_ancestral(walk: SamplerInput) -> Tensor:
    """Euler's method to a lower level, then fresh noise up to the next.

    In variance exploding form this is DDIM with its η: Song et al. 2021, eq. 12 and 16.
    """
    x = walk.x
    for here, there in walk.steps():
        down, up = ancestral_split(here, there, walk.eta)
        x = x + (x - walk.denoise(x, here)) / here * (down - here)
        if up > 0:
            x = x + walk.draw(here, there) * up
    return x


def heun(walk: SamplerInput) -> Tensor:
    """Euler's step, then again with the mean of the slopes at both ends: Karras et al. 2022, algorithm 1."""
    x = walk.x
    for here, there in walk.steps():
        slope = (x - walk.denoise(x, here)) / here
        landed = x + slope * (there - here)
        if there > 0:
            slope = (slope + (landed - walk.denoise(landed, there)) / there) / 2
            landed = x + slope * (there - here)
        x = landed
    return x


def consistency(walk: SamplerInput) -> Tensor:
    """All the way down, then fresh noise up to the next level: Luo et al. 2023 (LCM), algorithm 3."""
    x = walk.x
    for here, there in walk.steps():
        x = walk.denoise(x, here)
        if there > 0:
            x = x + walk.draw(here, there) * there
    return x
