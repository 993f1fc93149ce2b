"""The noise schedules that motion modules were trained with."""

from __future__ import annotations

import torch
from torch import Tensor

from lib_anim.models.motion.facts import Betas

STEPS = 1000


def alphas_cumprod(betas: Betas) -> Tensor:
    """(1000,) float64 on the CPU: ᾱ_t = Π_{s≤t}(1 − β_s) (Ho et al. 2020, eq. 4)."""
    if betas.spacing == "linear":
        steps = torch.linspace(betas.first, betas.last, STEPS, dtype=torch.float64)
    else:
        steps = torch.linspace(betas.first**0.5, betas.last**0.5, STEPS, dtype=torch.float64) ** 2
    return torch.cumprod(1 - steps, 0)
