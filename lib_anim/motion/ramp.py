"""Latent ramp of img2img clips: shares of the first and last picture in each frame's initial latents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class LatentShares:
    """Shares of two pictures in each frame's initial latents; the rest to 1 is noise."""

    first: tuple[float, ...]
    """Share of the first picture by frame."""
    last: tuple[float, ...]
    """Share of the last picture by frame; all 0 without one."""


def latent_shares(
    frames: int, power: float, scale: float, last: tuple[float, float] | None = None
) -> LatentShares:
    """sd-webui-animatediff's "latent power" and "latent scale": α_i = max(0, 1 − i^power / scale).

    `last`: the same two numbers for a last picture, counted from the end; where both shares exceed 1 together
    they are normalised to 1; the clip's first and last frames start from their pictures alone.
    """
    first = [max(0.0, 1 - i**power / scale) if i else 1.0 for i in range(frames)]
    if last is None:
        return LatentShares(tuple(first), (0.0,) * frames)
    ends = [max(0.0, 1 - i ** last[0] / last[1]) if i else 1.0 for i in range(frames)][::-1]
    for i, (a, b) in enumerate(zip(tuple(first), tuple(ends), strict=True)):
        if a + b > 1:
            first[i], ends[i] = a / (a + b), b / (a + b)
    first[0], ends[0] = 1.0, 0.0
    if frames > 1:
        first[-1], ends[-1] = 0.0, 1.0
    return LatentShares(tuple(first), tuple(ends))


def mixed_latents(shares: LatentShares, init: Tensor, noise: Tensor, last: Tensor | None = None) -> Tensor:
    """Initial latents (frames, C, h, w) of img2img: shares of `init`, of `last`, the rest of `noise`.

    `init` and `last` may have one row for all frames. `noise` is unit noise.
    """
    a = _column(shares.first, noise)
    if last is None:
        return a * init + (1 - a) * noise
    b = _column(shares.last, noise)
    return a * init + b * last + (1 - a - b) * noise


class DenoisingRamp:
    """Per-frame denoising strengths of an img2img clip.

    The clip is denoised at the highest strength; until its own steps start, a frame is held at its picture
    plus the step's noise, and the other frames attend to it in this state.
    """

    def __init__(self, denoising: Sequence[float], steps: int) -> None:
        """`denoising` by frame, 0 … 1; `steps` is the number of steps of a denoising of 1."""
        self.strongest = max(denoising)
        """The denoising to sample with."""
        runs = [_steps(value, steps) for value in denoising]
        self._starts = tuple(max(runs) - run for run in runs)

    def waiting(self, step: int) -> tuple[int, ...]:
        """Frames whose denoising has not started at `step`, counted from the first step that is run."""
        return tuple(frame for frame, start in enumerate(self._starts) if step < start)

    def held(
        self, x: Tensor, step: int, init: Tensor, noise: Tensor, sigma: float, scale: float = 1.0
    ) -> Tensor:
        """`x` (groups·frames, C, h, w) with waiting frames at `scale`·(init + σ·noise); `x` when none waits.

        `init` and `noise` have the clip's frames, or `init` one row for all.
        """
        frames = self.waiting(step)
        if not frames:
            return x
        count = len(self._starts)
        wait = torch.zeros(count, 1, 1, 1, dtype=torch.bool)
        wait[list(frames)] = True
        groups = len(x) // count
        kept = ((init + noise * sigma) * scale).to(x).expand(count, *x.shape[1:])
        return torch.where(wait.to(x.device).repeat(groups, 1, 1, 1), kept.repeat(groups, 1, 1, 1), x)


def _steps(denoising: float, steps: int) -> int:
    """Number of `steps` that img2img runs, as the WebUI counts."""
    return int(min(denoising, 0.999) * steps) + 1 if denoising > 0 else 0


def _column(values: Sequence[float], like: Tensor) -> Tensor:
    return torch.tensor(values, dtype=torch.float64).to(like).view(-1, 1, 1, 1)
