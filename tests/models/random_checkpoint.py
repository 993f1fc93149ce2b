"""Writes narrow checkpoints with random weights in the original layout, so tests need no download.

Names and order of layers follow the LDM code base (openaimodel.py, model.py) as files in the wild have them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

WORDS = ("spring", "summer", "autumn", "winter", "photo", "red", "blue", "tree", "ball", "snow", "of", "in")


class _Weights:
    """Collects tensors by name; linear and convolution weights keep their input's variance."""

    def __init__(self, seed: int) -> None:
        self._generator = torch.Generator().manual_seed(seed)
        self.tensors: dict[str, Tensor] = {}

    def random(self, name: str, *shape: int, spread: float) -> None:
        self.tensors[name] = torch.randn(shape, generator=self._generator) * spread

    def linear(self, name: str, out: int, into: int, *, bias: bool = True, kernel: int = 0) -> None:
        shape = (out, into, kernel, kernel) if kernel else (out, into)
        self.random(f"{name}.weight", *shape, spread=(into * max(1, kernel) ** 2) ** -0.5)
        if bias:
            self.random(f"{name}.bias", out, spread=0.02)

    def norm(self, name: str, width: int) -> None:
        self.random(f"{name}.weight", width, spread=0.05)
        self.tensors[f"{name}.weight"] += 1
        self.random(f"{name}.bias", width, spread=0.02)


def write_sd1(
    path: Path,
    *,
    channels: Sequence[int] = (32, 32, 64, 64),
    vae_channels: Sequence[int] = (32, 32, 32, 32),
    width: int = 64,
    vocabulary: int = 49408,
    text_layers: int = 2,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
    metadata: dict[str, str] | None = None,
) -> Path:
    """An SD 1.x checkpoint: UNet of these widths, VAE, CLIP text model `width` wide."""
    weights = _Weights(seed)
    _unet(weights, channels, depths=[1] * (len(channels) - 1) + [0], mid_depth=1, context=width, linear=False)
    _vae(weights, vae_channels)
    _clip(weights, "cond_stage_model.transformer.", vocabulary, width, text_layers)
    save_file({k: v.to(dtype).contiguous() for k, v in weights.tensors.items()}, path, metadata or {})
    return path


def write_sdxl(path: Path, *, seed: int = 0) -> Path:
    """A narrow SDXL checkpoint: three levels of depth 0, 1, 2, two text models, sizes as a vector."""
    weights = _Weights(seed)
    first, second = 64, 128
    _unet(
        weights,
        (64, 64, 128),
        depths=(0, 1, 2),
        mid_depth=2,
        context=first + second,
        linear=True,
        vector=second + 6 * 256,
    )
    _vae(weights, (32, 32, 32, 32))
    _clip(weights, "conditioner.embedders.0.transformer.", 49408, first, 3)
    _open_clip(weights, "conditioner.embedders.1.model.", 49408, second, 3)
    save_file({k: v.contiguous() for k, v in weights.tensors.items()}, path)
    return path


def write_tokenizer(folder: Path) -> int:
    """A tokenizer of whole words in transformers' files; returns its number of entries."""
    folder.mkdir(parents=True)
    letters = [chr(c) for c in range(33, 127)]
    entries = [*letters, *(letter + "</w>" for letter in letters)]
    merges: list[tuple[str, str]] = []
    for word in WORDS:
        whole = [*word[:-1], word[-1] + "</w>"]
        while len(whole) > 1:
            pair = (whole[0], whole[1])
            if pair not in merges:
                merges.append(pair)
            whole[:2] = ["".join(pair)]
    entries += sorted({a + b for a, b in merges} - set(entries))
    entries += ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {entry: i for i, entry in enumerate(entries)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary), "utf-8")
    lines = ["#version: 0.2", *(f"{a} {b}" for a, b in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", "utf-8")
    return len(vocabulary)


def _resblock(weights: _Weights, name: str, into: int, out: int, time: int) -> None:
    weights.norm(f"{name}.in_layers.0", into)
    weights.linear(f"{name}.in_layers.2", out, into, kernel=3)
    weights.linear(f"{name}.emb_layers.1", out, time)
    weights.norm(f"{name}.out_layers.0", out)
    weights.linear(f"{name}.out_layers.3", out, out, kernel=3)
    if into != out:
        weights.linear(f"{name}.skip_connection", out, into, kernel=1)


def _transformer(weights: _Weights, name: str, width: int, context: int, depth: int, linear: bool) -> None:
    weights.norm(f"{name}.norm", width)
    weights.linear(f"{name}.proj_in", width, width, kernel=0 if linear else 1)
    for i in range(depth):
        block = f"{name}.transformer_blocks.{i}"
        for attention, keys in (("attn1", width), ("attn2", context)):
            weights.linear(f"{block}.{attention}.to_q", width, width, bias=False)
            weights.linear(f"{block}.{attention}.to_k", width, keys, bias=False)
            weights.linear(f"{block}.{attention}.to_v", width, keys, bias=False)
            weights.linear(f"{block}.{attention}.to_out.0", width, width)
        for norm in ("norm1", "norm2", "norm3"):
            weights.norm(f"{block}.{norm}", width)
        weights.linear(f"{block}.ff.net.0.proj", 8 * width, width)
        weights.linear(f"{block}.ff.net.2", width, 4 * width)
    weights.linear(f"{name}.proj_out", width, width, kernel=0 if linear else 1)


def _unet(
    weights: _Weights,
    channels: Sequence[int],
    *,
    depths: Sequence[int],
    mid_depth: int,
    context: int,
    linear: bool,
    vector: int = 0,
    layers: int = 2,
) -> None:
    root = "model.diffusion_model"
    base, time = channels[0], 4 * channels[0]
    weights.linear(f"{root}.time_embed.0", time, base)
    weights.linear(f"{root}.time_embed.2", time, time)
    if vector:
        weights.linear(f"{root}.label_emb.0.0", time, vector)
        weights.linear(f"{root}.label_emb.0.2", time, time)
    weights.linear(f"{root}.input_blocks.0.0", base, 4, kernel=3)
    skips, width, index = [base], base, 0
    for level, out in enumerate(channels):
        for _ in range(layers):
            index += 1
            _resblock(weights, f"{root}.input_blocks.{index}.0", width, out, time)
            width = out
            if depths[level]:
                _transformer(weights, f"{root}.input_blocks.{index}.1", width, context, depths[level], linear)
            skips.append(width)
        if level < len(channels) - 1:
            index += 1
            weights.linear(f"{root}.input_blocks.{index}.0.op", width, width, kernel=3)
            skips.append(width)
    _resblock(weights, f"{root}.middle_block.0", width, width, time)
    _transformer(weights, f"{root}.middle_block.1", width, context, mid_depth, linear)
    _resblock(weights, f"{root}.middle_block.2", width, width, time)
    index = -1
    for level, out in reversed(list(enumerate(channels))):
        for layer in range(layers + 1):
            index += 1
            _resblock(weights, f"{root}.output_blocks.{index}.0", width + skips.pop(), out, time)
            width = out
            part = 1
            if depths[level]:
                _transformer(
                    weights, f"{root}.output_blocks.{index}.1", width, context, depths[level], linear
                )
                part = 2
            if level and layer == layers:
                weights.linear(f"{root}.output_blocks.{index}.{part}.conv", width, width, kernel=3)
    weights.norm(f"{root}.out.0", width)
    weights.linear(f"{root}.out.2", 4, width, kernel=3)


def _vae_block(weights: _Weights, name: str, into: int, out: int) -> None:
    weights.norm(f"{name}.norm1", into)
    weights.linear(f"{name}.conv1", out, into, kernel=3)
    weights.norm(f"{name}.norm2", out)
    weights.linear(f"{name}.conv2", out, out, kernel=3)
    if into != out:
        weights.linear(f"{name}.nin_shortcut", out, into, kernel=1)


def _vae_middle(weights: _Weights, name: str, width: int) -> None:
    _vae_block(weights, f"{name}.block_1", width, width)
    weights.norm(f"{name}.attn_1.norm", width)
    for part in ("q", "k", "v", "proj_out"):
        weights.linear(f"{name}.attn_1.{part}", width, width, kernel=1)
    _vae_block(weights, f"{name}.block_2", width, width)


def _vae(weights: _Weights, channels: Sequence[int], layers: int = 2) -> None:
    root = "first_stage_model"
    weights.linear(f"{root}.encoder.conv_in", channels[0], 3, kernel=3)
    width = channels[0]
    for level, out in enumerate(channels):
        for layer in range(layers):
            _vae_block(weights, f"{root}.encoder.down.{level}.block.{layer}", width, out)
            width = out
        if level < len(channels) - 1:
            weights.linear(f"{root}.encoder.down.{level}.downsample.conv", width, width, kernel=3)
    _vae_middle(weights, f"{root}.encoder.mid", width)
    weights.norm(f"{root}.encoder.norm_out", width)
    weights.linear(f"{root}.encoder.conv_out", 8, width, kernel=3)
    weights.linear(f"{root}.quant_conv", 8, 8, kernel=1)
    weights.linear(f"{root}.post_quant_conv", 4, 4, kernel=1)
    weights.linear(f"{root}.decoder.conv_in", width, 4, kernel=3)
    _vae_middle(weights, f"{root}.decoder.mid", width)
    for level, out in reversed(list(enumerate(channels))):
        for layer in range(layers + 1):
            _vae_block(weights, f"{root}.decoder.up.{level}.block.{layer}", width, out)
            width = out
        if level:
            weights.linear(f"{root}.decoder.up.{level}.upsample.conv", width, width, kernel=3)
    weights.norm(f"{root}.decoder.norm_out", width)
    weights.linear(f"{root}.decoder.conv_out", 3, width, kernel=3)


def _clip(weights: _Weights, prefix: str, vocabulary: int, width: int, layers: int) -> None:
    root = f"{prefix}text_model"
    weights.random(f"{root}.embeddings.token_embedding.weight", vocabulary, width, spread=0.5)
    weights.random(f"{root}.embeddings.position_embedding.weight", 77, width, spread=0.1)
    for i in range(layers):
        layer = f"{root}.encoder.layers.{i}"
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            weights.linear(f"{layer}.self_attn.{part}", width, width)
        weights.norm(f"{layer}.layer_norm1", width)
        weights.norm(f"{layer}.layer_norm2", width)
        weights.linear(f"{layer}.mlp.fc1", 4 * width, width)
        weights.linear(f"{layer}.mlp.fc2", width, 4 * width)
    weights.norm(f"{root}.final_layer_norm", width)


def _open_clip(weights: _Weights, prefix: str, vocabulary: int, width: int, layers: int) -> None:
    weights.random(f"{prefix}token_embedding.weight", vocabulary, width, spread=0.5)
    weights.random(f"{prefix}positional_embedding", 77, width, spread=0.1)
    weights.random(f"{prefix}text_projection", width, width, spread=width**-0.5)
    weights.random(f"{prefix}logit_scale", spread=1.0)
    for i in range(layers):
        layer = f"{prefix}transformer.resblocks.{i}"
        weights.random(f"{layer}.attn.in_proj_weight", 3 * width, width, spread=width**-0.5)
        weights.random(f"{layer}.attn.in_proj_bias", 3 * width, spread=0.02)
        weights.linear(f"{layer}.attn.out_proj", width, width)
        weights.norm(f"{layer}.ln_1", width)
        weights.norm(f"{layer}.ln_2", width)
        weights.linear(f"{layer}.mlp.c_fc", 4 * width, width)
        weights.linear(f"{layer}.mlp.c_proj", width, 4 * width)
    weights.norm(f"{prefix}ln_final", width)
