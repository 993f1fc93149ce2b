"""Samplers on denoisers whose answer is known, and against diffusers' schedulers of the same step."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    DPMSolverSDEScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    HeunDiscreteScheduler,
    LCMScheduler,
    UniPCMultistepScheduler,
)
from torch import Tensor

from lib_anim.engines.diffusion.denoiser import bounded
from lib_anim.engines.sampling import sigma_schedule
from lib_anim.engines.sampling.noise_levels import ConsistencyLevels, NoiseLevels, noise_levels
from lib_anim.engines.sampling.sampler_input import SamplerInput, ancestral_split
from lib_anim.engines.sampling.samplers import SAMPLERS

SPREAD = 1.5
"""Deviation of the toy's data, N(0, SPREAD²), for which the best denoiser is linear."""


def toy(x: Tensor, sigma: float) -> Tensor:
    return x * (SPREAD**2 / (SPREAD**2 + sigma**2))


def exact(x: Tensor, here: float, there: float) -> Tensor:
    """The probability flow's solution for the toy's data."""
    return x * math.sqrt((SPREAD**2 + there**2) / (SPREAD**2 + here**2))


def curved(x: Tensor, sigma: float) -> Tensor:
    """A denoiser that is not linear, as networks are not."""
    return torch.tanh(x / (1 + sigma)) + 0.1 * torch.sin(x)


def geometric(n: int, low: float = 0.05, high: float = 10.0) -> list[float]:
    return torch.linspace(math.log(high), math.log(low), n + 1, dtype=torch.float64).exp().tolist()


def no_noise(here: float, there: float) -> Tensor:
    raise AssertionError("a straight walk draws no noise")


def walked(
    name: str,
    x: Tensor,
    sigmas: list[float],
    denoise: Callable[[Tensor, float], Tensor] = toy,
    draw: Callable[[float, float], Tensor] = no_noise,
    eta: float = 0.0,
    stepped: Callable[[int], None] = lambda done: None,
) -> Tensor:
    walk = SamplerInput(denoise=denoise, x=x, sigmas=sigmas, draw=draw, eta=eta, stepped=stepped)
    return SAMPLERS[name].run(walk)


START = torch.randn(1, 4, 6, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 10
ORDERS = {
    "Euler": 1,
    "Euler a": 1,
    "DDIM": 1,
    "Heun": 2,
    "DPM++ 2M": 2,
    "DPM++ 2M SDE": 2,
    "DPM++ SDE": 2,
    # Third order inside, but its first and last steps are of lower order.
    "UniPC": 2,
}


@pytest.mark.parametrize("name", ORDERS)
def test_straight_walks_converge_with_their_order(name: str) -> None:
    want = exact(START, 10.0, 0.05)
    coarse, fine = (float((walked(name, START, geometric(n)) - want).abs().max()) for n in (40, 80))
    assert fine < 0.02 * float(want.abs().max())
    assert math.log2(coarse / fine) > ORDERS[name] - 0.25


@pytest.mark.parametrize("name", [name for name, s in SAMPLERS.items() if not s.consistency])
def test_a_known_picture_is_found(name: str) -> None:
    """A network that knows the picture leads there, whatever noise is added on the way."""
    picture = torch.linspace(-1, 1, 144, dtype=torch.float64).reshape(1, 4, 6, 6)
    generator = torch.Generator().manual_seed(1)

    def draw(here: float, there: float) -> Tensor:
        return torch.randn(picture.shape, generator=generator, dtype=torch.float64)

    # UniPC's own way does not end in 0.
    low = 1e-3
    sigmas = [*geometric(12, low), 0.0] if name != "UniPC" else geometric(12, low)
    found = walked(
        name, picture + 10 * draw(0, 0), sigmas, lambda x, s: picture, draw, eta=SAMPLERS[name].eta
    )
    assert float((found - picture).abs().max()) < (0.01 if name == "UniPC" else 1e-9)


def test_consistency_walk_takes_the_guess_and_adds_noise() -> None:
    noise = torch.full((1, 1, 2, 2), 2.0)
    result = walked("LCM", torch.zeros(1, 1, 2, 2), [10.0, 3.0, 0.0], lambda x, s: x + s, lambda a, b: noise)
    # 0 + 10 + 3·2 (noise) = 16, then + 3.
    assert torch.equal(result, torch.full((1, 1, 2, 2), 19.0))


@pytest.mark.parametrize("name", ["Euler a", "DPM++ SDE", "DPM++ 2M SDE"])
def test_noisy_walks_keep_the_datas_spread(name: str) -> None:
    """Started from the toy's noisy data, a stochastic sampler must end with the toy's data again."""
    generator = torch.Generator().manual_seed(2)
    shape = (1, 1, 200, 200)

    def draw(here: float, there: float) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    start = draw(0, 0) * math.sqrt(SPREAD**2 + 100)
    # Both draws of a DPM++ SDE step belong to one path, but only the second is kept, so they may be apart.
    end = walked(name, start, geometric(120), draw=draw, eta=1.0)
    want = math.sqrt(SPREAD**2 + 0.05**2)
    # 40,000 samples: the deviation's own error is 1/√80,000 = 0.35 %; the rest is discretisation.
    assert abs(float(end.std()) / want - 1) < 0.03


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_step_is_announced_in_order(name: str) -> None:
    seen: list[int] = []
    walked(name, START, geometric(5), stepped=seen.append, draw=lambda a, b: torch.zeros_like(START))
    assert seen == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("eta", [0.0, 0.4, 1.0])
def test_ancestral_split_keeps_the_level(eta: float) -> None:
    down, up = ancestral_split(5.0, 2.0, eta)
    assert down**2 + up**2 == pytest.approx(4.0)
    assert up == pytest.approx(eta * 2 * math.sqrt(1 - 4 / 25))


def trained() -> NoiseLevels:
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    return NoiseLevels.of(torch.cumprod(1 - betas, 0).float())


def by_diffusers(scheduler: object, sigmas: list[float], x: Tensor, *, vp: bool) -> Tensor:
    """A diffusers scheduler walked over the same levels; `vp`: its latents keep their variance."""
    n = len(sigmas) - 1
    scheduler.set_timesteps(n)  # type: ignore[attr-defined]
    levels = torch.tensor(sigmas, dtype=torch.float64)
    if isinstance(scheduler, HeunDiscreteScheduler):
        levels = torch.cat([levels[:1], levels[1:-1].repeat_interleave(2), levels[-1:]])
    scheduler.sigmas = levels  # type: ignore[attr-defined]
    if vp:
        x = x / math.sqrt(1 + sigmas[0] ** 2)
    for i, t in enumerate(scheduler.timesteps):  # type: ignore[attr-defined]
        sigma = sigmas[(i + 1) // 2 if isinstance(scheduler, HeunDiscreteScheduler) else i]
        ve = x * math.sqrt(1 + sigma**2) if vp else x
        # The network's output in the form that the scheduler is configured for: the clean latents.
        x = scheduler.step(curved(ve, sigma), t, x, return_dict=False)[0]  # type: ignore[attr-defined]
    return x * math.sqrt(1 + sigmas[-1] ** 2) if vp else x


@pytest.mark.parametrize(
    ("name", "scheduler", "vp", "to_zero"),
    [
        ("Euler", EulerDiscreteScheduler(prediction_type="sample"), False, True),
        ("Heun", HeunDiscreteScheduler(prediction_type="sample"), False, True),
        (
            "DPM++ 2M",
            DPMSolverMultistepScheduler(prediction_type="sample", final_sigmas_type="zero"),
            True,
            True,
        ),
        (
            "UniPC",
            UniPCMultistepScheduler(
                prediction_type="sample", solver_order=3, solver_type="bh1", final_sigmas_type="sigma_min"
            ),
            True,
            False,
        ),
    ],
)
def test_walks_agree_with_diffusers(name: str, scheduler: object, vp: bool, to_zero: bool) -> None:
    sigmas = noise_levels("Karras", 12, trained()).tolist()
    sigmas = sigmas if to_zero else sigmas[:-1]
    theirs = by_diffusers(scheduler, sigmas, START, vp=vp)
    ours = walked(name, START, sigmas, curved)
    assert float((ours - theirs).abs().max()) < 2e-5 * float(START.abs().max())


class Noise:
    """The same draws for two walks, in order."""

    def __init__(self) -> None:
        self.generator = torch.Generator().manual_seed(4)

    def __call__(self, here: float, there: float) -> Tensor:
        return torch.randn(START.shape, generator=self.generator, dtype=torch.float64)


def slope(x: Tensor, sigma: float) -> Tensor:
    """`curved` as a guess of the noise."""
    return (x - curved(x, sigma)) / sigma


def near(ours: Tensor, theirs: Tensor) -> bool:
    return float((ours - theirs).abs().max()) < 2e-5 * float(START.abs().max())


def test_ancestral_walks_agree_with_diffusers() -> None:
    sigmas = noise_levels("Karras", 12, trained()).tolist()
    scheduler = EulerAncestralDiscreteScheduler()
    scheduler.set_timesteps(12)
    scheduler.sigmas = torch.tensor(sigmas)
    x, noise = START, Noise()
    for t, sigma in zip(scheduler.timesteps, sigmas, strict=False):
        x = scheduler.step(slope(x, sigma), t, x, generator=noise.generator, return_dict=False)[0]
    assert near(walked("Euler a", START, sigmas, curved, Noise(), 1.0), x)


@pytest.mark.parametrize("eta", [0.0, 0.6])
@pytest.mark.parametrize("steps", [10, 15])
def test_ddim_agrees_with_diffusers(eta: float, steps: int) -> None:
    scheduler = DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        prediction_type="sample",
    )
    scheduler.set_timesteps(steps)
    schedule = sigma_schedule.ddim("", steps, None, trained())
    ours = walked("DDIM", START * schedule.noise, list(schedule.sigmas), curved, Noise(), eta) * schedule.end
    x, noise = START, Noise()
    # Where the steps do not divide training's, diffusers leaves the last ones out, and the first has no end.
    times = list(range(1, 1000, 1000 // steps))[:0:-1]
    for t in times:
        ratio = float(scheduler.alphas_cumprod[t]) ** 0.5
        guess = curved(x / ratio, math.sqrt(1 / ratio**2 - 1))
        drawn = noise(0, 0) if eta else None
        x = scheduler.step(guess, t, x, eta=eta, variance_noise=drawn, return_dict=False)[0]
    assert near(ours, x)


def test_the_stochastic_multistep_walk_agrees_with_diffusers() -> None:
    sigmas = noise_levels("Exponential", 12, trained()).tolist()
    scheduler = DPMSolverMultistepScheduler(
        algorithm_type="sde-dpmsolver++",
        solver_type="midpoint",
        prediction_type="sample",
        final_sigmas_type="zero",
    )
    scheduler.set_timesteps(12)
    scheduler.sigmas = torch.tensor(sigmas, dtype=torch.float64)
    x, noise = START / math.sqrt(1 + sigmas[0] ** 2), Noise()
    for t, sigma in zip(scheduler.timesteps, sigmas, strict=False):
        guess = curved(x * math.sqrt(1 + sigma**2), sigma)
        x = scheduler.step(guess, t, x, variance_noise=noise(0, 0), return_dict=False)[0]
    assert near(walked("DPM++ 2M SDE", START, sigmas, curved, Noise(), 1.0), x)


def test_the_stochastic_two_stage_walk_agrees_with_diffusers() -> None:
    sigmas = noise_levels("Karras", 12, trained()).tolist()
    scheduler = DPMSolverSDEScheduler()
    scheduler.set_timesteps(12)
    levels = torch.tensor(sigmas, dtype=torch.float64)
    scheduler.sigmas = torch.cat([levels[:1], levels[1:-1].repeat_interleave(2), levels[-1:]])
    noise = Noise()
    scheduler.noise_sampler = lambda here, there: noise(float(here), float(there))
    x = START
    for i, t in enumerate(scheduler.timesteps):
        here = sigmas[i // 2] if i % 2 == 0 else math.sqrt(sigmas[i // 2] * sigmas[i // 2 + 1])
        x = scheduler.step(slope(x, here), t, x, return_dict=False)[0]
    assert near(walked("DPM++ SDE", START, sigmas, curved, Noise(), 1.0), x)


def test_consistency_walks_agree_with_diffusers() -> None:
    levels = ConsistencyLevels.of(trained().alphas)
    times = [999, 759, 499, 259]
    sigmas = [float(levels.sigma(torch.tensor([float(t)]))) for t in times]
    scheduler = LCMScheduler(prediction_type="sample")
    scheduler.set_timesteps(timesteps=times)

    def denoise(x: Tensor, sigma: float) -> Tensor:
        return bounded(curved(x, sigma), x, float(levels.time(torch.tensor([sigma]))))

    x, noise = START / math.sqrt(1 + sigmas[0] ** 2), Noise()
    for t, sigma in zip(times, sigmas, strict=True):
        guess = curved(x * math.sqrt(1 + sigma**2), sigma)
        x = scheduler.step(guess, t, x, generator=noise.generator, return_dict=False)[0]
    ours = walked("LCM", START, [*sigmas, 0.0], denoise, Noise())
    # What is left of the start by the boundary condition, one millionth, is scaled differently there.
    assert near(ours, x)
