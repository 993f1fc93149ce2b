"""Trains the VAE: first on crops of drawings and photographs, then on whole drawings."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from numpy.typing import NDArray

from training import pictures
from training.networks import SCALE_FACTOR, Widths, build_vae
from training.pictures import Pictures
from training.speed import float_norms, sleep
from training.stages import Average, Plan, Stage, generator
from training.vae_start import start_from_colours

CROP = 64
KL_WEIGHT = 1e-3
START_BATCH = 48
POOL = 1200
POOL_SEED = 1
WHOLE_POOL = 1500
WHOLE_PHOTOGRAPH_SHARE = 0.12
WHOLE_KL_WEIGHT = 3e-4
WHOLE_OBJECT_WEIGHT = 2.0
WHOLE_SQUARE_WEIGHT = 6.0
"""The plain error draws sharp edges, its square is what a signal-to-noise ratio counts."""


def vae_loss(vae: AutoencoderKL, batch: torch.Tensor, noise: torch.Generator) -> torch.Tensor:
    """|error| + error² per pixel + KL_WEIGHT · KL per latent value, for (B, 3, H, W) in [-1, 1]."""
    with torch.autocast(batch.device.type, torch.bfloat16):
        posterior = vae.encode(batch).latent_dist
        mean, logvar = posterior.mean.float(), posterior.logvar.float()
        grain = torch.randn(mean.shape, generator=noise).to(batch.device)
        restored = vae.decode(mean + (0.5 * logvar).exp() * grain).sample.float()
    kl = 0.5 * (mean**2 + logvar.exp() - 1.0 - logvar).mean()
    return F.l1_loss(restored, batch) + F.mse_loss(restored, batch) + KL_WEIGHT * kl


def train_vae(
    work: Path, plan: Plan, widths: Widths, device: str, pool: int = POOL, stop: int | None = None
) -> AutoencoderKL:
    """Train (or go on training) to the plan's last step, or pause after step `stop`; gives the VAE."""
    torch.manual_seed(plan.seed)
    vae = build_vae(widths).to(device, memory_format=torch.channels_last)
    float_norms(vae)
    stage = Stage("vae", work, plan, {"vae": vae})
    stage.resume()
    drawn = pictures.drawings(pool, POOL_SEED)
    photographs = [pictures.photograph(name) for name in pictures.PHOTOGRAPHS]
    if stage.step == 0:
        rng = np.random.default_rng(plan.seed)
        first = pictures.vae_batch(drawn, photographs, min(START_BATCH, pool), 2 * CROP, rng)
        start_from_colours(vae, pictures.to_tensor(first).to(device))
    sleep(vae)
    average = Average()
    last = plan.steps if stop is None else min(stop, plan.steps)
    while stage.step < last:
        rng = np.random.default_rng([plan.seed, stage.step])
        batch = pictures.to_tensor(pictures.vae_batch(drawn, photographs, plan.batch, CROP, rng)).to(device)
        loss = vae_loss(vae, batch, generator(plan.seed, stage.step))
        stage.descend(loss)
        average.add(float(loss.detach()))
        if stage.step % plan.save_every == 0 or stage.step == last:
            mean, spent = average.take()
            stage.seconds += spent
            stage.save()
            stage.log(loss=mean, **vae_figures(vae, device))
    return vae


def whole_batch(
    pool: Pictures, marks: Pictures, photographs: list[Pictures], count: int, rng: np.random.Generator
) -> tuple[Pictures, NDArray[np.float32]]:
    """Whole drawings, half of them mirrored, and some crops of photographs; uint8 RGB (count, H, W, 3).

    Beside them where their objects are, 0 or 1, (count, H, W).
    """
    chosen = rng.integers(0, len(pool), count)
    batch, where = pool[chosen], marks[chosen].astype(np.float32)
    for n in range(count):
        if rng.random() < WHOLE_PHOTOGRAPH_SHARE:
            photo = photographs[int(rng.integers(len(photographs)))]
            batch[n], where[n] = pictures.crop(photo, batch.shape[1], 0.2, rng), 0
        elif rng.random() < 0.5:
            batch[n], where[n] = batch[n][:, ::-1].copy(), where[n][:, ::-1].copy()
    return batch, where


def whole_loss(
    vae: AutoencoderKL, batch: torch.Tensor, marks: torch.Tensor, noise: torch.Generator
) -> torch.Tensor:
    """|error| + WHOLE_SQUARE_WEIGHT · error² per pixel, more on objects, + KL of the scaled latents.

    `batch` (B, 3, H, W) in [-1, 1], `marks` (B, 1, H, W). The latents' scale is folded into the weights
    already, so their prior is that of the values that the UNet sees.
    """
    with torch.autocast(batch.device.type, torch.bfloat16):
        posterior = vae.encode(batch).latent_dist
        mean, logvar = posterior.mean.float(), posterior.logvar.float()
        grain = torch.randn(mean.shape, generator=noise).to(batch.device)
        restored = vae.decode(mean + (0.5 * logvar).exp() * grain).sample.float()
    scaled = logvar + 2 * math.log(SCALE_FACTOR)
    kl = 0.5 * ((mean * SCALE_FACTOR) ** 2 + scaled.exp() - 1 - scaled).mean()
    error = restored - batch
    unlike = error.abs() + WHOLE_SQUARE_WEIGHT * error**2
    counted = (1 + WHOLE_OBJECT_WEIGHT * marks) * unlike
    return counted.mean() + WHOLE_KL_WEIGHT * kl


def train_whole(
    work: Path, plan: Plan, vae: AutoencoderKL, device: str, pool: int = WHOLE_POOL, stop: int | None = None
) -> AutoencoderKL:
    """Go on with a VAE on whole pictures, where its norms see the statistics that they will meet.

    `vae` has its scale folded in; what a small object keeps of its shape is decided here.
    """
    stage = Stage("whole", work, plan, {"vae": vae})
    stage.resume()
    drawn, marks = pictures.marked_drawings(pool, POOL_SEED)
    photographs = [pictures.photograph(name) for name in pictures.PHOTOGRAPHS]
    average = Average()
    last = plan.steps if stop is None else min(stop, plan.steps)
    while stage.step < last:
        rng = np.random.default_rng([plan.seed, stage.step])
        batch, where = whole_batch(drawn, marks, photographs, plan.batch, rng)
        loss = whole_loss(
            vae,
            pictures.to_tensor(batch).to(device),
            torch.from_numpy(where)[:, None].to(device),
            generator(plan.seed, stage.step),
        )
        stage.descend(loss)
        average.add(float(loss.detach()))
        if stage.step % plan.save_every == 0 or stage.step == last:
            mean, spent = average.take()
            stage.seconds += spent
            stage.save()
            stage.log(loss=mean, **vae_figures(vae, device))
    return vae


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB of two uint8 arrays of one shape."""
    error = float(np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2))
    return 10 * float(np.log10(255**2 / max(error, 1e-12)))


@torch.no_grad()
def restore(vae: AutoencoderKL, batch: np.ndarray, device: str) -> np.ndarray:
    """Encode and decode uint8 RGB (B, H, W, 3), the mean of the posterior, no noise."""
    latents = vae.encode(pictures.to_tensor(batch).to(device)).latent_dist.mean
    return pictures.to_pictures(vae.decode(latents).sample)


def vae_figures(vae: AutoencoderKL, device: str, count: int = 6) -> dict[str, float]:
    """dB on drawings of held-out combinations and on the photograph that training never sees."""
    held = pictures.drawings(count, seed=99, held_out=True)
    photo = pictures.photograph(pictures.KEPT_BACK_PHOTOGRAPH)[:296, :448][None]
    return {
        "drawings_db": psnr(held, restore(vae, held, device)),
        "photograph_db": psnr(photo, restore(vae, photo, device)),
    }
