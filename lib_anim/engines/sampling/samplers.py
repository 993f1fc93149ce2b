"""The samplers by the WebUI's names, and what the WebUI couples to each name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from lib_anim.engines.sampling import sigma_schedule as descent
from lib_anim.engines.sampling.dpm import sde, two_m, two_m_sde
from lib_anim.engines.sampling.euler import consistency, euler, euler_ancestral, heun
from lib_anim.engines.sampling.noise_levels import NoiseLevels
from lib_anim.engines.sampling.sampler_input import SamplerInput
from lib_anim.engines.sampling.sigma_schedule import SigmaSchedule
from lib_anim.engines.sampling.unipc import unipc

Way = Callable[[str, int, float | None, NoiseLevels], SigmaSchedule]
"""(spacing, steps, denoising or None without an init picture, trained levels) → the way down."""


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
    """Whether a mask's kept part is laid into what the network sees, without noise, instead of into its
    guess: the WebUI's way for samplers over training steps."""
    way: Way = descent.spaced

    @property
    def has_spacings(self) -> bool:
        """False for samplers with steps of their own, which no scheduler changes."""
        return self.way is descent.spaced


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
        Sampler(name="DDIM", run=euler_ancestral, masks_input=True, way=descent.ddim),
        Sampler(name="UniPC", run=unipc, masks_input=True, way=descent.unipc),
    )
}
