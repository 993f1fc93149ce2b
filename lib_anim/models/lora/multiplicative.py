"""Multiplicative formats related to LoRA: factors, products with the weight, rotations (IA3, GLoRA, OFT)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lib_anim.models.lora.deltas import Change


@dataclass(frozen=True, kw_only=True)
class Factors(Change):
    """IA3 (Liu et al. 2022, "Few-Shot Parameter-Efficient Fine-Tuning") as LyCORIS keeps it: W·f is added."""

    values: Tensor
    """One factor per input or output, of any shape."""
    on_input: bool

    def fits(self, weight: Tensor) -> bool:
        return weight.ndim > 1 and self.values.numel() == weight.shape[self._axis]

    def product(self, weight: Tensor) -> Tensor:
        along = [1] * weight.ndim
        along[self._axis] = -1
        return weight * self.values.to(weight).reshape(along)

    @property
    def _axis(self) -> int:
        return 1 if self.on_input else 0


@dataclass(frozen=True, kw_only=True)
class Generalized(Change):
    """GLoRA (Chavan et al. 2023, "One-for-All", without its vectors): W·A + B is added, both of low rank.

    As in the WebUI the layer's alpha says nothing.
    """

    weight_side: tuple[Tensor, Tensor]
    """(in, rank) and (rank, in), whose product A the weight is multiplied with."""
    added: tuple[Tensor, Tensor]
    """(out, rank) and (rank, in), whose product B is added."""

    def fits(self, weight: Tensor) -> bool:
        outputs, inputs = weight.shape[0], weight.numel() // weight.shape[0]
        into, out = self.weight_side[0].shape[0], self.added[0].shape[0]
        return (outputs, inputs) == (out, into)

    def product(self, weight: Tensor) -> Tensor:
        flat = weight.flatten(1)
        a, b = ([part.to(weight).flatten(1) for part in pair] for pair in (self.weight_side, self.added))
        return b[0] @ b[1] + (flat @ a[0]) @ a[1]


@dataclass(frozen=True, kw_only=True)
class Rotated(Change):
    """OFT (Qiu et al. 2023, "Controlling Text-to-Image Diffusion by Orthogonal Finetuning"): blocks of
    outputs are rotated; with four axes BOFT (Liu et al. 2024), rounds of rotations between butterfly orders.

    `alpha` times the number of outputs bounds the norm of all blocks together, as in kohya's COFT.
    """

    blocks: Tensor
    """(blocks, size, size); (rounds, blocks, size, size) for BOFT."""
    finished: bool = False
    """Whether the blocks are rotations, as in LyCORIS' first files; else rotations are made of them by
    Cayley's transform (I + Q)(I − Q)⁻¹ with Q = X − Xᵀ."""
    rescale: Tensor | None = None
    """A factor per output on what was rotated."""

    def fits(self, weight: Tensor) -> bool:
        *rounds, blocks, size, _ = self.blocks.shape
        outputs = weight.shape[0]
        if self.rescale is not None and self.rescale.numel() != outputs:
            return False
        # The last round turns outputs half of this apart.
        return blocks * size == outputs and outputs % (size * 2 ** (rounds[0] - 1 if rounds else 0)) == 0

    def product(self, weight: Tensor) -> Tensor:
        turns = self._rotations(weight)
        flat = weight.flatten(1)
        if turns.ndim == 3:
            rows = flat.reshape(*turns.shape[:2], -1)
            turned = torch.einsum("knm,kni->kmi", turns, rows).reshape(flat.shape)
        else:
            turned = _butterflies(turns, flat)
        if self.rescale is not None:
            turned = self.rescale.to(weight).reshape(-1, 1) * turned
        return turned - flat

    def _rotations(self, weight: Tensor) -> Tensor:
        blocks = self.blocks.to(weight)
        if self.finished:
            return blocks
        skew = blocks - blocks.transpose(-1, -2)
        if self.alpha:
            norm = torch.linalg.vector_norm(skew)
            bound = self.alpha * weight.shape[0]
            skew = skew * ((norm.clamp(max=bound) + 1e-8) / (norm + 1e-8))
        one = torch.eye(skew.shape[-1], device=skew.device)
        turns: Tensor = (one + skew) @ torch.linalg.inv(one - skew)
        return turns


def _butterflies(turns: Tensor, flat: Tensor) -> Tensor:
    """`flat` (out, values) after every round of rotations (rounds, blocks, size, size).

    Round i rotates together outputs that lie 2^i · size / 2 apart.
    """
    for i, turn in enumerate(turns):
        count, size, _ = turn.shape
        apart = 2**i * size // 2
        paired = flat.reshape(-1, 2, apart, flat.shape[1]).transpose(1, 2)
        turned = torch.einsum("kij,kjv->kiv", turn, paired.reshape(count, size, -1))
        flat = turned.reshape(paired.shape).transpose(1, 2).reshape(flat.shape)
    return flat
