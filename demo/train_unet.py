"""Trains the UNet together with its text model on cached latents: first small pictures, then native size."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import nn
from transformers import CLIPTextModel, CLIPTokenizer

from demo import pictures
from demo.captions import caption
from demo.latents import cached_latents
from demo.networks import BETA_END, BETA_START, TIMESTEPS, TOKENS, Widths, build_text_model, build_unet
from demo.scenes import Scene
from demo.speed import MatrixAttention, float_norms
from demo.training import Average, Plan, Stage, generator

EMPTY_SHARE = 0.1
"""Captions left empty, for classifier-free guidance."""
JUNK_SHARE = 0.06
"""Captions with one meaningless word, so that words the model never learnt do little harm."""
MIN_SNR = 5.0
EMA_DECAY = 0.995


@dataclass(frozen=True)
class Course:
    """One part of the UNet's training: pictures of one size."""

    side: int
    scenes: int
    steps: int
    batch: int
    seed: int


def alphas_cumprod() -> torch.Tensor:
    """SD 1.x' scaled-linear schedule, float32 (1000,)."""
    betas = torch.linspace(BETA_START**0.5, BETA_END**0.5, TIMESTEPS, dtype=torch.float64) ** 2
    return torch.cumprod(1 - betas, dim=0).float()


def draw_captions(scenes: list[Scene], rng: np.random.Generator) -> list[str]:
    """One fresh caption per scene, some empty, some with a junk word."""
    texts = []
    for scene in scenes:
        text = caption(scene, rng)
        if rng.random() < JUNK_SHARE:
            junk = "".join(chr(97 + int(c)) for c in rng.integers(0, 26, int(rng.integers(3, 9))))
            text = f"{text}, {junk}" if rng.random() < 0.5 else f"{junk} {text}"
        texts.append("" if rng.random() < EMPTY_SHARE else text)
    return texts


def tokens(tokenizer: CLIPTokenizer, texts: list[str]) -> torch.Tensor:
    """Token numbers (B, 77), padded with the end token as SD 1.x does."""
    return tokenizer(
        texts, padding="max_length", max_length=TOKENS, truncation=True, return_tensors="pt"
    ).input_ids


def unet_loss(
    unet: UNet2DConditionModel,
    text: CLIPTextModel,
    latents: torch.Tensor,
    ids: torch.Tensor,
    noise: torch.Generator,
    schedule: torch.Tensor,
) -> torch.Tensor:
    """Squared error of the predicted noise, weighted by min-SNR (Hang et al., 2023) with γ = 5."""
    device = latents.device
    grain = torch.randn(latents.shape, generator=noise).to(device)
    stratum = torch.arange(len(latents)) + torch.rand(len(latents), generator=noise)
    t = (stratum / len(latents) * TIMESTEPS).long().clamp(max=TIMESTEPS - 1).to(device)
    a = schedule[t][:, None, None, None]
    noisy = (a.sqrt() * latents + (1 - a).sqrt() * grain).contiguous(memory_format=torch.channels_last)
    with torch.autocast(device.type, torch.bfloat16):
        guess = unet(noisy, t, text(ids).last_hidden_state).sample.float()
    snr = schedule[t] / (1 - schedule[t])
    weight = snr.clamp(max=MIN_SNR) / snr
    return (weight * (guess - grain).square().mean(dim=(1, 2, 3))).mean()


@torch.no_grad()
def follow(average: nn.Module, module: nn.Module, step: int) -> None:
    """Move the running average of weights towards the module's."""
    decay = min(EMA_DECAY, (1 + step) / (10 + step))
    for slow, fast in zip(average.parameters(), module.parameters(), strict=True):
        slow.lerp_(fast, 1 - decay)


def _start_silent(unet: UNet2DConditionModel) -> None:
    """Zero the last layer of every residual branch and of the UNet, as latent diffusion does."""
    for name, part in unet.named_modules():
        if name == "conv_out" or name.endswith((".conv2", ".proj_out")):
            nn.init.zeros_(part.weight)
            nn.init.zeros_(part.bias)


def networks(widths: Widths, vocabulary: int, seed: int, device: str) -> dict[str, nn.Module]:
    """UNet and text model as training starts, and the copies that average them."""
    torch.manual_seed(seed)
    unet = build_unet(widths)
    _start_silent(unet)
    unet = unet.to(device, memory_format=torch.channels_last)
    text = build_text_model(widths, vocabulary).to(device)
    float_norms(unet)
    unet.set_attn_processor(MatrixAttention())
    slow_unet, slow_text = copy.deepcopy(unet), copy.deepcopy(text)
    slow_unet.requires_grad_(False)
    slow_text.requires_grad_(False)
    return {"unet": unet, "text": text, "unet_average": slow_unet, "text_average": slow_text}


def train_unet(
    work: Path,
    plan: Plan,
    courses: tuple[Course, ...],
    widths: Widths,
    vae: AutoencoderKL,
    tokenizer: CLIPTokenizer,
    device: str,
    stop: int | None = None,
) -> dict[str, nn.Module]:
    """Train (or go on training) through the courses, or pause after step `stop`; gives all four networks."""
    modules = networks(widths, len(tokenizer), plan.seed, device)
    stage = Stage("unet", work, plan, modules)
    stage.resume()
    schedule = alphas_cumprod().to(device)
    last = plan.steps if stop is None else min(stop, plan.steps)
    average = Average()
    begin = 0
    for course in courses:
        end = min(last, begin + course.steps)
        begin += course.steps
        if stage.step >= end:
            continue
        scenes = pictures.scenes(course.scenes, course.seed)
        latents = cached_latents(vae, scenes, course.side, work / f"latents-{course.side}.pt", device)
        average.take()
        while stage.step < end:
            rng = np.random.default_rng([plan.seed, stage.step])
            chosen = rng.integers(0, len(scenes), course.batch)
            ids = tokens(tokenizer, draw_captions([scenes[i] for i in chosen], rng)).to(device)
            noise = generator(plan.seed, stage.step)
            loss = unet_loss(
                modules["unet"], modules["text"], latents[chosen].to(device), ids, noise, schedule
            )
            stage.descend(loss)
            follow(modules["unet_average"], modules["unet"], stage.step)
            follow(modules["text_average"], modules["text"], stage.step)
            average.add(float(loss.detach()))
            if stage.step % plan.save_every == 0 or stage.step == end:
                mean, spent = average.take()
                stage.seconds += spent
                stage.save()
                stage.log(loss=mean, side=course.side)
    return modules
