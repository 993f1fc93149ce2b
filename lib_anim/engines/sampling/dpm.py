"""DPM-Solver++ samplers.

Lu et al. 2022, "DPM-Solver++: Fast Solver for Guided Sampling of Diffusion Probabilistic Models". Written
in σ of the variance exploding form: λ = −ln σ, and the paper's α disappears.
"""

from __future__ import annotations

import math

from torch import Tensor

from lib_anim.engines.sampling.sampler_input import SamplerInput, ancestral_split


def two_m(inputs: SamplerInput) -> Tensor:
    """DPM-Solver++(2M): algorithm 2, eq. 20; the step to 0 returns the network's prediction."""
    x = inputs.x
    before: Tensor | None = None
    last = 0.0
    for here, there in inputs.steps():
        guess = inputs.denoise(x, here)
        if there == 0:
            x = guess
            continue
        h = math.log(here / there)
        ahead = guess if before is None else guess + (guess - before) * (h / (2 * last))
        x = x * (there / here) - ahead * math.expm1(-h)
        before, last = guess, h
    return x


def two_m_sde(inputs: SamplerInput) -> Tensor:
    """SDE-DPM-Solver++(2M): the paper's appendix B.2 (eq. 51, midpoint form), with η scaling the noise.

    The drift shrinks by exp(−(1 + η)·h) instead of exp(−2h), so that η = 0 is the 2M solver.
    """
    x = inputs.x
    before: Tensor | None = None
    last = 0.0
    for here, there in inputs.steps():
        guess = inputs.denoise(x, here)
        if there == 0:
            x = guess
            continue
        h = math.log(here / there)
        pull = -math.expm1(-h * (1 + inputs.eta))
        x = x * (there / here * math.exp(-h * inputs.eta)) + guess * pull
        if before is not None:
            x = x + (guess - before) * (pull * h / (2 * last))
        if inputs.eta > 0:
            x = x + inputs.draw(here, there) * (there * math.sqrt(-math.expm1(-2 * h * inputs.eta)))
        before, last = guess, h
    return x


def sde(inputs: SamplerInput) -> Tensor:
    """DPM++ SDE: a stochastic second-order single-step solver with its midpoint at half of the step in λ.

    DPM-Solver++(2S), algorithm 1 with r = 1/2, whose two stages step to the lower level of an ancestral
    split and add noise, as in k-diffusion. The noise of both stages is from one Brownian path. The step to 0
    returns the network's prediction.
    """
    x = inputs.x
    for here, there in inputs.steps():
        guess = inputs.denoise(x, here)
        if there == 0:
            x = guess
            continue
        middle = math.sqrt(here * there)
        down, up = ancestral_split(here, middle, inputs.eta)
        inner = x * (down / here) + guess * (1 - down / here)
        if up > 0:
            inner = inner + inputs.draw(here, middle) * up
        guess = inputs.denoise(inner, middle)
        down, up = ancestral_split(here, there, inputs.eta)
        x = x * (down / here) + guess * (1 - down / here)
        if up > 0:
            x = x + inputs.draw(here, there) * up
    return x
