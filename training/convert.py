"""Names of diffusers and transformers weights → names of the original latent-diffusion single file.

The correspondence follows CompVis' `openaimodel.py` and `model.py`: input blocks count conv_in, two residual
blocks and a downsampler per level; output blocks count three residual blocks per level; the VAE's decoder
numbers its levels from the picture inwards. `diffusers.loaders.single_file_utils` goes the other way and is
the oracle of the tests.
"""

from __future__ import annotations

import re

import torch

Weights = dict[str, torch.Tensor]
UNET, VAE, TEXT = "model.diffusion_model.", "first_stage_model.", "cond_stage_model.transformer.text_model."
BLOCKS_PER_LEVEL = 2

_UNET_OUTER = {
    "conv_in.": "input_blocks.0.0.",
    "time_embedding.linear_1.": "time_embed.0.",
    "time_embedding.linear_2.": "time_embed.2.",
    "conv_norm_out.": "out.0.",
    "conv_out.": "out.2.",
}
_UNET_RESNET = {
    "norm1.": "in_layers.0.",
    "conv1.": "in_layers.2.",
    "time_emb_proj.": "emb_layers.1.",
    "norm2.": "out_layers.0.",
    "conv2.": "out_layers.3.",
    "conv_shortcut.": "skip_connection.",
}
_VAE_ATTENTION = {
    "group_norm.": "norm.",
    "to_q.": "q.",
    "to_k.": "k.",
    "to_v.": "v.",
    "to_out.0.": "proj_out.",
}


def _renamed(rest: str, table: dict[str, str]) -> str:
    """`rest` with the first matching prefix of the table exchanged; KeyError when none matches."""
    for old, new in table.items():
        if rest.startswith(old):
            return new + rest[len(old) :]
    raise KeyError(rest)


def unet_key(key: str) -> str:
    """One diffusers UNet key → the LDM key without prefix."""
    if m := re.match(
        r"(down|up)_blocks\.(\d+)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.*)", key
    ):
        way, level, kind, index, rest = m[1], int(m[2]), m[3], int(m[4]), m[5]
        if way == "down":
            block = 1 + level * (BLOCKS_PER_LEVEL + 1)
            if kind == "downsamplers":
                return f"input_blocks.{block + BLOCKS_PER_LEVEL}.0.op.{rest.removeprefix('conv.')}"
            side, block = "input_blocks", block + index
        else:
            block = level * (BLOCKS_PER_LEVEL + 1)
            if kind == "upsamplers":
                # The first level of the way up has no attention: its upsampler moves one place forward.
                return f"output_blocks.{block + BLOCKS_PER_LEVEL}.{1 if level == 0 else 2}.{rest}"
            side, block = "output_blocks", block + index
        if kind == "attentions":
            return f"{side}.{block}.1.{rest}"
        return f"{side}.{block}.0.{_renamed(rest, _UNET_RESNET)}"
    if m := re.match(r"mid_block\.(resnets|attentions)\.(\d+)\.(.*)", key):
        if m[1] == "attentions":
            return f"middle_block.1.{m[3]}"
        return f"middle_block.{2 * int(m[2])}.{_renamed(m[3], _UNET_RESNET)}"
    return _renamed(key, _UNET_OUTER)


def vae_key(key: str, levels: int) -> str:
    """One diffusers VAE key → the LDM key without prefix; `levels` is the number of widths."""
    key = key.replace("conv_shortcut.", "nin_shortcut.").replace("conv_norm_out.", "norm_out.")
    if m := re.match(
        r"(encoder|decoder)\.(down|up)_blocks\.(\d+)\.(resnets|downsamplers|upsamplers)\.(\d+)\.(.*)", key
    ):
        side, way, level, kind, index, rest = m[1], m[2], int(m[3]), m[4], m[5], m[6]
        level = level if way == "down" else levels - 1 - level
        if kind == "resnets":
            return f"{side}.{way}.{level}.block.{index}.{rest}"
        return f"{side}.{way}.{level}.{kind.removesuffix('rs')}.{rest}"
    if m := re.match(r"(encoder|decoder)\.mid_block\.(resnets|attentions)\.(\d+)\.(.*)", key):
        if m[2] == "resnets":
            return f"{m[1]}.mid.block_{int(m[3]) + 1}.{m[4]}"
        return f"{m[1]}.mid.attn_1.{_renamed(m[4], _VAE_ATTENTION)}"
    return key


def unet_to_ldm(weights: Weights) -> Weights:
    """A diffusers SD 1.x UNet's state dict under LDM's names."""
    return {UNET + unet_key(key): value for key, value in weights.items()}


def vae_to_ldm(weights: Weights) -> Weights:
    """A diffusers AutoencoderKL's state dict under LDM's names; attention matrices become 1×1 kernels."""
    levels = 1 + max(int(m[1]) for key in weights if (m := re.match(r"encoder\.down_blocks\.(\d+)", key)))
    renamed = {}
    for key, value in weights.items():
        kernel = ".attentions." in key and value.ndim == 2
        renamed[VAE + vae_key(key, levels)] = value[:, :, None, None] if kernel else value
    return renamed


def text_to_ldm(weights: Weights) -> Weights:
    """A transformers CLIPTextModel's state dict, of version 4 or 5, under LDM's names."""
    return {TEXT + key.removeprefix("text_model."): value for key, value in weights.items()}


def single_file(unet: Weights, vae: Weights, text: Weights) -> Weights:
    """Everything an SD 1.x single file holds, contiguous, in float16."""
    merged = unet_to_ldm(unet) | vae_to_ldm(vae) | text_to_ldm(text)
    return {
        key: value.detach().to(torch.float16).contiguous()
        for key, value in sorted(merged.items())
        if not key.endswith("position_ids")
    }
