"""The samplers Euler, Euler ancestral, Heun and LCM."""

from __future__ import annotations

from torch import Tensor

from lib_anim.engines.sampling.sampler_input import SamplerInput, ancestral_split


def euler(inputs: SamplerInput) -> Tensor:
    """Euler's method on dx/dσ = (x − D(x, σ))/σ: Karras et al. 2022, algorithm 1 without its correction."""
    x = inputs.x
    for here, there in inputs.steps():
        x = x + (x - inputs.denoise(x, here)) / here * (there - here)
    return x


def euler_ancestral(inputs: SamplerInput) -> Tensor:
    """Euler ancestral: an Euler step to a lower level, then fresh noise up to the next.

    In variance exploding form this is DDIM with its η: Song et al. 2021, eq. 12 and 16.
    """
    x = inputs.x
    for here, there in inputs.steps():
        down, up = ancestral_split(here, there, inputs.eta)
        x = x + (x - inputs.denoise(x, here)) / here * (down - here)
        if up > 0:
            x = x + inputs.draw(here, there) * up
    return x


def heun(inputs: SamplerInput) -> Tensor:
    """Heun's method: an Euler step, corrected by the mean slope of both ends: Karras et al. 2022, algorithm
    1."""
    x = inputs.x
    for here, there in inputs.steps():
        slope = (x - inputs.denoise(x, here)) / here
        landed = x + slope * (there - here)
        if there > 0:
            slope = (slope + (landed - inputs.denoise(landed, there)) / there) / 2
            landed = x + slope * (there - here)
        x = landed
    return x


def consistency(inputs: SamplerInput) -> Tensor:
    """LCM: the predicted clean latents, then fresh noise up to the next level: Luo et al. 2023, algorithm
    3."""
    x = inputs.x
    for here, there in inputs.steps():
        x = inputs.denoise(x, here)
        if there > 0:
            x = x + inputs.draw(here, there) * there
    return x
