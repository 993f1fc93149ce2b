"""Two tensors on the way into each other, along a line or an arc."""

from __future__ import annotations

import torch
from torch import Tensor

from lib_anim.types import Mixing


def between(a: Tensor, b: Tensor, weight: float, how: Mixing) -> Tensor:
    """`a` and `b` (…, width) mixed; `weight` 0 … 1 is b's share.

    Along the line, or each direction along its arc and lengths along the line (Shoemake 1985).
    """
    line = torch.lerp(a, b, weight)
    if how == "lerp":
        return line
    lengths = a.norm(dim=-1, keepdim=True), b.norm(dim=-1, keepdim=True)
    u, v = a / lengths[0].clamp(min=1e-12), b / lengths[1].clamp(min=1e-12)
    angle = torch.acos((u * v).sum(-1, keepdim=True).clamp(-1, 1))
    # Near 0 and π the arc is no arc: there the line is taken.
    sine = torch.sin(angle)
    arc = (torch.sin((1 - weight) * angle) * u + torch.sin(weight * angle) * v) / sine.clamp(min=1e-4)
    return torch.where(sine > 1e-3, arc * torch.lerp(*lengths, weight), line)
