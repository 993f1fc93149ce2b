"""The samplers by their WebUI names, with the properties that the WebUI gives each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from lib_anim.engines.sampling import sigma_schedule
from lib_anim.engines.sampling.dpm import sde, two_m, two_m_sde
from lib_anim.engines.sampling.euler import consistency, euler, euler_ancestral, heun
from lib_anim.engines.sampling.noise_levels import NoiseLevels
from lib_anim.engines.sampling.sampler_input import SamplerInput
from lib_anim.engines.sampling.sigma_schedule import SigmaSchedule
from lib_anim.engines.sampling.unipc import unipc

ScheduleFunction = Callable[[str, int, float | None, NoiseLevels], SigmaSchedule]
"""(spacing, steps, denoising or None without an init picture, trained levels) → the sigma schedule."""


@dataclass(frozen=True, kw_only=True)
class Sampler:
    """One sampler."""

    name: str
    run: Callable[[SamplerInput], Tensor]
    spacing: str = "Uniform"
    """What "Automatic" means for it."""
    eta: float = 0.0
    """Its own share of fresh noise per step, used when a request gives none."""
    calls: int = 1
    """Calls of the network per step, by which prompts' edits are timed."""
    brownian: bool = False
    """Whether its noise is one Brownian path over σ instead of independent draws."""
    consistency: bool = False
    """Whether the network is read as a latent consistency model."""
    masks_input: bool = False
    """Whether a mask's kept latents are blended into the network's input, without noise, instead of into its
    prediction, as the WebUI does for samplers over training steps."""
    schedule: ScheduleFunction = sigma_schedule.spaced

    @property
    def has_spacings(self) -> bool:
        """False for samplers with steps of their own, which no scheduler changes."""
        return self.schedule is sigma_schedule.spaced


SAMPLERS = {
    sampler.name: sampler
    for sampler in (
        Sampler(name="DPM++ 2M", run=two_m, spacing="Karras"),
        Sampler(name="DPM++ SDE", run=sde, spacing="Karras", eta=1.0, calls=2, brownian=True),
        Sampler(name="DPM++ 2M SDE", run=two_m_sde, spacing="Exponential", eta=1.0, brownian=True),
        Sampler(name="Euler a", run=euler_ancestral, eta=1.0),
        Sampler(name="Euler", run=euler),
        Sampler(name="Heun", run=heun, calls=2),
        Sampler(name="LCM", run=consistency, consistency=True),
        Sampler(name="DDIM", run=euler_ancestral, masks_input=True, schedule=sigma_schedule.ddim),
        Sampler(name="UniPC", run=unipc, masks_input=True, schedule=sigma_schedule.unipc),
    )
}
