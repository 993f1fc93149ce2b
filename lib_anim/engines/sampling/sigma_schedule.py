"""Sigma schedules: the noise levels and initial scaling for a request's steps and denoising."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from lib_anim.engines.sampling.noise_levels import NoiseLevels, noise_levels


@dataclass(frozen=True, kw_only=True)
class SigmaSchedule:
    """Noise levels and scale factors of one sampling pass, in variance exploding form."""

    sigmas: tuple[float, ...]
    init: float
    """Factor on the init picture's latents at the start; unused without one."""
    noise: float
    """Factor on unit noise at the start."""
    end: float = 1.0
    """Factor on the latents after the last step."""
    reach: tuple[float, float]
    """Smallest and largest level above 0 before img2img shortens the schedule: a Brownian path's ends."""


def spaced(spacing: str, steps: int, denoising: float | None, levels: NoiseLevels) -> SigmaSchedule:
    """Levels of a spacing; img2img visits the last int(min(denoising, 0.999)·steps) + 1 steps of them.

    `denoising` is None for txt2img. As the WebUI's k-diffusion samplers: noise is scaled by σ alone.
    """
    sigmas: list[float] = noise_levels(spacing, steps, levels).tolist()
    reach = (min(s for s in sigmas if s > 0), sigmas[0])
    if denoising is not None:
        # Spacings may have fewer levels than steps: at least the last step is run.
        sigmas = sigmas[min(max(0, steps - _encoded(denoising, steps) - 1), len(sigmas) - 2) :]
    return SigmaSchedule(sigmas=tuple(sigmas), init=1.0, noise=sigmas[0], reach=reach)


def ddim(spacing: str, steps: int, denoising: float | None, levels: NoiseLevels) -> SigmaSchedule:
    """DDIM's own steps: every ⌊1000/steps⌋-th of training's, from 1 (Song et al. 2021's code).

    The initial noise is at the first level, so `steps` levels give steps − 1 steps, and the schedule ends at
    the first training step. In img2img the noise is at the level above the first visited one, as in latent
    diffusion's code and the WebUI. `spacing` is ignored.
    """
    times = _ddim_times(steps, levels)
    sigmas = levels.sigmas[times]
    ratios = levels.alphas[times] ** 0.5
    reach = (float(sigmas[0]), float(sigmas[-1]))
    end = float(ratios[0])
    if denoising is None:
        visited = tuple(sigmas.flip(0).tolist())
        return SigmaSchedule(sigmas=visited, init=0.0, noise=1 / float(ratios[-1]), end=end, reach=reach)
    start = _encoded(denoising, steps)
    visited = tuple(sigmas[:start].flip(0).tolist())
    below = float(ratios[max(start - 1, 0)])
    return SigmaSchedule(
        sigmas=visited or (float(sigmas[0]),),
        init=float(ratios[start]) / below,
        noise=float((1 - levels.alphas[times[start]]) ** 0.5) / below,
        end=end,
        reach=reach,
    )


def unipc(spacing: str, steps: int, denoising: float | None, levels: NoiseLevels) -> SigmaSchedule:
    """UniPC's own steps, equal distances in training time down to its first step, as the WebUI sets it up.

    Between training steps ln √ᾱ is linear. In img2img the noise is one DDIM step above the start.
    """
    times = _ddim_times(steps, levels)
    logs = levels.alphas.log() / 2
    last = float(len(logs) - 1)
    count, start = len(times), last
    if denoising is not None:
        count = _encoded(denoising, steps)
        start = float(times[max(count - 1, 0)])
    at = torch.linspace(start, 0, count + 1)
    low = at.floor().long().clamp(max=len(logs) - 2)
    alphas = torch.lerp(logs[low], logs[low + 1], at - low).exp()
    sigmas: list[float] = (alphas**-2 - 1).sqrt().tolist()
    reach = (sigmas[-1], sigmas[0])
    top = float(alphas[0])
    if denoising is None:
        return SigmaSchedule(
            sigmas=tuple(sigmas), init=0.0, noise=1 / top, end=float(alphas[-1]), reach=reach
        )
    noisy = levels.alphas[times[count]]
    return SigmaSchedule(
        sigmas=tuple(sigmas),
        init=float(noisy**0.5) / top,
        noise=float((1 - noisy) ** 0.5) / top,
        end=float(alphas[-1]),
        reach=reach,
    )


def _encoded(denoising: float, steps: int) -> int:
    """Number of `steps` for which img2img adds noise, as the WebUI counts: int(min(denoising,
    0.999)·steps)."""
    return int(min(denoising, 0.999) * steps)


def _ddim_times(steps: int, levels: NoiseLevels) -> torch.Tensor:
    """Training steps 1, 1 + stride, … in ascending order; more than `steps` when it does not divide them."""
    total = len(levels.alphas)
    stride = max(total // steps, 1)
    return (torch.arange(0, total, stride) + 1).clamp(max=total - 1)
