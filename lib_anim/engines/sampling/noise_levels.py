"""Noise levels (σ): a checkpoint's training schedule, and the schedulers that space levels for sampling."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from lib_anim.errors import FlipbookError, Problem

CONSISTENCY_STEPS = 50


@dataclass(frozen=True)
class NoiseLevels:
    """The levels at which the network was trained, σ_t = √((1 − ᾱ_t)/ᾱ_t), and the conversion between t and
    σ.

    Karras et al. 2022, "Elucidating the Design Space of Diffusion-Based Generative Models", table 1 (DDPM)
    and appendix C.3.4: x̂ = x + σ·noise is (√ᾱ·x + √(1 − ᾱ)·noise)/√ᾱ. All tensors are float32 on the CPU.
    """

    alphas: Tensor
    """(T,) cumulative products ᾱ."""
    sigmas: Tensor
    """(T,) ascending."""
    logs: Tensor
    """(T,) natural logarithms of `sigmas`."""

    @classmethod
    def of(cls, alphas: Tensor) -> NoiseLevels:
        """From the cumulative alphas of the training schedule."""
        sigmas = ((1 - alphas) / alphas) ** 0.5
        return cls(alphas, sigmas, sigmas.log())

    @property
    def times(self) -> tuple[int, int]:
        """First and last training step."""
        return 0, len(self.sigmas) - 1

    @property
    def smallest(self) -> float:
        return float(self.sigmas[0])

    @property
    def largest(self) -> float:
        return float(self.sigmas[-1])

    def sigma(self, t: Tensor) -> Tensor:
        """σ at fractional steps `t` (0 … T − 1): linear in log σ between the trained levels."""
        low = t.floor().long()
        high = t.ceil().long()
        sigma: Tensor = torch.lerp(self.logs[low], self.logs[high], t - low).exp()
        return sigma

    def time(self, sigma: Tensor) -> Tensor:
        """The inverse of `sigma`; levels outside the trained range are clamped."""
        log = sigma.log()
        low = (torch.searchsorted(self.logs, log, right=True) - 1).clamp(0, len(self.logs) - 2)
        a, b = self.logs[low], self.logs[low + 1]
        time: Tensor = low + ((log - a) / (b - a)).clamp(0, 1)
        return time


@dataclass(frozen=True)
class ConsistencyLevels(NoiseLevels):
    """The levels of a latent consistency model: 50 of training's (Luo et al. 2023, section 4.3)."""

    stride: int
    """Training steps from one kept level to the next."""

    @classmethod
    def of(cls, alphas: Tensor) -> ConsistencyLevels:
        """Every T/50-th step, the last included; times count in the whole schedule's steps."""
        stride = len(alphas) // CONSISTENCY_STEPS
        base = NoiseLevels.of(alphas[stride - 1 :: stride])
        return cls(base.alphas, base.sigmas, base.logs, stride)

    @property
    def times(self) -> tuple[int, int]:
        """First and last step, in the whole schedule's count."""
        return self.stride - 1, self.stride * len(self.sigmas) - 1

    def sigma(self, t: Tensor) -> Tensor:
        """σ at step `t` of the whole schedule; between the kept steps linear in log σ."""
        return super().sigma(((t + 1) / self.stride - 1).clamp(0, len(self.sigmas) - 1))

    def time(self, sigma: Tensor) -> Tensor:
        """The kept step nearest in log σ: the model was trained on no others."""
        nearest = (sigma.log()[:, None] - self.logs).abs().argmin(dim=1)
        return (nearest + 1) * self.stride - 1


def _with_zero(sigmas: Tensor) -> Tensor:
    return torch.cat([sigmas.float(), torch.zeros(1)])


def _uniform(n: int, levels: NoiseLevels) -> Tensor:
    """Equal distances in t, both ends included (k-diffusion's default; the WebUI's "Automatic")."""
    first, last = levels.times
    return levels.sigma(torch.linspace(last, first, n))


def _karras(n: int, levels: NoiseLevels) -> Tensor:
    """Karras et al. 2022, eq. 5, with ρ = 7."""
    rho = 7.0
    ends = levels.largest ** (1 / rho), levels.smallest ** (1 / rho)
    return torch.pow(ends[0] + torch.linspace(0, 1, n) * (ends[1] - ends[0]), rho)


def _exponential(n: int, levels: NoiseLevels) -> Tensor:
    """Equal distances in log σ (the limit ρ → ∞ of Karras' eq. 5)."""
    return torch.linspace(math.log(levels.largest), math.log(levels.smallest), n).exp()


def _sgm_uniform(n: int, levels: NoiseLevels) -> Tensor:
    """Equal distances in t without the last trained level (Stability AI's generative-models)."""
    first, last = levels.times
    return levels.sigma(torch.linspace(last, first, n + 1)[:-1])


def _simple(n: int, levels: NoiseLevels) -> Tensor:
    """Every T/n-th trained level, counted from the noisiest."""
    stride = len(levels.sigmas) / n
    return levels.sigmas[[-(1 + int(i * stride)) for i in range(n)]]


def _ddim_uniform(n: int, levels: NoiseLevels) -> Tensor:
    """Every ⌊T/n⌋-th trained level from t = 1 (Song et al. 2021's code).

    Gives more than n levels when n does not divide T, as the WebUI does.
    """
    stride = max(len(levels.sigmas) // n, 1)
    return levels.sigmas[1::stride].flip(0)


SPACINGS: dict[str, Callable[[int, NoiseLevels], Tensor]] = {
    "Uniform": _uniform,
    "Karras": _karras,
    "Exponential": _exponential,
    "SGM Uniform": _sgm_uniform,
    "Simple": _simple,
    "DDIM": _ddim_uniform,
}
"""Spacings by the WebUI's names, without "Automatic", which each sampler resolves to its own."""


def noise_levels(spacing: str, steps: int, levels: NoiseLevels) -> Tensor:
    """The levels for `steps` steps, descending and ending in 0: float32 (steps + 1,) on the CPU.

    Raises FlipbookError for an unknown spacing.
    """
    if spacing not in SPACINGS:
        known = ", ".join(("Automatic", *SPACINGS))
        raise FlipbookError(
            Problem(
                f'"{spacing}" is unknown; choose one of {known}',
                field="scheduler",
                code="engine.unknown_scheduler",
            )
        )
    return _with_zero(SPACINGS[spacing](steps, levels))
