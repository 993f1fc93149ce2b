"""What a clip's settings mean for each frame: strengths, windows, denoising."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lib_anim.errors import FlipbookError
from lib_anim.media.pictures import read_picture
from lib_anim.motion.plan import ClipPlan, Dial
from lib_anim.pipelines.curves import evaluate
from lib_anim.settings.motion import Motion
from lib_anim.timeline.context import Context


class ClipCurves:
    """A clip's schedules evaluated and its session's plan."""

    def __init__(self, motion: Motion, frames: int, denoised: int, p: Any) -> None:
        """`frames` of the film, `denoised` with those that only fill the context. Raises FlipbookError."""
        context = Context(
            frames=frames, fps=motion.fps, seed=max(int(p.seed), 0), width=p.width, height=p.height
        )
        curves = evaluate(motion, context)
        if curves.problems:
            raise FlipbookError(*curves.problems)
        self.warnings = curves.warnings
        more = denoised - frames
        self._values = {
            name: tuple(np.pad(values, (0, more), mode="edge").tolist())
            for name, values in curves.numbers.items()
        }
        scale, effect = self._values["motion_scale"], self._values["motion_effect"]
        effect_mask = _plane(motion.motion_effect_mask)
        self.plan = ClipPlan(
            frames=denoised,
            context=motion.context,
            stride=motion.stride,
            overlap=motion.overlap,
            closed_loop=motion.closed_loop,
            schedule=motion.context_schedule,
            fusion=motion.fusion,
            scale=replace(_scale(scale, _plane(motion.motion_scale_mask)), blocks=dict(motion.scale_blocks)),
            effect=Dial(effect, effect_mask, dict(motion.effect_blocks)),
        )

    @property
    def denoising(self) -> tuple[float, ...] | None:
        """Denoising of every frame; None where the request's holds for all."""
        return self._values.get("denoising_ramp")


def _scale(values: tuple[float, ...], mask: torch.Tensor | None) -> Dial:
    """Where the mask is 0 the scale is 1 at every frame: a factor of 0 would blank the keys instead."""
    if mask is None:
        return Dial(values)
    return Dial(mask=1 + (torch.tensor(values).view(-1, 1, 1) - 1) * mask)


def _plane(path: str) -> torch.Tensor | None:
    """(1, h, w) of a picture's brightness in [0, 1]; None without a path."""
    if not path:
        return None
    frame = read_picture(Path(path))[..., :3].astype(np.float32) / np.float32(255)
    return torch.from_numpy(np.ascontiguousarray(frame.mean(axis=-1)))[None]
