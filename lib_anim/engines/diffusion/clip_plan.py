"""Converts a request's motion module settings to the clip session's plan."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from lib_anim.engines.contract.requests import Steering
from lib_anim.motion.plan import ClipPlan, Factor
from lib_anim.types import Mask


def clip_plan(steering: Steering, frames: int) -> ClipPlan:
    """The session's plan for `frames` denoised together.

    Raises FlipbookError when the numbers contradict each other.
    """
    return ClipPlan(
        frames=frames,
        context=steering.context,
        stride=steering.stride,
        overlap=steering.overlap,
        closed_loop=steering.closed_loop,
        schedule=steering.schedule,
        fusion=steering.fusion,
        scale=replace(_scale(steering.scale, steering.scale_mask), blocks=steering.scale_blocks),
        effect=Factor(
            steering.effect,
            None if steering.effect_mask is None else _plane(steering.effect_mask),
            steering.effect_blocks,
        ),
    )


def _plane(mask: Mask) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(mask))[None]


def _scale(values: tuple[float, ...], mask: Mask | None) -> Factor:
    """Where the mask is 0 the scale is 1 at every frame: a factor of 0 would blank the keys instead."""
    if mask is None:
        return Factor(values)
    factors = torch.tensor(values).view(-1, 1, 1)
    return Factor(mask=1 + (factors - 1) * _plane(mask))
