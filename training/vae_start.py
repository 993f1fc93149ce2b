"""A start for the VAE that already carries colours: block means in, smooth colours out.

A GroupNorm with two channels a group keeps a colour only beside a constant: of a flat picture it passes on
the sign alone. So colour and constant share a group, for several constants, and the layer behind the norm is
fitted by least squares. All residual branches start at zero; training adds the detail. From a random start
the same quality takes hundreds of steps.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch import nn

from training.networks import LATENT_FACTOR

CONSTANTS = (-4.0, -3.0, -2.0, -1.2, 1.2, 2.0, 3.0, 4.0)
COLOUR_CHANNELS = 2 * 3 * len(CONSTANTS)
"""How many channels of the residual stream start as (colour, constant) pairs; the others start at random."""
RIDGE = 1e-4
START_LOGVAR = -5.0
LATENT_SPREAD = 2.0
"""Latents start as block means times this: about unit variance."""


def _pairs() -> list[tuple[int, int, float]]:
    """(even channel, colour 0…2, constant of the channel after it)."""
    return [(2 * n, n % 3, CONSTANTS[n // 3]) for n in range(3 * len(CONSTANTS))]


def _enter(conv: nn.Conv2d, gain: float) -> None:
    """First convolution: input channel → colour channels, constants from the bias."""
    conv.weight.data[:COLOUR_CHANNELS] = 0
    for channel, colour, constant in _pairs():
        conv.weight.data[channel, colour, 1, 1] = gain
        conv.bias.data[channel], conv.bias.data[channel + 1] = 0.0, constant


def _carry(conv: nn.Conv2d, kernel: torch.Tensor) -> None:
    """Between two levels: each colour channel through `kernel` (3, 3), constants kept."""
    conv.weight.data[:COLOUR_CHANNELS] = 0
    for channel, _, constant in _pairs():
        conv.weight.data[channel, channel] = kernel
        conv.bias.data[channel], conv.bias.data[channel + 1] = 0.0, constant


def _silence(module: nn.Module) -> None:
    """Zero the last layer of every residual branch."""
    for name, part in module.named_modules():
        if name.endswith(("conv2", "to_out.0")):
            nn.init.zeros_(part.weight)
            nn.init.zeros_(part.bias)


def _fit(conv: nn.Conv2d, features: torch.Tensor, wanted: torch.Tensor) -> None:
    """Centre taps of the last convolution by ridge regression; features (B, C, h, w), wanted (B, N, h, w)."""
    a = features.permute(0, 2, 3, 1).reshape(-1, features.shape[1]).double()
    y = wanted.permute(0, 2, 3, 1).reshape(-1, wanted.shape[1]).double()
    a = torch.cat([a, torch.ones_like(a[:, :1])], dim=1)
    gram = a.T @ a / len(a) + RIDGE * torch.eye(a.shape[1], dtype=torch.float64, device=a.device)
    solution = torch.linalg.solve(gram, a.T @ y / len(a)).float()
    count = wanted.shape[1]
    conv.weight.data[:count] = 0
    conv.weight.data[:count, :, 1, 1] = solution[:-1].T
    conv.bias.data[:count] = solution[-1]


@torch.no_grad()
def start_from_colours(vae: AutoencoderKL, batch: torch.Tensor) -> None:
    """Set the VAE's weights as described above, fitted on `batch` (B, 3, H, W) in [-1, 1]."""
    _silence(vae)
    mean = torch.zeros(3, 3)
    mean[:2, :2] = 0.25
    smooth = torch.tensor(np.outer([0.25, 0.5, 0.25], [0.25, 0.5, 0.25]), dtype=torch.float32)
    _enter(vae.encoder.conv_in, 1.0)
    for block in vae.encoder.down_blocks[:-1]:
        _carry(block.downsamplers[0].conv, mean)
    for conv in (vae.quant_conv, vae.post_quant_conv):
        conv.weight.data[:, :, 0, 0] = torch.eye(conv.out_channels)
        nn.init.zeros_(conv.bias)
    blocks = F.avg_pool2d(batch, LATENT_FACTOR) * LATENT_SPREAD
    _fit(vae.encoder.conv_out, _before_last(vae.encoder, batch), blocks)
    latents = vae.encoder.conv_out.out_channels // 2
    nn.init.zeros_(vae.encoder.conv_out.weight[latents:])
    nn.init.constant_(vae.encoder.conv_out.bias[latents:], START_LOGVAR)
    _enter(vae.decoder.conv_in, 1.0 / LATENT_SPREAD)
    for block in vae.decoder.up_blocks[:-1]:
        _carry(block.upsamplers[0].conv, smooth)
    code = vae.encode(batch).latent_dist.mean
    _fit(vae.decoder.conv_out, _before_last(vae.decoder, code), batch)


def _before_last(half: nn.Module, batch: torch.Tensor) -> torch.Tensor:
    """What the last convolution of an encoder or decoder receives."""
    seen: list[torch.Tensor] = []
    hook = half.conv_out.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    half(batch)
    hook.remove()
    return seen[0]
