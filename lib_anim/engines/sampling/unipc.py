"""The UniPC sampler.

Zhao et al. 2023, "UniPC: A Unified Predictor-Corrector Framework for Fast Sampling of Diffusion Models".
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from lib_anim.engines.sampling.sampler_input import SamplerInput

ORDER = 3


def unipc(inputs: SamplerInput) -> Tensor:
    """Multistep UniPC-3 with B(h) = h on data prediction: algorithms 7 and 8 in the paper's appendix.

    Written in variance exploding form, where h = ln(σ_here/σ_there) and α disappears. Order rises over the
    first steps and falls over the last; the last step is predicted and not corrected. Levels must stay
    above 0.
    """
    x = inputs.x
    total = len(inputs.sigmas) - 1
    highest = min(ORDER, total)
    guesses: list[Tensor] = []
    levels: list[float] = []
    for step, (here, there) in enumerate(inputs.steps(), start=1):
        if not guesses:
            guesses, levels = [inputs.denoise(x, here)], [here]
        order = min(highest, step, total + 1 - step) if step >= highest else step
        predicted = _update(x, guesses[-order:], levels[-order:], there, None)
        if step == total:
            x = predicted
            continue
        new = inputs.denoise(predicted, there)
        x = _update(x, guesses[-order:], levels[-order:], there, new)
        guesses = [*guesses, new][-highest:]
        levels = [*levels, there][-highest:]
    return x


def _update(
    x: Tensor, guesses: Sequence[Tensor], levels: Sequence[float], there: float, new: Tensor | None
) -> Tensor:
    """One step from the last of `levels` to `there`: UniP without `new`, UniC with the prediction there.

    Eq. 3 and 5 with h replaced by −h for data prediction: x·e^{−h} + D₀·(1 − e^{−h}) − B·Σ aₖ·Dₖ/rₖ with
    B = −h. The aₖ solve R·a = b, row k of R being rᵏ⁻¹ and b_k = φ_k·k!/B (theorem 3.1).
    """
    here, newest = levels[-1], guesses[-1]
    h = math.log(here / there)
    ratios = [math.log(here / level) / h for level in levels[-2::-1]]
    slopes = [(g - newest) / r for g, r in zip(guesses[-2::-1], ratios, strict=True)]
    if new is not None:
        ratios, slopes = [*ratios, 1.0], [*slopes, new - newest]
    x = x * (there / here) - newest * math.expm1(-h)
    for share, slope in zip(_shares(ratios, -h), slopes, strict=True):
        x = x + slope * (share * h)
    return x


def _shares(ratios: Sequence[float], h: float) -> list[float]:
    """The aₖ of theorem 3.1 for these ratios of distances; 1/2 for a single one, as the paper fixes it."""
    if len(ratios) < 2:
        return [0.5] * len(ratios)
    phi = math.expm1(h) / h - 1
    factorial = 1
    right = []
    for k in range(1, len(ratios) + 1):
        right.append(phi * factorial / h)
        factorial *= k + 1
        phi = phi / h - 1 / factorial
    rows = torch.tensor(ratios, dtype=torch.float64)
    left = torch.stack([rows**k for k in range(len(ratios))])
    solved: list[float] = torch.linalg.solve(left, torch.tensor(right, dtype=torch.float64)).tolist()
    return solved
