"""Drawn clips: one object moves through a scene that stands still."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from numpy.typing import NDArray

from training.brush import Picture
from training.latents import encode
from training.networks import LATENT_FACTOR
from training.painting import paint_and_mark
from training.scenes import MOTIONS, MOVES, Scene, sample_scene

FRAMES = 16
START = (0.16, 0.26)
"""Where an object that moves right begins, as a fraction of the width; one that moves left ends there."""
TRAVEL = (0.50, 0.60)
"""How far it goes in a clip."""


def sample_clip(rng: np.random.Generator, held_out: bool = False) -> list[Scene]:
    """The scenes of FRAMES frames: one layout, the object a little further in each."""
    way = str(rng.choice(MOTIONS))
    while True:
        scene = sample_scene(rng, held_out)
        if scene.obj in MOVES:
            break
    scene = replace(scene, motion=way, position="")
    path = rng.uniform(*START) + rng.uniform(*TRAVEL) * np.linspace(0.0, 1.0, FRAMES)
    return [replace(scene, x=float(x)) for x in (path if way == "right" else path[::-1])]


def clips(count: int, seed: int, held_out: bool = False) -> list[list[Scene]]:
    """`count` clips, the same for the same seed."""
    rng = np.random.default_rng(seed)
    return [sample_clip(rng, held_out) for _ in range(count)]


def opposite(frames: list[Scene]) -> list[Scene]:
    """The same scene with its object on the same way back."""
    way = MOTIONS[1 - MOTIONS.index(frames[0].motion)]
    return [replace(frame, motion=way, x=other.x) for frame, other in zip(frames, frames[::-1], strict=True)]


def opposed_clips(count: int, seed: int) -> list[list[Scene]]:
    """`count` clips, each followed by its opposite."""
    return [clip for frames in clips(count, seed) for clip in (frames, opposite(frames))]


def paint_clip(frames: list[Scene], side: int = 128) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Pictures (F, side, side, 3) and where the object is in them (F, side, side)."""
    drawn: list[tuple[Picture, NDArray[np.bool_]]] = [paint_and_mark(frame, side) for frame in frames]
    return np.stack([picture for picture, _ in drawn]), np.stack([mark for _, mark in drawn])


def cached_clips(
    vae: AutoencoderKL, drawn: list[list[Scene]], side: int, path: Path, device: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """Latents (N, FRAMES, 4, side/8, side/8) of the clips and the object's share of every cell.

    They are kept in `path`.
    """
    if path.exists():
        kept = torch.load(path, weights_only=True)
        if len(kept["latents"]) == len(drawn):
            return kept["latents"].float(), kept["marks"].float()
    latents, marks = [], []
    for frames in drawn:
        pictures, where = paint_clip(frames, side)
        latents.append(encode(vae, pictures, device).cpu().half())
        marks.append(F.avg_pool2d(torch.from_numpy(where)[:, None].float(), LATENT_FACTOR).half())
    kept = {"latents": torch.stack(latents), "marks": torch.stack(marks)}
    torch.save(kept, path)
    return kept["latents"].float(), kept["marks"].float()
