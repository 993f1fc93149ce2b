"""Latents of drawings, encoded once for the UNet's training, and the VAE's scale folded into its weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL

from training import pictures
from training.networks import LATENT_FACTOR, SCALE_FACTOR
from training.painting import paint_and_mark
from training.scenes import Scene
from training.speed import precision

CHUNK = 32


@torch.no_grad()
def encode(vae: AutoencoderKL, batch: np.ndarray, device: str) -> torch.Tensor:
    """uint8 RGB (B, H, W, 3) → float32 latents (B, 4, H/8, W/8), unit variance, means of the posterior."""
    with precision(device):
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
) -> tuple[torch.Tensor, torch.Tensor]:
    """Latents of the scenes' drawings at `side` pixels, and where their objects are; kept in `path`.

    Gives float32 (N, 4, side/8, side/8) and the object's share of every latent cell (N, 1, side/8, side/8).
    """
    if path.exists():
        kept = torch.load(path, weights_only=True)
        if len(kept["latents"]) == len(scenes):
            return kept["latents"].float(), kept["marks"].float()
    latents, marks = [], []
    for i in range(0, len(scenes), CHUNK):
        drawn = [paint_and_mark(scene, side) for scene in scenes[i : i + CHUNK]]
        latents.append(encode(vae, np.stack([picture for picture, _ in drawn]), device).cpu().half())
        shares = torch.from_numpy(np.stack([mark for _, mark in drawn])[:, None]).float()
        marks.append(F.avg_pool2d(shares, LATENT_FACTOR).half())
    kept = {"latents": torch.cat(latents), "marks": torch.cat(marks)}
    torch.save(kept, path)
    return kept["latents"].float(), kept["marks"].float()
