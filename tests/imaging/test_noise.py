"""Laws of noise: seeded, mean kept, mask kept, any size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib_anim.errors import FlipbookError
from lib_anim.imaging.noise import add_noise, perlin
from lib_anim.types import NoiseType

KINDS: tuple[NoiseType, ...] = ("uniform", "perlin")


def picture(height: int = 96, width: int = 96) -> np.ndarray:
    return np.random.default_rng(3).random((height, width, 3), np.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_alone_decides(kind: NoiseType) -> None:
    first = add_noise(picture(), 0.1, 5, kind=kind)
    np.random.seed(0)  # the global state must not matter
    assert np.array_equal(first, add_noise(picture(), 0.1, np.random.default_rng(5), kind=kind))
    assert not np.array_equal(first, add_noise(picture(), 0.1, 6, kind=kind))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("level", [0.0, 0.02, 0.25, 0.5, 0.98, 1.0])
@pytest.mark.parametrize("amount", [0.065, 0.5, 1.0])
def test_the_mean_stays(kind: NoiseType, level: float, amount: float) -> None:
    card = np.full((256, 256, 3), level, np.float32)
    noisy = add_noise(card, amount, 1, kind=kind)
    assert abs(float(noisy.mean(dtype=np.float64)) - level) < 0.5 / 255


@pytest.mark.parametrize("seed", range(5))
def test_small_pictures_keep_their_mean_too(seed: int) -> None:
    card = np.full((24, 24, 3), 0.5, np.float32)
    noisy = add_noise(card, 0.9, seed)
    assert np.abs(noisy.mean(axis=(0, 1)) - 0.5).max() < 0.5 / 255


def test_500_loops_of_noise_do_not_grey_a_picture() -> None:
    # Deforum's blend would leave 0.935^500 of the contrast
    dark = np.full((64, 64, 3), 0.2, np.float32)
    total = np.zeros(dark.shape)
    for seed in range(500):
        total += add_noise(dark, 0.065, seed) - dark
    assert abs(total.mean()) / 500 < 0.01 / 255


def test_strength_is_deforums() -> None:
    card = np.full((256, 256, 3), 0.5, np.float32)
    change = add_noise(card, 0.2, 2) - card
    clipped = np.clip(np.random.default_rng(0).standard_normal(500_000), -1, 1).std()
    assert change.std() == pytest.approx(0.1 * clipped, rel=0.01)
    assert np.abs(change).max() == pytest.approx(0.1, rel=0.02)


@given(st.integers(0, 2**32 - 1), st.floats(0, 1), st.sampled_from(KINDS))
def test_outside_the_mask_nothing_changes(seed: int, amount: float, kind: NoiseType) -> None:
    mask = np.zeros((40, 30), np.float32)
    mask[10:20, 5:25] = 1
    source = picture(40, 30)
    noisy = add_noise(source, amount, seed, kind=kind, mask=mask)
    assert np.array_equal(noisy[mask == 0], source[mask == 0])
    assert np.array_equal(source, picture(40, 30))
    if amount > 0.01:
        assert not np.array_equal(noisy[mask == 1], source[mask == 1])


@pytest.mark.parametrize("kind", KINDS)
def test_no_amount_is_the_identity(kind: NoiseType) -> None:
    assert np.array_equal(add_noise(picture(), 0, 1, kind=kind), picture())


@given(
    st.integers(1, 130),
    st.integers(1, 130),
    st.integers(1, 7),
    st.floats(0, 1),
    st.floats(0.1, 16),
    st.floats(0.1, 16),
)
def test_any_size_gives_noise_in_range(
    height: int, width: int, octaves: int, persistence: float, down: float, across: float
) -> None:
    clouds = perlin(height, width, 1, octaves=octaves, persistence=persistence, cells=(down, across))
    assert clouds.shape == (height, width)
    assert clouds.dtype == np.float32
    assert np.abs(clouds).max() <= 1e-5 + sum(persistence**k for k in range(octaves))
    noisy = add_noise(picture(height, width), 1, 1, kind="perlin", octaves=octaves, cells=(down, across))
    assert 0 <= noisy.min() <= noisy.max() <= 1


def test_perlin_is_zero_at_lattice_points_and_smooth_between() -> None:
    clouds = perlin(256, 256, 4, octaves=1, cells=(8, 4))
    assert np.abs(clouds[::32, ::64]).max() < 1e-6
    assert 0.5 < np.abs(clouds).max() <= 1
    assert np.abs(np.diff(clouds, axis=0)).max() < 0.12  # a slope of at most about 3 per cell of 32 px
    assert np.abs(np.diff(clouds, axis=1)).max() < 0.06


def test_cells_and_octaves_set_the_scale() -> None:
    def roughness(octaves: int, cells: float) -> float:
        clouds = perlin(256, 256, 4, octaves=octaves, cells=(cells, cells))
        return float(np.abs(np.diff(clouds, axis=1)).mean() / clouds.std())

    assert roughness(1, 16) > 1.7 * roughness(1, 8)
    assert roughness(4, 8) > 1.5 * roughness(1, 8)


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: add_noise(picture(), 1.5, 1), "noise"),
        (lambda: add_noise(picture(), float("nan"), 1), "noise"),
        (lambda: perlin(8, 8, 1, octaves=0), "perlin_octaves"),
        (lambda: perlin(8, 8, 1, cells=(0, 8)), "perlin_w, perlin_h"),
    ],
)
def test_impossible_noise_is_named(call: object, field: str) -> None:
    with pytest.raises(FlipbookError) as caught:
        call()
    assert caught.value.problems[0].field == field
