"""Temporal transformer: attention over frames at each pixel (Guo et al. 2023, AnimateDiff)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from copy import copy

import torch
import torch.nn.functional as F
from torch import Tensor

from lib_anim.models.motion.facts import HEADS
from lib_anim.motion.attention import Attention, sdpa

NORM_GROUPS = 32
NORM_EPS = 1e-6
ROWS = 32768
"""Maximum sequences per attention call: kernels index them with 16 bits."""
PIECES = {"cpu": 1 << 22}
"""Maximum values of the widest intermediate tensor. On a CPU they then stay in its caches: one layer of 320
channels and 32 × 16 × 16 rows took 742 ms, 770 ms in one piece, 1,083 ms in pieces of 2^18."""
PIECE = 1 << 25
"""The same for other devices, which are faster with few large calls; 64 MiB in float16."""

View = tuple[tuple[int, ...], Tensor]
"""Frames that attend to each other, and their shares (frames, 1) in the average of all views."""


class TemporalTransformer:
    """The motion layer at one site, for inference; gradients work too.

    Its parts and their order are those of AnimateDiff's `TemporalTransformer3DModel`: group norm per frame,
    linear in, two attentions with the positions added before the projections, GEGLU, linear out, residual.
    """

    def __init__(self, weights: Mapping[str, Tensor], positions: int, attention: Attention = sdpa) -> None:
        """`weights` by native names behind `temporal_transformer.`; a table of `positions` rows is
        computed where the file has none. KeyError when one is missing."""
        self.width = weights["norm.weight"].shape[0]
        self._weights = _fused(weights, positions)
        self._attend = attention
        self._blocks = sum(1 for name in self._weights if name.endswith(".qkv"))

    def to(self, device: torch.device, dtype: torch.dtype) -> None:
        """Moves the weights; does nothing when they are already there."""
        self._weights = {name: value.to(device, dtype) for name, value in self._weights.items()}

    @property
    def device(self) -> torch.device:
        return self._weights["norm.weight"].device

    @property
    def dtype(self) -> torch.dtype:
        return self._weights["norm.weight"].dtype

    def on_device(self, device: torch.device) -> TemporalTransformer:
        """The layer with its weights on `device`: itself when they are there, else a copy."""
        if device == self.device:
            return self
        moved = copy(self)
        moved.to(device, self.dtype)
        return moved

    def __call__(
        self,
        x: Tensor,
        frames: int,
        scale: float | Tensor = 1.0,
        effect: float | Tensor = 1.0,
        piece: int | None = None,
        views: Sequence[View] = (),
    ) -> Tensor:
        """`x` (groups·frames, C, H, W), frames running fastest, with the motion added; a new tensor.

        `scale` multiplies the keys: a number or (frames, 1, 1) or (frames, H, W). `effect` multiplies the
        change: a number or the same shapes. Pixels are processed in pieces of at most `piece` intermediate
        values (None: the device's default), since everything after the first norm works over time only. With
        `views` the attentions are limited to those frames, and their results are averaged (FreeNoise, Qiu
        et al. 2023, 3.3).
        """
        piece = PIECES.get(x.device.type, PIECE) if piece is None else piece
        rows, channels, height, width = x.shape
        groups, places = rows // frames, height * width
        w = self._weights
        hidden = F.group_norm(x.to(self.dtype), NORM_GROUPS, w["norm.weight"], w["norm.bias"], NORM_EPS)
        hidden = hidden.reshape(groups, frames, channels, places)
        keys = scale if isinstance(scale, float) else scale.reshape(frames, -1)
        share = effect if isinstance(effect, float) else effect.reshape(1, frames, 1, -1)
        whole = x.reshape(groups, frames, channels, places)
        span = max(1, min(places, ROWS // groups, piece // (groups * frames * channels * 8)))
        if span >= places:
            return _plus(whole, self._change(hidden, keys, views), share).reshape(x.shape).to(x.dtype)
        result = x.new_empty(whole.shape)
        for start in range(0, places, span):
            here = slice(start, start + span)
            change = self._change(hidden[..., here], _part(keys, here), views)
            result[..., here] = _plus(whole[..., here], change, _part(share, here))
        return result.reshape(x.shape)

    def _change(self, hidden: Tensor, scale: float | Tensor, views: Sequence[View]) -> Tensor:
        """What the layer adds to (groups, frames, C, places) after its norm; the same shape."""
        w = self._weights
        groups, frames, channels, places = hidden.shape
        tokens = hidden.permute(0, 3, 1, 2).reshape(groups * places, frames, channels)
        tokens = F.linear(tokens, w["proj_in.weight"], w["proj_in.bias"])
        if isinstance(scale, Tensor):
            # (frames, places or 1) to one factor per sequence and key.
            scale = scale.t().reshape(-1, 1, frames, 1)
            scale = scale.repeat(groups, 1, 1, 1) if len(scale) > 1 else scale
        tokens = self._attended(tokens, scale, views)
        tokens = tokens + self._feed_forward(tokens)
        tokens = F.linear(tokens, w["proj_out.weight"], w["proj_out.bias"])
        return tokens.view(groups, places, frames, channels).permute(0, 2, 3, 1)

    def _attended(self, tokens: Tensor, scale: float | Tensor, views: Sequence[View]) -> Tensor:
        """The tokens after both attentions, over all frames or in views of them."""
        if views:
            total = torch.zeros_like(tokens)
            for window, share in views:
                frames = list(window)
                part = scale if isinstance(scale, float) else scale[:, :, frames]
                total[:, frames] += self._attended(tokens[:, frames], part, ()) * share
            return total
        for i in range(self._blocks):
            tokens = tokens + self._attention(i, tokens, scale)
        return tokens

    def _attention(self, i: int, tokens: Tensor, scale: float | Tensor) -> Tensor:
        w, stem = self._weights, f"attention.{i}"
        sequences, frames, channels = tokens.shape
        seen = F.layer_norm(tokens, (channels,), w[f"{stem}.norm.weight"], w[f"{stem}.norm.bias"])
        seen = seen + w[f"{stem}.positions"][:frames]
        width = channels // HEADS
        query, key, value = (
            F.linear(seen, w[f"{stem}.qkv"]).view(sequences, frames, 3, HEADS, width).permute(2, 0, 3, 1, 4)
        )
        factor = 1 / math.sqrt(width)
        if isinstance(scale, float):
            factor *= scale
        else:
            key = key * scale
        found = self._attend(query, key, value, factor)
        found = found.transpose(1, 2).reshape(sequences, frames, channels)
        return F.linear(found, w[f"{stem}.out.weight"], w[f"{stem}.out.bias"])

    def _feed_forward(self, tokens: Tensor) -> Tensor:
        w = self._weights
        seen = F.layer_norm(tokens, (self.width,), w["ff.norm.weight"], w["ff.norm.bias"])
        value, gate = F.linear(seen, w["ff.in.weight"], w["ff.in.bias"]).chunk(2, dim=-1)
        return F.linear(value * F.gelu(gate), w["ff.out.weight"], w["ff.out.bias"])


def sine_table(positions: int, width: int) -> Tensor:
    """(positions, width) float32: sin and cos of p·10000^(−2i/width) in turn (Vaswani et al. 2017, 3.5)."""
    angles = torch.arange(positions, dtype=torch.float32)[:, None] * torch.exp(
        torch.arange(0, width, 2, dtype=torch.float32) * (-math.log(10000.0) / width)
    )
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)[:, :width]


def _fused(weights: Mapping[str, Tensor], positions: int) -> dict[str, Tensor]:
    """The weights under short names, with the three projections of each attention in one matrix."""
    block = "transformer_blocks.0"
    named = {
        "ff.in": f"{block}.ff.net.0.proj",
        "ff.out": f"{block}.ff.net.2",
        "ff.norm": f"{block}.ff_norm",
        "norm": "norm",
        "proj_in": "proj_in",
        "proj_out": "proj_out",
    }
    count = sum(1 for name in weights if name.endswith(".to_q.weight"))
    result: dict[str, Tensor] = {}
    for i in range(count):
        theirs, ours = f"{block}.attention_blocks.{i}", f"attention.{i}"
        named |= {f"{ours}.norm": f"{block}.norms.{i}", f"{ours}.out": f"{theirs}.to_out.0"}
        result[f"{ours}.qkv"] = torch.cat([weights[f"{theirs}.to_{part}.weight"] for part in "qkv"])
        table = weights.get(f"{theirs}.pos_encoder.pe")
        width = weights["norm.weight"].shape[0]
        result[f"{ours}.positions"] = (
            sine_table(positions, width) if table is None else table.reshape(-1, width)
        )
    for ours, theirs in named.items():
        for part in ("weight", "bias"):
            result[f"{ours}.{part}"] = weights[f"{theirs}.{part}"]
    # Some exports keep linear layers as 1×1 convolutions.
    return {name: value.flatten(1) if value.ndim > 2 else value for name, value in result.items()}


def _plus(x: Tensor, change: Tensor, share: float | Tensor) -> Tensor:
    if isinstance(share, float):
        return x + change if share == 1.0 else x + change * share
    return x + change * share


def _part(values: float | Tensor, here: slice) -> float | Tensor:
    """The pixels `here` of a per-pixel tensor; a value for all pixels is returned unchanged."""
    return values if isinstance(values, float) or values.shape[-1] == 1 else values[..., here]
