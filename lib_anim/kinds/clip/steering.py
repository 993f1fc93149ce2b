"""A clip's settings as the steering of its motion module."""

from __future__ import annotations

from collections.abc import Mapping

from lib_anim.engines.contract.requests import FreeInit, LatentRamp, Steering
from lib_anim.kinds.clip.motion_settings import Motion
from lib_anim.kinds.curves import Numbers
from lib_anim.types import Mask


def steering_of(
    settings: Motion, numbers: Mapping[str, Numbers], scale_mask: Mask | None, effect_mask: Mask | None
) -> Steering:
    """What the motion module does; `numbers` are the schedules' values for every frame that is denoised."""
    s = settings
    freeinit = None
    if s.freeinit_enable:
        freeinit = FreeInit(
            filter=s.freeinit_filter,
            spatial=s.freeinit_ds,
            temporal=s.freeinit_dt,
            iterations=s.freeinit_iters,
        )
    return Steering(
        module=s.module,
        loras=s.loras,
        context=s.context,
        stride=s.stride,
        overlap=s.overlap,
        closed_loop=s.closed_loop,
        schedule=s.context_schedule,
        fusion=s.fusion,
        scale=_folded(numbers["motion_scale"]),
        effect=_folded(numbers["motion_effect"]),
        scale_mask=scale_mask,
        effect_mask=effect_mask,
        scale_blocks=s.scale_blocks,
        effect_blocks=s.effect_blocks,
        noise=s.noise_type,
        noise_shared=s.noise_shared,
        freeinit=freeinit,
    )


def ramp_of(settings: Motion) -> LatentRamp:
    """The shares of the first and the last picture that frames start from."""
    return LatentRamp(
        power=settings.latent_power,
        scale=settings.latent_scale,
        power_last=settings.latent_power_last,
        scale_last=settings.latent_scale_last,
    )


def prompts_close(settings: Motion, frames: int) -> bool:
    """Whether prompts travel on from the last key to the first: where windows close; one alone does not."""
    return settings.closed_loop in ("R+P", "A") and frames > settings.context


def _folded(numbers: Numbers) -> tuple[float, ...]:
    """A curve's values; one of them where all are equal."""
    values = tuple(float(value) for value in numbers)
    return values[:1] if len(set(values)) == 1 else values
