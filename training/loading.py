"""Reads the finished checkpoint back: LDM names → diffusers and transformers networks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint, convert_ldm_vae_checkpoint
from safetensors.torch import load_file
from transformers import CLIPTextModel, CLIPTokenizer

from training.convert import TEXT
from training.export import NAME
from training.networks import Widths, build_text_model, build_unet, build_vae


@dataclass(frozen=True)
class Painter:
    """Everything it takes to paint with the demo checkpoint, in float32."""

    unet: UNet2DConditionModel
    vae: AutoencoderKL
    text: CLIPTextModel
    tokenizer: CLIPTokenizer


def load(folder: Path, widths: Widths) -> Painter:
    """The networks of `folder`/flipbook-demo.safetensors with the tokenizer beside it."""
    weights = {k: v.float() for k, v in load_file(str(folder / f"{NAME}.safetensors")).items()}
    tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
    unet, vae = build_unet(widths).eval(), build_vae(widths).eval()
    unet.load_state_dict(convert_ldm_unet_checkpoint(dict(weights), dict(unet.config)))
    vae.load_state_dict(convert_ldm_vae_checkpoint(dict(weights), dict(vae.config)))
    text = build_text_model(widths, len(tokenizer)).eval()
    nested = any(key.startswith("text_model.") for key in text.state_dict())
    prefix = "text_model." if nested else ""
    text.load_state_dict(
        {prefix + key.removeprefix(TEXT): v for key, v in weights.items() if key.startswith(TEXT)}
    )
    return Painter(unet, vae, text, tokenizer)
