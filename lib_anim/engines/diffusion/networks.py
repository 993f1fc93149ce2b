"""Builds diffusers' and transformers' networks for a checkpoint and loads its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.loaders.single_file_utils import (
    convert_ldm_unet_checkpoint,
    convert_ldm_vae_checkpoint,
    convert_open_clip_checkpoint,
)
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from lib_anim.engines.diffusion.lora_manager import layers_of
from lib_anim.engines.sampling.noise_levels import CONSISTENCY_STEPS
from lib_anim.errors import FlipbookError, Problem
from lib_anim.models.archive import header_of, read_tensors
from lib_anim.models.checkpoint import VAE, Checkpoint, TextShape, UNetShape, VAEShape, read_vae


@dataclass(frozen=True)
class Networks:
    """A checkpoint's networks, in evaluation mode on one device."""

    unet: UNet2DConditionModel
    vae: AutoencoderKL | None
    """None when the file contains none."""
    text: tuple[nn.Module, ...]
    alphas: Tensor
    """(T,) float32 on the CPU: cumulative products of the training schedule."""
    layers: Mapping[str, nn.Module]
    """Linear layers, convolutions and norms by the names that LoRA files use."""


def load_networks(checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype) -> Networks:
    """Loads the checkpoint's networks onto `device` in `dtype`; the file is read once.

    Raises FlipbookError when names or shapes do not fit.
    """
    _refuse_widths(checkpoint.path, "UNet", checkpoint.unet)
    if checkpoint.vae is not None:
        _refuse_widths(checkpoint.path, "VAE", checkpoint.vae)
    weights = read_tensors(checkpoint.path)
    unet = build_unet(checkpoint.unet)
    fill(unet, convert_ldm_unet_checkpoint(weights, dict(unet.config)), checkpoint.path, "UNet", dtype)
    vae = None
    if checkpoint.vae is not None:
        vae = build_vae(checkpoint.vae)
        fill(vae, _vae_weights(weights, vae, VAE), checkpoint.path, "VAE", dtype)
    text = tuple(_load_text(shape, weights, checkpoint.path, dtype) for shape in checkpoint.text)
    alphas = _alphas(checkpoint, weights)
    for network in (unet, *text, *((vae,) if vae is not None else ())):
        network.requires_grad_(False).eval().to(device=device)
    for block in unet.up_blocks:
        for upsampler in block.upsamplers or ():
            upsampler.forward = partial(_enlarge, upsampler)
    names = convert_ldm_unet_checkpoint({key: key for key in weights}, dict(unet.config))
    return Networks(unet, vae, text, alphas, layers_of(unet, text, names))


def _refuse_widths(path: Path, part: str, shape: UNetShape | VAEShape) -> None:
    """Raises FlipbookError for widths that are not multiples of the group norm's groups."""
    if any(width % shape.norm_groups for width in shape.channels):
        widths = ", ".join(map(str, shape.channels))
        raise FlipbookError(
            Problem(
                f"{path.name}: the {part}'s widths ({widths}) are not multiples of {shape.norm_groups}; "
                "use another file",
                code="model.wrong_architecture",
            )
        )


def fill(
    network: nn.Module, weights: Mapping[str, Tensor], path: Path, part: str, dtype: torch.dtype
) -> None:
    """Loads `weights` into `network` in `dtype`. Raises FlipbookError with the name of one that does not
    fit."""
    expected = network.state_dict()
    missing = [k for k in expected if k not in weights and not k.endswith("position_ids")]
    wrong = [k for k, v in weights.items() if k in expected and expected[k].shape != v.shape]
    if missing or wrong:
        name = (missing or wrong)[0]
        what = "is missing" if missing else f"has shape {tuple(weights[name].shape)}"
        raise FlipbookError(
            Problem(
                f"{path.name}: the {part}'s weights do not fit: {name} {what}; use another file",
                code="model.wrong_architecture",
            )
        )
    own = {k: weights[k].to(dtype) for k in expected if k in weights}
    network.load_state_dict(own, strict=False, assign=True)


def build_unet(shape: UNetShape) -> UNet2DConditionModel:
    """A UNet of this shape on the meta device, in diffusers' naming; `fill` loads its weights."""
    # diffusers gives the middle the last level's depth, also where that level has no attention.
    depths = (*shape.depths[:-1], shape.depths[-1] or shape.mid_depth)
    kinds = ["CrossAttn" if depth else "" for depth in shape.depths]
    with torch.device("meta"):
        return UNet2DConditionModel(
            in_channels=shape.in_channels,
            out_channels=shape.out_channels,
            block_out_channels=shape.channels,
            layers_per_block=shape.layers,
            down_block_types=tuple(f"{kind}DownBlock2D" for kind in kinds),
            mid_block_type="UNetMidBlock2DCrossAttn",
            up_block_types=tuple(f"{kind}UpBlock2D" for kind in reversed(kinds)),
            transformer_layers_per_block=tuple(depth or 1 for depth in depths),
            cross_attention_dim=shape.context,
            attention_head_dim=shape.heads,
            use_linear_projection=shape.linear_projection,
            norm_num_groups=shape.norm_groups,
            norm_eps=shape.norm_eps,
            addition_embed_type="text_time" if shape.vector else None,
            addition_time_embed_dim=shape.size_embedding or None,
            projection_class_embeddings_input_dim=shape.vector or None,
        )


def _enlarge(upsampler: nn.Module, x: Tensor, size: tuple[int, int] | None = None) -> Tensor:
    """Doubles the sides, then fits them to `size`: the WebUI's order, which matters for odd sizes.

    diffusers enlarges to `size` first and convolves then; at multiples of 64 pixels both agree.
    """
    doubled: Tensor = type(upsampler).forward(upsampler, x)
    if size is None or tuple(doubled.shape[-2:]) == tuple(size):
        return doubled
    return F.interpolate(doubled, size=size, mode="nearest")


def build_vae(shape: VAEShape) -> AutoencoderKL:
    """An autoencoder of this shape on the meta device."""
    levels = len(shape.channels)
    with torch.device("meta"):
        return AutoencoderKL(
            in_channels=3,
            out_channels=3,
            down_block_types=("DownEncoderBlock2D",) * levels,
            up_block_types=("UpDecoderBlock2D",) * levels,
            block_out_channels=shape.channels,
            layers_per_block=shape.layers,
            latent_channels=shape.latent_channels,
            norm_num_groups=shape.norm_groups,
            scaling_factor=shape.scale,
            # Also the tile size when memory is short.
            sample_size=512,
        )


def load_vae(path: Path, scale: float) -> AutoencoderKL:
    """A VAE from a .safetensors or torch file of its own, in the original layout or diffusers', in float32.

    Raises FlipbookError when the file is no VAE.
    """
    own = {key.removeprefix(VAE): value for key, value in read_tensors(path).items()}
    shape = read_vae(header_of(path), scale)
    _refuse_widths(path, "VAE", shape)
    vae = build_vae(shape)
    if "encoder.down_blocks.0.resnets.0.conv1.weight" not in own:
        own = _vae_weights({VAE + key: value for key, value in own.items()}, vae, VAE)
    fill(vae, own, path, "VAE", torch.float32)
    return vae.requires_grad_(False).eval()


def _vae_weights(weights: Mapping[str, Tensor], vae: AutoencoderKL, prefix: str) -> dict[str, Tensor]:
    """The autoencoder's weights under `prefix` in diffusers' naming."""
    own = {VAE + k[len(prefix) :]: v for k, v in weights.items() if k.startswith(prefix)}
    converted: dict[str, Tensor] = convert_ldm_vae_checkpoint(own, dict(vae.config))
    return converted


def _load_text(shape: TextShape, weights: Mapping[str, Tensor], path: Path, dtype: torch.dtype) -> nn.Module:
    """One CLIP text model with its weights."""
    config = CLIPTextConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.width,
        intermediate_size=shape.hidden,
        projection_dim=shape.projection or shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        max_position_embeddings=shape.positions,
        hidden_act=shape.activation,
        # The pooled vector is read at the highest token id, as OpenAI's and open_clip's code do.
        eos_token_id=2,
        # Not used, but transformers warns about its default where the vocabulary is smaller.
        bos_token_id=0,
    )
    # Built with values, not on the meta device: it has buffers that files do not contain.
    model: nn.Module = (CLIPTextModelWithProjection if shape.projection else CLIPTextModel)(config)
    if shape.layout == "open_clip":
        renamed = convert_open_clip_checkpoint(model, dict(weights), prefix=shape.prefix)
    else:
        renamed = {k[len(shape.prefix) :]: v for k, v in weights.items() if k.startswith(shape.prefix)}
    # Files and versions of transformers use names with or without this prefix.
    word = "text_model." if any(k.startswith("text_model.") for k in model.state_dict()) else ""
    renamed = {
        k if k.startswith("text_projection.") else word + k.removeprefix("text_model."): v
        for k, v in renamed.items()
    }
    fill(model, renamed, path, "text encoder", dtype)
    return model


def _alphas(checkpoint: Checkpoint, weights: Mapping[str, Tensor]) -> Tensor:
    """Cumulative alphas: the file's own, else the scaled-linear schedule of latent diffusion.

    β_t = (√β_1 + (t−1)/(T−1)·(√β_T − √β_1))², ᾱ_t = Π(1 − β_s): Ho et al. 2020 eq. 4 with the betas of
    Rombach et al. 2022's code. A file's own `alphas_cumprod` takes precedence, as in the WebUI.
    """
    own = weights.get("alphas_cumprod")
    if own is not None:
        alphas, where = own.float(), "its alphas_cumprod"
    else:
        steps, first, last = checkpoint.schedule
        betas = torch.linspace(first**0.5, last**0.5, steps, dtype=torch.float64) ** 2
        alphas, where = torch.cumprod(1 - betas, 0).float(), "the yaml next to it"
    long = alphas.ndim == 1 and len(alphas) >= CONSISTENCY_STEPS
    falls = long and bool((alphas[:-1] >= alphas[1:]).all())
    if not (falls and float(alphas[-1]) > 0 and float(alphas[0]) < 1):
        raise FlipbookError(
            Problem(
                f"{checkpoint.path.name}: the noise schedule ({where}) does not fall from below 1 to above 0 "
                f"in {CONSISTENCY_STEPS} steps or more; correct it there or download the checkpoint again",
                code="model.invalid_noise_schedule",
            )
        )
    return alphas
