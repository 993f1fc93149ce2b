"""Trains everything but the VAE on stills with objects and on clips at once, and so the motion module.

AnimateDiff trains a module under a finished UNet. Here the UNet has yet to learn the objects that are to
move, and a clip's frames teach it that too; so each step takes stills without the module and clips with it.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn
from transformers import CLIPTokenizer

from demo import pictures
from demo.clips import FRAMES, cached_clips, clips
from demo.latents import cached_latents
from demo.loading import Painter
from demo.networks import Widths
from demo.speed import float_norms, precision
from demo.temporal import Motion, build_motion
from demo.train_unet import draw_captions, follow, networks, tokens, unet_loss
from demo.training import Average, Plan, Stage, generator

EARLY = 0.25
"""Of a clip's levels. Which way an object goes is seen in all but the noisiest frames; in those alone the
words say it, and even levels draw them seldom."""


@dataclass(frozen=True)
class Moving:
    """What the stage draws, and what a step takes of it."""

    side: int
    scenes: int
    scene_seed: int
    stills: int
    """Stills in a step."""
    clips: int
    clip_seed: int
    frames: int
    """Frames that a step sees of each of its clips."""
    shown_clips: int
    """Clips in a step."""


def chosen_frames(count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` of a clip's frames in order: neighbours, evenly spread, or all."""
    widest = (FRAMES - 1) // max(1, count - 1)
    stride = 1 if widest == 1 or rng.random() < 0.4 else widest
    first = int(rng.integers(FRAMES - stride * (count - 1)))
    return first + stride * np.arange(count)


@torch.no_grad()
def take_over(modules: dict[str, nn.Module], painter: Painter, tokenizer: CLIPTokenizer) -> None:
    """Begin with a checkpoint's weights; words that its tokenizer lacks keep their fresh ones."""
    ours, known = tokenizer.get_vocab(), painter.tokenizer.get_vocab()
    shared = [word for word in ours if word in known]
    for name, module in (("unet", painter.unet), ("text", painter.text)):
        for target in (modules[name], modules[f"{name}_average"]):
            weights = dict(module.state_dict())
            for key, value in target.state_dict().items():
                if key.endswith("token_embedding.weight"):
                    rows = value.clone()
                    rows[[ours[word] for word in shared]] = weights[key][[known[word] for word in shared]]
                    weights[key] = rows
            target.load_state_dict(weights)


def moving_networks(widths: Widths, vocabulary: int, seed: int, device: str) -> dict[str, nn.Module]:
    """UNet, text model and motion module as training starts, and the copies that average them."""
    modules = networks(widths, vocabulary, seed, device)
    motion = build_motion(widths, seed).to(device)
    float_norms(motion)
    return modules | {"motion": motion, "motion_average": copy.deepcopy(motion).requires_grad_(False)}


def train_moving(
    work: Path,
    plan: Plan,
    course: Moving,
    widths: Widths,
    painter: Painter,
    tokenizer: CLIPTokenizer,
    device: str,
    stop: int | None = None,
    module: Path | None = None,
) -> dict[str, nn.Module]:
    """Train (or go on training) to the plan's last step, or pause after step `stop`; gives all six networks.

    `painter` is what the first step begins with; its VAE encodes the drawings. `module` is the file of a
    motion module to begin with.
    """
    modules = moving_networks(widths, len(tokenizer), plan.seed, device)
    take_over(modules, painter, tokenizer)
    if module is not None:
        for name in ("motion", "motion_average"):
            modules[name].load_state_dict({k: v.float() for k, v in load_file(str(module)).items()})
    stage = Stage("moving", work, plan, modules)
    stage.resume()
    vae = painter.vae.to(device, memory_format=torch.channels_last)
    scenes, drawn = pictures.scenes(course.scenes, course.scene_seed), clips(course.clips, course.clip_seed)
    stills = cached_latents(
        vae, scenes, course.side, work / f"latents-{course.side}-{course.scene_seed}.pt", device
    )
    moving = cached_clips(
        vae, drawn, course.side, work / f"clips-{course.side}-{course.clip_seed}.pt", device
    )
    last = plan.steps if stop is None else min(stop, plan.steps)
    average = Average()
    while stage.step < last:
        rng = np.random.default_rng([plan.seed, stage.step])
        shown = rng.integers(0, len(scenes), course.stills)
        played = rng.integers(0, len(drawn), course.shown_clips)
        at = chosen_frames(course.frames, rng)
        texts = draw_captions([*(scenes[i] for i in shown), *(drawn[i][0] for i in played)], rng)
        noise = generator(plan.seed, stage.step)
        with precision(device):
            context = modules["text"](tokens(tokenizer, texts).to(device)).last_hidden_state
        unet = modules["unet"]
        still = unet_loss(unet, context[: course.stills], *(part[shown].to(device) for part in stills), noise)
        frames = (part[played][:, at].flatten(0, 1).to(device) for part in moving)
        told = context[course.stills :]
        clip = clip_loss(modules["motion"], unet, told, *frames, torch.from_numpy(at), noise)
        stage.descend(still + clip)
        for name in ("unet", "text", "motion"):
            follow(modules[f"{name}_average"], modules[name], stage.step)
        average.add(np.array([float(still.detach()), float(clip.detach())]))
        if stage.step % plan.save_every == 0 or stage.step == last:
            mean, spent = average.take()
            stage.seconds += spent
            stage.save()
            stage.log(still=mean[0], clip=mean[1])
    return modules


def clip_loss(
    motion: nn.Module,
    unet: nn.Module,
    context: torch.Tensor,
    latents: torch.Tensor,
    marks: torch.Tensor,
    at: torch.Tensor,
    noise: torch.Generator,
) -> torch.Tensor:
    """The stills' loss over clips (K·F, 4, h, w): all frames of one at one level, their noises independent.

    `context` is their texts (K, 77, C), `at` numbers the frames (F,) of each; the levels are of the schedule
    that motion modules run on.
    """
    assert isinstance(motion, Motion)
    frames = len(at)
    with motion.moving(unet, at.to(latents.device)):
        return unet_loss(
            unet, context.repeat_interleave(frames, 0), latents, marks, noise, frames, moving=1.0, early=EARLY
        )
