"""Trains everything but the VAE on stills with objects and on clips at once, and so the motion module.

AnimateDiff trains a module under a finished UNet. Here the UNet has yet to learn the objects that are to
move, and a clip's frames teach it that too; so each step takes stills without the module and clips with it.

Which way an object goes joins three facts, word, frame and column, and none of two says anything. So columns
and frames are learnt on their own (`training/bearings.py`), and every clip comes beside its opposite.
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

from training import pictures
from training.bearings import Bearings
from training.captions import plain_caption
from training.clips import FRAMES, cached_clips, opposed_clips
from training.latents import cached_latents
from training.loading import Painter
from training.networks import Widths
from training.scenes import Scene
from training.speed import float_norms, precision
from training.stages import Average, Plan, Stage, generator
from training.temporal import Motion, build_motion
from training.train_unet import draw_captions, follow, networks, tokens, unet_loss

EARLY_ENDS, EARLY_STRETCHES = 0.25, 0.5
"""`unet_loss`'s `early` for the two ends of clips, and for more of their frames. Which way an object goes is
seen in all but the noisiest frames; in those alone the words say it, and even levels draw them seldom."""
OPPOSED = 4.0
"""How many times that part of an error counts that a clip and its opposite do not share."""
BEARINGS = 0.3
"""What the readouts' error counts beside that of the noise."""
ENDS = 5
"""Frames among which each of a clip's two ends is drawn."""


@dataclass(frozen=True)
class Moving:
    """What the stage draws, and what a step takes of it."""

    side: int
    scenes: int
    scene_seed: int
    stills: int
    """Stills in a step."""
    clips: int
    """Each is drawn both ways."""
    clip_seed: int
    frames: int
    """Frames of the one pair of opposed clips that every other step sees."""
    pairs: int
    """Pairs of which the steps between see two frames each, one of either end."""
    first: int
    """Steps that come before the others and see no stills, only pairs of ends with plain captions."""


def chosen_ends(rng: np.random.Generator) -> np.ndarray:
    """One of a clip's first frames and one of its last."""
    return np.array([rng.integers(ENDS), FRAMES - 1 - rng.integers(ENDS)])


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
    """UNet, text model and motion module as training starts, the copies that average them, and readouts."""
    modules = networks(widths, vocabulary, seed, device)
    motion = build_motion(widths, seed).to(device)
    float_norms(motion)
    modules |= {"motion": motion, "motion_average": copy.deepcopy(motion).requires_grad_(False)}
    return modules | {"bearings": Bearings(modules["unet"]).to(device)}


def opposed_captions(clips: list[list[Scene]], rng: np.random.Generator, plain: bool) -> list[str]:
    """Captions of clips that lie beside their opposites: the same words but for the way."""
    firsts = [frames[0] for frames in clips]
    if plain:
        return [plain_caption(s.place, s.season, s.obj, s.colour, s.motion) for s in firsts]
    again = copy.deepcopy(rng)
    there, back = draw_captions(firsts[::2], rng), draw_captions(firsts[1::2], again)
    return [text for pair in zip(there, back, strict=True) for text in pair]


@dataclass(frozen=True)
class Seen:
    """What one step sees: numbers of clips, of their frames and of stills, and the captions of all."""

    clips: np.ndarray
    at: np.ndarray
    stills: np.ndarray
    texts: list[str]
    early: float


def seen(
    course: Moving, step: int, scenes: list[Scene], drawn: list[list[Scene]], rng: np.random.Generator
) -> Seen:
    """Ends of several pairs of clips or more frames of one, by turns; stills after the first steps."""
    first = step < course.first
    ends = first or step % 2 == 1
    at = chosen_ends(rng) if ends else chosen_frames(course.frames, rng)
    pairs = rng.integers(0, len(drawn) // 2, course.pairs if ends else 1)
    clips = np.stack([2 * pairs, 2 * pairs + 1], axis=1).ravel()
    stills = rng.integers(0, len(scenes), 0 if first else course.stills)
    texts = opposed_captions([drawn[i] for i in clips], rng, first)
    texts += draw_captions([scenes[i] for i in stills], rng)
    return Seen(clips, at, stills, texts, EARLY_ENDS if ends else EARLY_STRETCHES)


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
    """Train (or go on training) to the plan's last step, or pause after step `stop`; gives all networks.

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
    scenes = pictures.scenes(course.scenes, course.scene_seed)
    drawn = opposed_clips(course.clips, course.clip_seed)
    path = work / f"latents-{course.side}-{course.scene_seed}.pt"
    stills = cached_latents(vae, scenes, course.side, path, device)
    path = work / f"clips-{course.side}-{course.clip_seed}.pt"
    moving = cached_clips(vae, drawn, course.side, path, device)
    last = plan.steps if stop is None else min(stop, plan.steps)
    average = Average()
    while stage.step < last:
        shown = seen(course, stage.step, scenes, drawn, np.random.default_rng([plan.seed, stage.step]))
        noise = generator(plan.seed, stage.step)
        with precision(device):
            context = modules["text"](tokens(tokenizer, shown.texts).to(device)).last_hidden_state
        told, described = context.split([len(shown.clips), len(shown.stills)])
        frames, marks = (part[shown.clips][:, shown.at].flatten(0, 1).to(device) for part in moving)
        loss = clip = clip_loss(modules, told, frames, marks, torch.from_numpy(shown.at), noise, shown.early)
        still = 0.0
        if len(shown.stills):
            latents, marks = (part[shown.stills].to(device) for part in stills)
            loss = loss + still_loss(modules, described, latents, marks, noise)
            still = float((loss - clip).detach())
        stage.descend(loss)
        for name in ("unet", "text", "motion"):
            follow(modules[f"{name}_average"], modules[name], stage.step)
        average.add(np.array([still, float(clip.detach())]))
        if stage.step % plan.save_every == 0 or stage.step == last:
            mean, spent = average.take()
            stage.seconds += spent
            stage.save()
            stage.log(still=mean[0], clip=mean[1])
    return modules


def still_loss(
    modules: dict[str, nn.Module],
    context: torch.Tensor,
    latents: torch.Tensor,
    marks: torch.Tensor,
    noise: torch.Generator,
) -> torch.Tensor:
    """`unet_loss` of stills (B, 4, h, w) and what the readouts miss."""
    unet, bearings = modules["unet"], modules["bearings"]
    assert isinstance(bearings, Bearings)
    with bearings.listening(unet) as heard:
        loss = unet_loss(unet, context, latents, marks, noise)
    return loss + BEARINGS * bearings.error(heard)


def clip_loss(
    modules: dict[str, nn.Module],
    context: torch.Tensor,
    latents: torch.Tensor,
    marks: torch.Tensor,
    at: torch.Tensor,
    noise: torch.Generator,
    early: float,
) -> torch.Tensor:
    """The same over clips (K·F, 4, h, w), each followed by its opposite.

    All frames of a pair are at one level, and the noises of a clip's frames are independent. `context` is
    the clips' texts (K, 77, C), `at` numbers the frames (F,) of each; the levels are of the schedule that
    motion modules run on, drawn as `early` says.
    """
    unet, motion, bearings = modules["unet"], modules["motion"], modules["bearings"]
    assert isinstance(motion, Motion)
    assert isinstance(bearings, Bearings)
    frames = len(at)
    told = context.repeat_interleave(frames, 0)
    with motion.moving(unet, at.to(latents.device)), bearings.listening(unet) as heard:
        loss = unet_loss(unet, told, latents, marks, noise, frames, moving=1.0, early=early, opposed=OPPOSED)
    return loss + BEARINGS * bearings.error(heard, at)
