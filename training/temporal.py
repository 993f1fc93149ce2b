"""The motion module in training: AnimateDiff's temporal layers, put into a UNet by hooks.

Names and sums are those of AnimateDiff's native layout, version 3 (32 positions, no layer in the middle
block), so the trained state is the file; `lib_anim/motion` is what reads it, and the tests compare the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import UNet2DConditionModel
from torch import Tensor, nn

from lib_anim.motion.transformer import sine_table
from training.networks import Widths

POSITIONS = 32
HEADS = 8
GROUPS = 32


class Positions(nn.Module):
    """The fixed table of positions, (1, POSITIONS, width) under AnimateDiff's name `pe`."""

    pe: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("pe", sine_table(POSITIONS, width)[None])


class FrameAttention(nn.Module):
    """Attention between the frames of one place."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.to_q, self.to_k, self.to_v = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Linear(width, width)])
        self.pos_encoder = Positions(width)

    def forward(self, tokens: Tensor, at: Tensor) -> Tensor:
        """`tokens` (sequences, frames, width); `at` (frames,) numbers the frames."""
        sequences, frames, width = tokens.shape
        seen = tokens + self.pos_encoder.pe[0, at]
        q, k, v = (
            layer(seen).view(sequences, frames, HEADS, -1).transpose(1, 2)
            for layer in (self.to_q, self.to_k, self.to_v)
        )
        mixed = F.scaled_dot_product_attention(q, k, v)
        done: Tensor = self.to_out[0](mixed.transpose(1, 2).reshape(sequences, frames, width))
        return done


class _Gate(nn.Module):
    """GEGLU (Shazeer, 2020): half of the projection gates the other."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Linear(width, 8 * width)

    def forward(self, tokens: Tensor) -> Tensor:
        value, gate = self.proj(tokens).chunk(2, dim=-1)
        return value * F.gelu(gate)


class _FeedForward(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.net = nn.ModuleList([_Gate(width), nn.Identity(), nn.Linear(4 * width, width)])

    def forward(self, tokens: Tensor) -> Tensor:
        done: Tensor = self.net[2](self.net[0](tokens))
        return done


class _Block(nn.Module):
    """Two attentions and a feed-forward, each with a residual."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attention_blocks = nn.ModuleList([FrameAttention(width) for _ in range(2)])
        self.norms = nn.ModuleList([nn.LayerNorm(width) for _ in range(2)])
        self.ff, self.ff_norm = _FeedForward(width), nn.LayerNorm(width)

    def forward(self, tokens: Tensor, at: Tensor) -> Tensor:
        for attention, norm in zip(self.attention_blocks, self.norms, strict=True):
            tokens = tokens + attention(norm(tokens), at)
        done: Tensor = tokens + self.ff(self.ff_norm(tokens))
        return done


class TemporalLayer(nn.Module):
    """One site's layer; silent at first, because its last projection starts at zero."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, width, eps=1e-6)
        self.proj_in, self.proj_out = nn.Linear(width, width), nn.Linear(width, width)
        self.transformer_blocks = nn.ModuleList([_Block(width)])
        nn.init.zeros_(self.proj_out.weight)
        nn.init.zeros_(self.proj_out.bias)

    def forward(self, x: Tensor, at: Tensor) -> Tensor:
        """`x` (groups·frames, width, h, w), frames running fastest."""
        rows, width, high, wide = x.shape
        frames = len(at)
        seen = self.norm(x).view(rows // frames, frames, width, high * wide)
        tokens = self.proj_in(seen.permute(0, 3, 1, 2).reshape(-1, frames, width))
        tokens = self.proj_out(self.transformer_blocks[0](tokens, at))
        change = tokens.view(rows // frames, high * wide, frames, width).permute(0, 2, 3, 1)
        return x + change.reshape(x.shape)


class _Site(nn.Module):
    """Gives the native names their middle part."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.temporal_transformer = TemporalLayer(width)


class _Level(nn.Module):
    def __init__(self, width: int, count: int) -> None:
        super().__init__()
        self.motion_modules = nn.ModuleList([_Site(width) for _ in range(count)])


class Motion(nn.Module):
    """All temporal layers of a UNet: two a level on the way down, three on the way up."""

    def __init__(self, widths: Widths) -> None:
        super().__init__()
        self.down_blocks = nn.ModuleList([_Level(width, 2) for width in widths.unet])
        self.up_blocks = nn.ModuleList([_Level(width, 3) for width in reversed(widths.unet)])

    @contextmanager
    def moving(self, unet: UNet2DConditionModel, at: Tensor) -> Iterator[None]:
        """While it lasts, rows of `unet` are frames numbered `at`, running fastest, and see each other."""
        handles = []
        for blocks, levels in ((unet.down_blocks, self.down_blocks), (unet.up_blocks, self.up_blocks)):
            for block, level in zip(blocks, levels, strict=True):
                places = getattr(block, "attentions", None) or block.resnets
                for place, site in zip(places, level.motion_modules, strict=True):
                    handles.append(place.register_forward_hook(_after(site.temporal_transformer, at)))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def _after(layer: TemporalLayer, at: Tensor) -> Any:
    """A hook that sends a block's output through `layer`."""

    def hook(module: nn.Module, inputs: Any, output: Any) -> Any:
        return (layer(output[0], at),) if isinstance(output, tuple) else layer(output, at)

    return hook


def build_motion(widths: Widths, seed: int) -> Motion:
    """An untrained motion module."""
    torch.manual_seed(seed)
    return Motion(widths)
