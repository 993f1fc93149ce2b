"""Latents of drawings, encoded once for the UNet's training, and the VAE's scale folded into its weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL

from demo import pictures
from demo.networks import SCALE_FACTOR
from demo.painting import paint
from demo.scenes import Scene

CHUNK = 32


@torch.no_grad()
def encode(vae: AutoencoderKL, batch: np.ndarray, device: str) -> torch.Tensor:
    """uint8 RGB (B, H, W, 3) → float32 latents (B, 4, H/8, W/8) of unit variance, means of the posterior."""
    with torch.autocast(device, torch.bfloat16):
        mean = vae.encode(pictures.to_tensor(batch).to(device)).latent_dist.mean
    return mean.float() * SCALE_FACTOR


@torch.no_grad()
def fold_scale(vae: AutoencoderKL, batch: np.ndarray, device: str) -> None:
    """Give every latent channel mean 0 and deviation 1 / SCALE_FACTOR over `batch`; pictures stay the same.

    The affine map goes into quant_conv, its inverse into post_quant_conv: both are 1×1 convolutions.
    """
    values = torch.cat([encode(vae, batch[i : i + CHUNK], device) for i in range(0, len(batch), CHUNK)])
    values = values / SCALE_FACTOR
    mean = values.mean(dim=(0, 2, 3))
    gain = 1.0 / (values.std(dim=(0, 2, 3)) * SCALE_FACTOR)
    count = len(mean)
    inward, outward = vae.quant_conv, vae.post_quant_conv
    inward.weight.data[:count] *= gain[:, None, None, None]
    inward.bias.data[:count] = (inward.bias.data[:count] - mean) * gain
    inward.bias.data[count:] += 2 * gain.log()
    outward.bias.data += outward.weight.data[:, :, 0, 0] @ mean
    outward.weight.data /= gain[None, :, None, None]


def cached_latents(
    vae: AutoencoderKL, scenes: list[Scene], side: int, path: Path, device: str
) -> torch.Tensor:
    """Latents of the scenes' drawings at `side` pixels, float32 (N, 4, side/8, side/8); kept in `path`."""
    if path.exists():
        kept: torch.Tensor = torch.load(path, weights_only=True)
        if len(kept) == len(scenes):
            return kept.float()
    parts = []
    for i in range(0, len(scenes), CHUNK):
        batch = np.stack([paint(scene, side) for scene in scenes[i : i + CHUNK]])
        parts.append(encode(vae, batch, device).cpu())
    latents = torch.cat(parts).half()
    torch.save(latents, path)
    return latents.float()
