"""Trains the UNet together with its text model on cached latents: first small pictures, then native size."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import nn
from transformers import CLIPTokenizer

from lib_anim.models.motion.facts import SCHEDULES, Betas
from lib_anim.motion.betas import alphas_cumprod
from training import pictures
from training.captions import caption
from training.latents import cached_latents
from training.networks import BETA_END, BETA_START, TIMESTEPS, TOKENS, Widths, build_text_model, build_unet
from training.scenes import Scene
from training.speed import MatrixAttention, fast_bfloat16, float_norms, precision
from training.stages import Average, Plan, Stage, generator

EMPTY_SHARE = 0.1
"""Captions left empty, for classifier-free guidance."""
JUNK_SHARE = 0.06
"""Captions with one meaningless word, so that words the model never learnt do little harm."""
MIN_SNR = 5.0
EMA_DECAY = 0.995
OBJECT_WEIGHT = 4.0
"""An object covers about a fifteenth of the picture; unweighted, the landscape drowns it."""
MOTION_SHARE = 0.25
"""Stills noised by the schedule of motion modules, under which the same step number means more noise."""


@dataclass(frozen=True)
class Course:
    """One part of the UNet's training: pictures of one size."""

    side: int
    scenes: int
    steps: int
    batch: int
    seed: int


@cache
def schedules() -> torch.Tensor:
    """What is left of a picture's variance at each step, float32 (2, 1000): SD 1.x' own, motion modules'.

    AnimateDiff's modules run on β that are evenly spaced, so a UNet that is to serve them should know both.
    """
    linear = SCHEDULES["v3"]
    own = Betas("scaled linear", BETA_START, BETA_END)
    assert linear is not None
    return torch.stack([alphas_cumprod(own), alphas_cumprod(linear)]).float()


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
    unet: nn.Module,
    context: torch.Tensor,
    latents: torch.Tensor,
    marks: torch.Tensor,
    noise: torch.Generator,
    frames: int = 1,
    moving: float = MOTION_SHARE,
    early: float = 1.0,
    opposed: float = 1.0,
) -> torch.Tensor:
    """Squared error of the predicted noise of latents (B, 4, h, w), weighted by level and by place.

    Levels: min-SNR (Hang et al., 2023) with γ = 5, times σ above 1. There the layout is decided, and the
    error of the noise alone would fade with 1/σ². Places: `marks`, (B, 1, h, w), is the object's share of
    every cell; an error there counts OBJECT_WEIGHT times more. Every `frames` neighbours are noised to the
    same level; a share `moving` of the levels is of the motion modules' schedule. Levels are even where
    `early` is 1; what is less draws more of the noisiest ones: an evenly drawn number to that power.

    With `opposed` above 1, clips come in pairs that differ in one word, are noised alike, and what their
    errors do not share counts so many times: it is what that word should have told.
    """
    device = latents.device
    alike = 2 if opposed > 1 else 1
    levels = len(latents) // (frames * alike)
    shape = (levels, 1, frames, *latents.shape[1:])
    grain = torch.randn(shape, generator=noise).expand(-1, alike, *shape[2:]).flatten(0, 2).to(device)
    stratum = torch.arange(levels) + torch.rand(levels, generator=noise)
    t = ((stratum / levels) ** early * TIMESTEPS).long().clamp(max=TIMESTEPS - 1)
    table = (torch.rand(levels, generator=noise) < moving).long()
    kept = schedules()[table, t].repeat_interleave(frames * alike).to(device)
    t = t.repeat_interleave(frames * alike).to(device)
    a = kept[:, None, None, None]
    noisy = (a.sqrt() * latents + (1 - a).sqrt() * grain).contiguous(memory_format=torch.channels_last)
    with precision(device.type):
        guess = unet(noisy, t, context).sample.float()
    error = (guess - grain) * (1 + OBJECT_WEIGHT * marks).sqrt()
    square = error.square()
    if alike == 2:
        first, second = error.unflatten(0, (levels, 2, frames)).unbind(1)
        apart = ((first - second) / 2).square().repeat_interleave(2, 0).flatten(0, 1)
        square = square + (opposed - 1) * apart
    return (level_weight(kept) * square.mean(dim=(1, 2, 3))).mean()


def level_weight(kept: torch.Tensor) -> torch.Tensor:
    """How much the error of the noise counts where the share `kept` of the variance is the picture's."""
    snr = kept / (1 - kept)
    return snr.clamp(max=MIN_SNR) / snr * snr.rsqrt().clamp(min=1.0)


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
    if fast_bfloat16(device):
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
    last = plan.steps if stop is None else min(stop, plan.steps)
    average = Average()
    begin = 0
    for course in courses:
        end = min(last, begin + course.steps)
        begin += course.steps
        if stage.step >= end:
            continue
        scenes = pictures.scenes(course.scenes, course.seed)
        path = work / f"latents-{course.side}-{course.seed}.pt"
        latents, marks = cached_latents(vae, scenes, course.side, path, device)
        average.take()
        while stage.step < end:
            rng = np.random.default_rng([plan.seed, stage.step])
            chosen = rng.integers(0, len(scenes), course.batch)
            ids = tokens(tokenizer, draw_captions([scenes[i] for i in chosen], rng)).to(device)
            with precision(device):
                context = modules["text"](ids).last_hidden_state
            shown, where = latents[chosen].to(device), marks[chosen].to(device)
            loss = unet_loss(modules["unet"], context, shown, where, generator(plan.seed, stage.step))
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
