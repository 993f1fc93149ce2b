"""Makes the networks cheap to train on a CPU without changing what they compute."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch import nn


def precision(device: str) -> AbstractContextManager[Any]:
    """Mixed bfloat16 where the hardware multiplies it, else float32.

    A CPU below AVX-512 emulates bfloat16: a step takes four times as long as in float32.
    """
    if device == "cpu" and not torch.backends.cpu.get_cpu_capability().startswith("AVX512"):
        return nullcontext()
    return torch.autocast(device, torch.bfloat16)


def fast_bfloat16(device: str) -> bool:
    """Whether `precision` mixes in bfloat16 on this device."""
    return not isinstance(precision(device), nullcontext)


class _FloatGroupNorm(nn.GroupNorm):
    """GroupNorm in float32 inside autocast: PyTorch's bfloat16 kernel for the CPU is several times slower."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        with torch.autocast(input.device.type, enabled=False):
            return F.group_norm(input.float(), self.num_groups, self.weight, self.bias, self.eps)


def float_norms(module: nn.Module) -> None:
    """Let every GroupNorm of the module compute in float32."""
    for part in module.modules():
        if type(part) is nn.GroupNorm:
            part.__class__ = _FloatGroupNorm


class MatrixAttention:
    """A diffusers attention processor: plain bfloat16 matrix products.

    Heads of eight channels make the fused kernel of the CPU twice as slow as this; in float32 that
    kernel is the faster.
    """

    def __call__(
        self,
        attn: Any,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        **_: Any,
    ) -> torch.Tensor:
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        batch, length, width = hidden_states.shape
        size = width // attn.heads

        def heads(layer: nn.Module, tokens: torch.Tensor) -> torch.Tensor:
            return layer(tokens).bfloat16().view(batch, -1, attn.heads, size).transpose(1, 2)

        q, k, v = heads(attn.to_q, hidden_states), heads(attn.to_k, context), heads(attn.to_v, context)
        with torch.autocast(hidden_states.device.type, enabled=False):
            mixed = ((q * size**-0.5) @ k.transpose(-1, -2)).softmax(-1) @ v
        mixed = mixed.transpose(1, 2).reshape(batch, length, width).to(hidden_states.dtype)
        return attn.to_out[0](mixed)


def sleep(vae: AutoencoderKL) -> None:
    """Pass over residual blocks of the finest two levels while training; their last layer must be zero.

    They stay what they are, the identity, so the VAE computes the same without them in half the time.
    """
    blocks = [*vae.encoder.down_blocks[0].resnets, vae.encoder.down_blocks[1].resnets[0]]
    blocks += [*vae.decoder.up_blocks[-1].resnets[:2], vae.decoder.up_blocks[-2].resnets[0]]
    for block in blocks:
        if block.conv2.weight.any() or block.conv2.bias.any():
            raise ValueError("only a residual block that ends in zeros can be passed over")
        block.forward = _unchanged


def _unchanged(hidden: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
    """What a residual block with a silent branch gives."""
    return hidden
