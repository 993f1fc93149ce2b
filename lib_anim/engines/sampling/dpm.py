"""DPM-Solver++ samplers.

Lu et al. 2022, "DPM-Solver++: Fast Solver for Guided Sampling of Diffusion Probabilistic Models". Written
in σ of the variance exploding form: λ = −ln σ, and the paper's α disappears.
"""

from __future__ import annotations

import math

from torch import Tensor

from lib_anim.engines.sampling.sampler_input import SamplerInput, ancestral_split


def two_m(walk: SamplerInput) -> Tensor:
    """DPM-Solver++(2M): algorithm 2, eq. 20; the step to 0 takes the network's guess itself."""
    x = walk.x
    before: Tensor | None = None
    last = 0.0
    for here, there in walk.steps():
        guess = walk.denoise(x, here)
        if there == 0:
            x = guess
            continue
        h = math.log(here / there)
        ahead = guess if before is None else guess + (guess - before) * (h / (2 * last))
        x = x * (there / here) - ahead * math.expm1(-h)
        before, last = guess, h
    return x


def two_m_sde(walk: SamplerInput) -> Tensor:
    """SDE-DPM-Solver++(2M): the paper's appendix B.2 (eq. 51, midpoint form), with η scaling the noise.

    The drift shrinks by exp(−(1 + η)·h) instead of exp(−2h), so that η = 0 is the 2M solver.
    """
    x = walk.x
    before: Tensor | None = None
    last = 0.0
    for here, there in walk.steps():
        guess = walk.denoise(x, here)
        if there == 0:
            x = guess
            continue
        h = math.log(here / there)
        pull = -math.expm1(-h * (1 + walk.eta))
        x = x * (there / here * math.exp(-h * walk.eta)) + guess * pull
        if before is not None:
            x = x + (guess - before) * (pull * h / (2 * last))
        if walk.eta > 0:
            x = x + walk.draw(here, there) * (there * math.sqrt(-math.expm1(-2 * h * walk.eta)))
        before, last = guess, h
    return x


def sde(walk: SamplerInput) -> Tensor:
    """A stochastic second order single-step solver with its middle at half the way in λ.

    DPM-Solver++(2S), algorithm 1 with r = 1/2, whose two stages walk to the lower level of an ancestral
    split and add noise; known from k-diffusion as DPM++ SDE. The noise of both stages belongs to one
    Brownian path. The step to 0 takes the network's guess itself.
    """
    x = walk.x
    for here, there in walk.steps():
        guess = walk.denoise(x, here)
        if there == 0:
            x = guess
            continue
        middle = math.sqrt(here * there)
        down, up = ancestral_split(here, middle, walk.eta)
        inner = x * (down / here) + guess * (1 - down / here)
        if up > 0:
            inner = inner + walk.draw(here, middle) * up
        guess = walk.denoise(inner, middle)
        down, up = ancestral_split(here, there, walk.eta)
        x = x * (down / here) + guess * (1 - down / here)
        if up > 0:
            x = x + walk.draw(here, there) * up
    return x
