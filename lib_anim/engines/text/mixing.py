"""Interpolation of two tensors, linear (lerp) or spherical (slerp)."""

from __future__ import annotations

import torch
from torch import Tensor

from lib_anim.types import Mixing


def between(a: Tensor, b: Tensor, weight: float, how: Mixing) -> Tensor:
    """Interpolates `a` and `b` (…, width); `weight` 0 … 1 is b's share.

    lerp, or slerp of the directions with linear lengths (Shoemake 1985).
    """
    line = torch.lerp(a, b, weight)
    if how == "lerp":
        return line
    lengths = a.norm(dim=-1, keepdim=True), b.norm(dim=-1, keepdim=True)
    u, v = a / lengths[0].clamp(min=1e-12), b / lengths[1].clamp(min=1e-12)
    angle = torch.acos((u * v).sum(-1, keepdim=True).clamp(-1, 1))
    # slerp is undefined near 0 and π: lerp is used there.
    sine = torch.sin(angle)
    arc = (torch.sin((1 - weight) * angle) * u + torch.sin(weight * angle) * v) / sine.clamp(min=1e-4)
    return torch.where(sine > 1e-3, arc * torch.lerp(*lengths, weight), line)
