"""Trains the VAE on crops of drawings and photographs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL

from demo import pictures
from demo.networks import Widths, build_vae
from demo.speed import float_norms, sleep
from demo.training import Average, Plan, Stage, generator
from demo.vae_start import start_from_colours

CROP = 64
KL_WEIGHT = 1e-3
START_BATCH = 48
POOL = 1200
POOL_SEED = 1


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


def train_decoder(
    work: Path, plan: Plan, vae: AutoencoderKL, device: str, pool: int = POOL, stop: int | None = None
) -> AutoencoderKL:
    """Train the decoder alone, on whole pictures of twice the crop's side; latents stay what they are.

    Its norms see the statistics of whole pictures here, and a UNet trained on the latents stays valid.
    """
    stage = Stage("decoder", work, plan, {"decoder": vae.decoder, "post_quant_conv": vae.post_quant_conv})
    stage.resume()
    drawn = pictures.drawings(pool, POOL_SEED)
    photographs = [pictures.photograph(name) for name in pictures.PHOTOGRAPHS]
    average = Average()
    last = plan.steps if stop is None else min(stop, plan.steps)
    while stage.step < last:
        rng = np.random.default_rng([plan.seed, stage.step])
        batch = pictures.to_tensor(pictures.vae_batch(drawn, photographs, plan.batch, 2 * CROP, rng))
        batch = batch.to(device)
        noise = generator(plan.seed, stage.step)
        with torch.no_grad(), torch.autocast(device, torch.bfloat16):
            posterior = vae.encode(batch).latent_dist
            grain = torch.randn(posterior.mean.shape, generator=noise).to(device)
            latents = posterior.mean.float() + posterior.std.float() * grain
        with torch.autocast(device, torch.bfloat16):
            restored = vae.decode(latents).sample.float()
        loss = F.l1_loss(restored, batch) + F.mse_loss(restored, batch)
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
