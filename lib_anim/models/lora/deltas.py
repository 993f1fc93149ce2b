"""Weight deltas of LoRA and related formats.

Changes that depend on the weight itself are in `turned.py`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Change(ABC):
    """One layer's change."""

    alpha: float | None = None
    """The change is scaled by alpha / rank; None scales by 1."""
    magnitude: Tensor | None = None
    """DoRA (Liu et al. 2024, "Weight-Decomposed Low-Rank Adaptation", eq. 5): the changed weight's lengths,
    one per output (out,), (out, 1, …) or, as LyCORIS had it first, one per input (1, in, …)."""
    bias: Tensor | None = None
    """(out,): what is added to the layer's bias."""

    @property
    def rank(self) -> int | None:
        """Width of the narrow middle; None for a change without one."""
        return None

    @abstractmethod
    def fits(self, weight: Tensor) -> bool:
        """Whether it is for a weight of this size."""

    @abstractmethod
    def product(self, weight: Tensor) -> Tensor:
        """The change of `weight` (float32) before it is scaled: float32 of any shape with the weight's values
        in their order, on its device."""

    def delta(self, like: Tensor) -> Tensor:
        """What is added to the weight `like` at strength 1; float32 of its shape, on its device."""
        scale = 1.0 if self.alpha is None or self.rank is None else self.alpha / self.rank
        weight = like.float()
        change = self.product(weight).reshape(like.shape) * scale
        return change if self.magnitude is None else self._decomposed(weight + change) - weight

    def _decomposed(self, changed: Tensor) -> Tensor:
        """`changed` with the lengths that were learned: per output over all inputs, or the other way."""
        assert self.magnitude is not None
        lengths = self.magnitude.to(changed.device, torch.float32)
        inputs = lengths.ndim > 1 and lengths.shape[0] == 1 and lengths.shape[1] == changed.shape[1] != 1
        kept = 1 if inputs else 0
        others = [axis for axis in range(changed.ndim) if axis != kept]
        norm = torch.linalg.vector_norm(changed, dim=others, keepdim=True)
        decomposed: Tensor = changed * (lengths.reshape(norm.shape) / norm)
        return decomposed


class Added(Change):
    """A change that does not depend on the weight."""

    @property
    @abstractmethod
    def size(self) -> tuple[int, int]:
        """(outputs, values in all) of the weight that it is for."""

    def fits(self, weight: Tensor) -> bool:
        return self.size == (weight.shape[0], weight.numel())


@dataclass(frozen=True, kw_only=True)
class Whole(Added):
    """The difference itself: LyCORIS' full matrices, and changes of norms."""

    values: Tensor

    @property
    def size(self) -> tuple[int, int]:
        return self.values.shape[0], self.values.numel()

    def product(self, weight: Tensor) -> Tensor:
        return self.values.to(weight)


@dataclass(frozen=True, kw_only=True)
class LowRank(Added):
    """Down and up again through a narrow middle (Hu et al. 2022, "LoRA", eq. 3)."""

    down: Tensor
    """(rank, in) or, for a convolution, (rank, in, k, k)."""
    up: Tensor
    """(out, rank) or (out, rank, 1, 1)."""
    mid: Tensor | None = None
    """(rank, rank, k, k) between 1×1 ends; LoCon's Tucker form."""

    @property
    def rank(self) -> int:
        return self.down.shape[0]

    @property
    def size(self) -> tuple[int, int]:
        kernel = 1 if self.mid is None else math.prod(self.mid.shape[2:])
        return self.up.shape[0], self.up.shape[0] * math.prod(self.down.shape[1:]) * kernel

    def product(self, weight: Tensor) -> Tensor:
        down, up = self.down.to(weight), self.up.to(weight)
        if self.mid is None:
            return up.flatten(1) @ down.flatten(1)
        mid = self.mid.to(weight)
        return torch.einsum("or,rskl,si->oikl", up.flatten(1), mid, down.flatten(1))


@dataclass(frozen=True, kw_only=True)
class Hadamard(Added):
    """Two low-rank products, multiplied value by value (Hyeon-Woo et al. 2022, "FedPara"): LyCORIS' LoHa."""

    ups: tuple[Tensor, Tensor]
    """(out, rank); with `cores` (rank, out)."""
    downs: tuple[Tensor, Tensor]
    """(rank, in) or (rank, in·k·k)."""
    cores: tuple[Tensor, Tensor] | None = None
    """(rank, rank, k, k) each: Tucker form."""

    @property
    def rank(self) -> int:
        return self.downs[0].shape[0]

    @property
    def size(self) -> tuple[int, int]:
        out = self.ups[0].shape[0 if self.cores is None else 1]
        kernel = 1 if self.cores is None else math.prod(self.cores[0].shape[2:])
        return out, out * math.prod(self.downs[0].shape[1:]) * kernel

    def product(self, weight: Tensor) -> Tensor:
        first, second = (self._one(i, weight) for i in (0, 1))
        return first * second

    def _one(self, i: int, weight: Tensor) -> Tensor:
        up, down = self.ups[i].to(weight), self.downs[i].to(weight)
        if self.cores is None:
            return up.flatten(1) @ down.flatten(1)
        return _tucker(self.cores[i].to(weight), up, down)


@dataclass(frozen=True, kw_only=True)
class Kronecker(Added):
    """A Kronecker product of two small weights, each whole or of low rank: LyCORIS' LoKr."""

    first: tuple[Tensor, ...]
    """(a, b), or (a, r) and (r, b)."""
    second: tuple[Tensor, ...]
    """(c, d) or (c, d, k, k); (c, r) and (r, d or d·k·k); or (r, c), (r, d) and a core (r, r, k, k)."""

    @property
    def rank(self) -> int | None:
        parts = self.second if len(self.second) > 1 else self.first
        return parts[1].shape[0] if len(parts) > 1 else None

    @property
    def size(self) -> tuple[int, int]:
        (a, b), (c, d) = _product_size(self.first), _product_size(self.second)
        return a * c, a * b * c * d

    def product(self, weight: Tensor) -> Tensor:
        first, second = (
            _multiplied([part.to(weight) for part in parts]) for parts in (self.first, self.second)
        )
        # A kernel's places belong to the second factor alone.
        first = first.reshape(*first.shape, *[1] * (second.ndim - first.ndim))
        return torch.kron(first, second.contiguous())


def _tucker(core: Tensor, up: Tensor, down: Tensor) -> Tensor:
    """(out, in, k, k) from a core (r, s, k, k) between up (r, out) and down (s, in)."""
    return torch.einsum("rskl,ro,si->oikl", core, up, down)


def _multiplied(parts: list[Tensor]) -> Tensor:
    if len(parts) == 3:
        return _tucker(parts[2], parts[0], parts[1])
    return parts[0] if len(parts) == 1 else parts[0].flatten(1) @ parts[1].flatten(1)


def _product_size(parts: tuple[Tensor, ...]) -> tuple[int, int]:
    """(rows, values per row) of `_multiplied`'s result."""
    if len(parts) == 1:
        return parts[0].shape[0], math.prod(parts[0].shape[1:])
    if len(parts) == 3:
        return parts[0].shape[1], parts[1].shape[1] * math.prod(parts[2].shape[2:])
    return parts[0].shape[0], math.prod(parts[1].shape[1:])
