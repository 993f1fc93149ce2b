"""Scaled dot-product attention of all networks: PyTorch's SDPA, or xformers' memory-efficient kernel."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from lib_anim.errors import FlipbookError, Problem
from lib_anim.types import AttentionBackend

Attention = Callable[[Tensor, Tensor, Tensor, float], Tensor]
"""(query, key, value, scale) → result. Tensors are (batch, heads, tokens, width); logits are scale · q·k."""


def sdpa(query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
    """PyTorch's scaled dot-product attention, which chooses the kernel by device and dtype."""
    return F.scaled_dot_product_attention(query, key, value, scale=scale)


def attention_of(backend: AttentionBackend) -> Attention:
    """The attention function of a backend. Raises FlipbookError where its package is not installed."""
    if backend == "sdpa":
        return sdpa
    try:
        from xformers.ops import memory_efficient_attention
    except ImportError as error:
        sentence = f"xformers cannot be imported ({error}); install it, or use sdpa, which needs no package"
        raise FlipbookError(Problem(sentence, field="attention", code="attention.not_installed")) from error

    def xformers(query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        # Its tensors are (batch, tokens, heads, width).
        found: Tensor = memory_efficient_attention(
            query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2), scale=scale
        )
        return found.transpose(1, 2)

    return xformers
