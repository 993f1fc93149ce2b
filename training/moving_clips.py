"""Paints clips of moving objects with the checkpoint and its motion module, through the embedded engine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lib_anim.app.engines import open_engine
from lib_anim.engines.contract.requests import ClipFrame, ClipRequest, Steering
from lib_anim.media.sheet import contact_sheet
from training.captions import plain_caption
from training.clips import FRAMES
from training.export import MOTION_NAME, NAME
from training.scenes import MOTIONS, MOVES, colours_in, held_out_combinations

SIDE = 128
SHOWN = 8
"""Frames of a clip that its row of the sheet shows."""


@dataclass(frozen=True)
class Wanted:
    """A clip's prompt, and which way it says that its object goes."""

    prompt: str
    way: str


def held_out_clips() -> list[Wanted]:
    """Every object that moves, in every combination never drawn in training, both ways; colours in turn."""
    moving = [(place, season, obj) for place, season, obj in held_out_combinations() if obj in MOVES]
    wanted = []
    for n, (place, season, obj) in enumerate(moving):
        shown = colours_in(season)
        colour = shown[n % len(shown)]
        for way in MOTIONS if n % 2 == 0 else reversed(MOTIONS):
            wanted.append(Wanted(plain_caption(place, season, obj, colour, way), way))
    return wanted


def painted_clips(
    folder: Path, wanted: list[Wanted], seed: int, steps: int, guidance: float
) -> Iterator[NDArray[np.float32]]:
    """One clip (FRAMES, 128, 128, 3) in [0, 1] for each, with `folder`'s checkpoint and module, Euler a."""
    engine = open_engine(str(folder / f"{NAME}.safetensors"))
    for number, clip in enumerate(wanted):
        first = seed + FRAMES * number
        frames = tuple(
            ClipFrame(prompt=clip.prompt, seed=first + frame, cfg_scale=guidance) for frame in range(FRAMES)
        )
        request = ClipRequest(
            frames=frames,
            shown=FRAMES,
            motion=Steering(module=f"{MOTION_NAME}.safetensors"),
            width=SIDE,
            height=SIDE,
            steps=steps,
        )
        yield np.stack(list(engine.clip(request)))


def clip_sheet(clips: list[NDArray[np.float32]]) -> NDArray[np.uint8]:
    """A row a clip, SHOWN of its frames each, evenly spread."""
    at = [round(n * (FRAMES - 1) / (SHOWN - 1)) for n in range(SHOWN)]
    rows = [np.round(clip[frame] * 255).astype(np.uint8) for clip in clips for frame in at]
    return contact_sheet(rows, columns=SHOWN, labels=[str(frame) for frame in at] * len(clips))
