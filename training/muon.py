"""The optimiser: Muon for weight matrices and kernels, AdamW for everything else.

Muon (Jordan et al., 2024) replaces the momentum of a matrix by its nearest semi-orthogonal matrix, found
by five Newton–Schulz steps; short trainings of narrow networks need markedly fewer steps with it.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
MATCH_ADAM = 0.2
"""Times sqrt(longer side): the root mean square of an update is then AdamW's (Liu et al., 2025)."""


def orthogonalise(matrices: torch.Tensor) -> torch.Tensor:
    """About U·Vᵀ for each matrix = U·S·Vᵀ, shape (..., A, B)."""
    a, b, c = NEWTON_SCHULZ
    tall = matrices.shape[-2] > matrices.shape[-1]
    wide = matrices.mT if tall else matrices
    wide = wide / (torch.linalg.matrix_norm(wide, keepdim=True) + 1e-7)
    for _ in range(5):
        gram = wide @ wide.mT
        wide = a * wide + (b * gram + c * gram @ gram) @ wide
    return wide.mT if tall else wide


class Muon(torch.optim.Optimizer):
    """Muon for parameters of two dimensions and more; trailing dimensions of a kernel count as one."""

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float, momentum: float = 0.95) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": 0.01})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One update of every parameter that has a gradient; equal shapes are worked on together."""
        for group in self.param_groups:
            alike: dict[tuple[int, int], list[tuple[nn.Parameter, torch.Tensor]]] = {}
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(parameter)
                speed = state["momentum"].lerp_(parameter.grad, 1 - group["momentum"])
                ahead = parameter.grad.lerp(speed, group["momentum"]).reshape(parameter.shape[0], -1)
                alike.setdefault((ahead.shape[0], ahead.shape[1]), []).append((parameter, ahead))
            for shape, members in alike.items():
                updates = orthogonalise(torch.stack([ahead for _, ahead in members]))
                scale = MATCH_ADAM * max(shape) ** 0.5
                for (parameter, _), update in zip(members, updates, strict=True):
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    parameter.add_(update.reshape(parameter.shape), alpha=-group["lr"] * scale)


def optimisers(modules: Iterable[nn.Module], lr: float) -> list[torch.optim.Optimizer]:
    """Muon for hidden weights, AdamW for embeddings, first and last layers, biases and norms."""
    hidden, rest = [], []
    for module in modules:
        for name, parameter in module.named_parameters():
            if not parameter.requires_grad:
                continue
            outer = any(part in name for part in ("conv_in", "conv_out.", "embedding", "quant_conv"))
            (rest if parameter.ndim < 2 or outer else hidden).append(parameter)
    return [Muon(hidden, lr), torch.optim.AdamW(rest, lr=lr, betas=(0.9, 0.99), weight_decay=0.0)]
