"""Makes pictures with the networks in training: Euler ancestral steps, classifier-free guidance, img2img."""

from __future__ import annotations

import numpy as np
import torch
from diffusers import AutoencoderKL, EulerAncestralDiscreteScheduler, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from training import pictures
from training.latents import encode
from training.networks import BETA_END, BETA_START, LATENT_CHANNELS, LATENT_FACTOR, SCALE_FACTOR, TIMESTEPS
from training.train_unet import tokens


@torch.no_grad()
def sample(
    unet: UNet2DConditionModel,
    text: CLIPTextModel,
    vae: AutoencoderKL,
    tokenizer: CLIPTokenizer,
    prompts: list[str],
    seed: int,
    side: int = 128,
    steps: int = 20,
    guidance: float = 5.0,
    start: np.ndarray | None = None,
    strength: float = 1.0,
) -> np.ndarray:
    """Pictures of the prompts as uint8 RGB (B, side, side, 3); picture i starts from seed + i.

    With `start`, uint8 RGB (H, W, 3), the last `strength` share of the steps runs from its noised latents.
    """
    device = next(unet.parameters()).device
    scheduler = EulerAncestralDiscreteScheduler(
        num_train_timesteps=TIMESTEPS, beta_start=BETA_START, beta_end=BETA_END, beta_schedule="scaled_linear"
    )
    scheduler.set_timesteps(steps)
    context = text(tokens(tokenizer, prompts + [""] * len(prompts)).to(device)).last_hidden_state
    generators = [torch.Generator().manual_seed(seed + i) for i in range(len(prompts))]

    def grain(height: int, width: int) -> torch.Tensor:
        shape = (LATENT_CHANNELS, height, width)
        return torch.stack([torch.randn(shape, generator=g) for g in generators]).to(device)

    if start is None:
        cells = side // LATENT_FACTOR
        latents, first = grain(cells, cells) * scheduler.init_noise_sigma, 0
    else:
        clean = encode(vae, start[None], device.type)
        first = min(steps - 1, round(steps * (1 - strength)))
        latents = clean + grain(*clean.shape[2:]) * scheduler.sigmas[first]
    for i in range(first, steps):
        scheduler._step_index = i
        t = scheduler.timesteps[i]
        both = scheduler.scale_model_input(torch.cat([latents, latents]), t)
        wanted, empty = unet(both, t, context).sample.chunk(2)
        guess = empty + guidance * (wanted - empty)
        sigma, after = scheduler.sigmas[i], scheduler.sigmas[i + 1]
        up = min(float(after), float((after**2 * (sigma**2 - after**2) / sigma**2) ** 0.5))
        down = (float(after) ** 2 - up**2) ** 0.5
        latents = latents + guess * (down - sigma) + grain(*latents.shape[2:]) * up
    parts = [vae.decode(part / SCALE_FACTOR).sample for part in latents.split(8)]
    return pictures.to_pictures(torch.cat(parts))


def sheet(rows: list[np.ndarray], gap: int = 2) -> np.ndarray:
    """Rows of pictures (N, H, W, 3) as one uint8 RGB picture with white gaps."""

    def framed(picture: np.ndarray) -> np.ndarray:
        return np.pad(picture, ((0, gap), (0, gap), (0, 0)), constant_values=255)

    return np.concatenate([np.concatenate([framed(p) for p in row], axis=1) for row in rows], axis=0)
