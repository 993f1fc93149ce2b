"""Levels against their published formulas, computed here in float64 by other means."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lib_anim.engines.sampling import sigma_schedule
from lib_anim.engines.sampling.noise_levels import SPACINGS, ConsistencyLevels, NoiseLevels, noise_levels
from lib_anim.errors import FlipbookError

BETAS = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
# Checkpoints and the WebUI hold ᾱ in float32, of which small σ keep only four digits: rounded here too.
ALPHAS = np.cumprod(1 - BETAS).astype(np.float32).astype(np.float64)
SIGMAS = np.sqrt((1 - ALPHAS) / ALPHAS)
LEVELS = NoiseLevels.of(torch.tensor(ALPHAS, dtype=torch.float32))


def at(times: np.ndarray) -> np.ndarray:
    return np.exp(np.interp(times, np.arange(1000), np.log(SIGMAS)))


def expected(spacing: str, n: int) -> np.ndarray:
    low, high = SIGMAS[0], SIGMAS[-1]
    if spacing == "Uniform":
        return at(np.linspace(999, 0, n))
    if spacing == "Karras":
        ramp = np.linspace(0, 1, n)
        return (high ** (1 / 7) + ramp * (low ** (1 / 7) - high ** (1 / 7))) ** 7
    if spacing == "Exponential":
        return np.geomspace(high, low, n)
    if spacing == "SGM Uniform":
        return at(np.linspace(999, 0, n + 1)[:-1])
    if spacing == "Simple":
        return np.array([SIGMAS[999 - int(i * 1000 / n)] for i in range(n)])
    return np.array([SIGMAS[i] for i in range(1, 1000, 1000 // n)][::-1])


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("n", [1, 2, 4, 12, 20, 31, 50])
def test_levels_are_those_of_the_formula(spacing: str, n: int) -> None:
    found = noise_levels(spacing, n, LEVELS).double().numpy()
    want = np.append(expected(spacing, n), 0.0)
    assert found.shape == want.shape
    # float32 keeps 7 digits; powers and exponentials of it lose one.
    assert np.allclose(found, want, rtol=5e-6, atol=0)


def test_the_published_first_and_last_level() -> None:
    assert LEVELS.largest == pytest.approx(14.6146, abs=1e-4)
    assert LEVELS.smallest == pytest.approx(0.0292, abs=1e-4)


@given(st.floats(0, 999))
def test_time_is_the_inverse_of_sigma(t: float) -> None:
    there_and_back = LEVELS.time(LEVELS.sigma(torch.tensor([t])))
    assert float(there_and_back) == pytest.approx(t, abs=5e-3)


def test_levels_outside_the_trained_ones_are_their_ends() -> None:
    assert LEVELS.time(torch.tensor([1e-3, 1e3])).tolist() == [0, 999]


def test_unknown_spacings_are_named() -> None:
    with pytest.raises(FlipbookError, match="Karras"):
        noise_levels("Caras", 10, LEVELS)


def test_consistency_levels_are_every_twentieth() -> None:
    levels = ConsistencyLevels.of(LEVELS.alphas)
    assert levels.times == (19, 999)
    assert np.allclose(levels.sigmas.numpy(), SIGMAS[19::20], rtol=1e-5)
    # Times snap to the 50 kept steps, sigmas do not.
    assert levels.time(torch.tensor([SIGMAS[23], SIGMAS[999]])).tolist() == [19, 999]
    assert noise_levels("Uniform", 3, levels)[1] == pytest.approx(
        math.sqrt(SIGMAS[499] * SIGMAS[519]), rel=1e-4
    )


@given(st.floats(0, 1), st.integers(1, 60))
def test_img2img_visits_as_many_levels_as_the_webui(denoising: float, steps: int) -> None:
    schedule = sigma_schedule.spaced("Uniform", steps, denoising, LEVELS)
    assert len(schedule.sigmas) - 1 == int(min(denoising, 0.999) * steps) + 1
    assert (
        schedule.sigmas
        == sigma_schedule.spaced("Uniform", steps, None, LEVELS).sigmas[-len(schedule.sigmas) :]
    )
    assert schedule.noise == schedule.sigmas[0]


def test_ddim_starts_where_its_noise_lies() -> None:
    schedule = sigma_schedule.ddim("Uniform", 20, None, LEVELS)
    assert len(schedule.sigmas) == 20
    assert schedule.sigmas[0] == pytest.approx(SIGMAS[951], rel=1e-5)
    assert schedule.sigmas[-1] == pytest.approx(SIGMAS[1], rel=1e-5)
    # Unit noise at the start in the variance preserving form.
    assert schedule.noise * math.sqrt(ALPHAS[951]) == pytest.approx(1, rel=1e-5)
    half = sigma_schedule.ddim("Uniform", 20, 0.5, LEVELS)
    assert half.sigmas[0] == pytest.approx(SIGMAS[451], rel=1e-5)
    ratio = math.sqrt(ALPHAS[501] / ALPHAS[451])
    assert half.init == pytest.approx(ratio, rel=1e-5)
    assert half.noise == pytest.approx(ratio * SIGMAS[501], rel=1e-5)


def test_ddim_of_no_denoising_walks_nowhere() -> None:
    schedule = sigma_schedule.ddim("Uniform", 20, 0.0, LEVELS)
    assert len(schedule.sigmas) == 1
    # What comes out is the init picture at the first training step's noise.
    assert schedule.init * schedule.end == pytest.approx(math.sqrt(ALPHAS[1]), rel=1e-5)
    assert schedule.noise * schedule.end == pytest.approx(math.sqrt(1 - ALPHAS[1]), rel=1e-5)


def test_unipc_ends_at_the_first_training_step() -> None:
    schedule = sigma_schedule.unipc("Uniform", 20, None, LEVELS)
    assert len(schedule.sigmas) == 21
    assert schedule.sigmas[0] == pytest.approx(SIGMAS[999], rel=1e-4)
    assert schedule.sigmas[-1] == pytest.approx(SIGMAS[0], rel=1e-4)
    assert schedule.end == pytest.approx(math.sqrt(ALPHAS[0]), rel=1e-6)
