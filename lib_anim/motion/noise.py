"""Initial noise of a clip, computed from each frame's own noise."""

from __future__ import annotations

import torch
from torch import Tensor

from lib_anim.errors import FlipbookError, Problem
from lib_anim.motion.plan import ClipPlan
from lib_anim.types import ClipNoise


def clip_noise(own: Tensor, kind: ClipNoise, plan: ClipPlan, *, seed: int, shared: float = 0.5) -> Tensor:
    """The clip's noise (frames, C, h, w), a new tensor; `own` is unit noise of the same shape.

    - `per frame`: `own` itself.
    - `shared`: √r·(one noise for all) + √(1 − r)·own, r = `shared`; each frame keeps unit variance
      (Ge et al. 2023, "Preserve Your Own Correlation", mixed noise).
    - `repeated`: the first window's noise, repeated.
    - `FreeNoise`: the first window's, then in blocks of context − overlap the same frames shuffled
      (Qiu et al. 2023, FreeNoise, 3.2), so that windows share noise in new orders.

    `seed` is for additional random numbers. Raises FlipbookError for a share outside 0 … 1.
    """
    if kind == "per frame":
        return own.clone()
    if kind == "shared":
        if not 0 <= shared <= 1:
            raise FlipbookError(
                Problem(
                    f"{shared:g} is out of range; use 0 … 1",
                    field="noise_shared",
                    code="value.out_of_range",
                )
            )
        common = torch.randn(own.shape[1:], generator=_generator(seed)).to(own)
        mixed: Tensor = shared**0.5 * common + (1 - shared) ** 0.5 * own
        return mixed
    if kind == "repeated":
        return own[torch.arange(len(own), device=own.device) % min(plan.context, len(own))]
    return shuffled(own, plan.context, plan.context - plan.shared, _generator(seed))


def shuffled(own: Tensor, context: int, stride: int, generator: torch.Generator) -> Tensor:
    """FreeNoise's noise: after the first `context` frames, blocks of `stride` frames are shuffled copies of
    the
    block one context earlier."""
    result = own.clone()
    count = len(own)
    for start in range(context, count, stride):
        order = torch.randperm(stride, generator=generator) + (start - context)
        end = min(start + stride, count)
        result[start:end] = result[order[: end - start].to(own.device)]
    return result


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
