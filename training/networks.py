"""The three networks of the demo checkpoint, in SD 1.x topology with narrow widths."""

from __future__ import annotations

from dataclasses import dataclass

from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

LATENT_CHANNELS = 4
LATENT_FACTOR = 8
"""Pixels per latent cell."""
SCALE_FACTOR = 0.18215
"""LDM's factor from raw latents to unit variance."""
BETA_START, BETA_END, TIMESTEPS = 0.00085, 0.012, 1000
TOKENS = 77


@dataclass(frozen=True)
class Widths:
    """Channel counts. UNet and VAE widths are multiples of 32: LDM's GroupNorm has 32 groups.

    A width of 32 would make it an instance norm, which wipes out the mean of every channel: the decoder's
    last norm stands right before the colours, so the VAE needs two channels a group as well.
    """

    unet: tuple[int, ...] = (64, 64, 64, 64)
    vae: tuple[int, ...] = (64, 64, 64, 64)
    heads: int = 8
    context: int = 128
    text_layers: int = 3
    text_heads: int = 4


def build_vae(widths: Widths) -> AutoencoderKL:
    """An untrained AutoencoderKL: 3 → 4 channels, factor 8."""
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * len(widths.vae),
        up_block_types=("UpDecoderBlock2D",) * len(widths.vae),
        block_out_channels=widths.vae,
        layers_per_block=2,
        latent_channels=LATENT_CHANNELS,
        norm_num_groups=32,
        scaling_factor=SCALE_FACTOR,
    )


def build_unet(widths: Widths) -> UNet2DConditionModel:
    """An untrained SD 1.x UNet; diffusers calls the number of heads `attention_head_dim`."""
    return UNet2DConditionModel(
        sample_size=16,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        block_out_channels=widths.unet,
        layers_per_block=2,
        cross_attention_dim=widths.context,
        attention_head_dim=widths.heads,
        norm_num_groups=32,
    )


def text_config(widths: Widths, vocabulary: int) -> CLIPTextConfig:
    """CLIP's text model; the last two tokens of the vocabulary are start and end."""
    return CLIPTextConfig(
        vocab_size=vocabulary,
        hidden_size=widths.context,
        intermediate_size=4 * widths.context,
        projection_dim=widths.context,
        num_hidden_layers=widths.text_layers,
        num_attention_heads=widths.text_heads,
        max_position_embeddings=TOKENS,
        hidden_act="quick_gelu",
        bos_token_id=vocabulary - 2,
        eos_token_id=vocabulary - 1,
        pad_token_id=vocabulary - 1,
    )


def build_text_model(widths: Widths, vocabulary: int) -> CLIPTextModel:
    """An untrained text model; its last hidden state after the final norm conditions the UNet."""
    return CLIPTextModel(text_config(widths, vocabulary))
