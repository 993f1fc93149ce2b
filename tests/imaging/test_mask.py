"""Laws of mask maths: set algebra, shapes, and pictures joined through a mask."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.morphology import dilation, disk

from lib_anim.imaging import mask as m


def rough(seed: int, soft: bool = True) -> np.ndarray:
    values = np.random.default_rng(seed).random((24, 30), np.float32)
    return values if soft else np.round(values)


def square() -> np.ndarray:
    mask = np.zeros((40, 40), np.float32)
    mask[15:25, 15:25] = 1
    return mask


def picture(seed: int, height: int = 24, width: int = 30) -> np.ndarray:
    return np.random.default_rng(seed).random((height, width, 3), np.float32)


def test_sources() -> None:
    assert m.from_luminance(np.ones((2, 2, 3), np.float32)).min() == 1
    assert m.from_luminance(np.zeros((2, 2, 3), np.float32)).max() == 0
    green = np.zeros((1, 1, 3), np.float32)
    green[..., 1] = 1
    assert m.from_luminance(green)[0, 0] == pytest.approx(0.587)
    assert m.everywhere(3, 5).shape == (3, 5)
    assert m.everywhere(3, 5).min() == 1


@given(st.integers(0, 99), st.integers(0, 99))
def test_hard_masks_follow_boolean_algebra(a: int, b: int) -> None:
    first, second = rough(a, soft=False), rough(b, soft=False)
    p, q = first > 0, second > 0
    assert np.array_equal(m.both(first, second) > 0, p & q)
    assert np.array_equal(m.either(first, second) > 0, p | q)
    assert np.array_equal(m.without(first, second) > 0, p & ~q)
    assert np.array_equal(m.invert(first) > 0, ~p)


@given(st.integers(0, 99), st.integers(0, 99))
def test_soft_masks_stay_masks(a: int, b: int) -> None:
    first, second = rough(a), rough(b)
    for joined in (m.both, m.either, m.without):
        result = joined(first, second)
        assert result.dtype == np.float32
        assert 0 <= result.min() <= result.max() <= 1
    # De Morgan
    assert np.allclose(
        m.invert(m.both(first, second)), m.either(m.invert(first), m.invert(second)), atol=1e-7
    )
    assert np.array_equal(first, rough(a))
    assert np.array_equal(second, rough(b))


def test_contrast_turns_about_the_mean_and_brightness_scales() -> None:
    soft = rough(1) * np.float32(0.5) + np.float32(0.25)
    assert np.array_equal(m.adjust(soft), soft)
    flatter = m.adjust(soft, contrast=0.5)
    assert flatter.mean() == pytest.approx(soft.mean(), abs=1e-5)
    assert flatter.std() == pytest.approx(soft.std() / 2, rel=1e-3)
    assert np.allclose(m.adjust(soft, brightness=0.5), soft / 2)
    assert m.adjust(soft, brightness=4).max() == 1


def test_blur_spreads_and_keeps_the_sum() -> None:
    soft = m.blur(square(), 2)
    assert np.array_equal(m.blur(square(), 0), square())
    assert soft.sum() == pytest.approx(square().sum(), rel=1e-3)
    assert 0.4 < soft[20, 15] < 0.75
    assert soft[20, 12] > 0


@pytest.mark.parametrize("pixels", [1, 3, 6])
def test_grow_reaches_that_many_pixels_and_shrink_undoes_it(pixels: int) -> None:
    grown = m.grow(square(), pixels)
    assert grown[20, 25 + pixels - 1] == 1
    assert grown[20, 25 + pixels] == 0
    assert np.array_equal(m.grow(grown, -pixels), square())
    assert np.array_equal(m.grow(square(), 0), square())
    oracle = dilation(square(), disk(pixels))
    assert np.abs(grown - oracle).mean() < 0.03  # scikit-image's disc is thinner by its corner pixels


def test_feather_slopes_outwards_and_keeps_the_inside() -> None:
    soft = m.feather(square(), 4)
    assert soft[square() == 1].min() == 1
    assert soft[20, 25:30] == pytest.approx([0.8, 0.6, 0.4, 0.2, 0.0])
    assert np.array_equal(m.feather(square(), 0), square())
    blank = np.zeros((8, 8), np.float32)
    assert np.array_equal(m.feather(blank, 4), blank)


def test_blank_masks_are_told() -> None:
    assert m.is_blank(np.zeros((4, 4), np.float32))
    assert m.is_blank(np.full((4, 4), 0.001, np.float32))
    assert not m.is_blank(square())


@given(st.integers(0, 99))
def test_overlay_keeps_both_ends_bit_for_bit(seed: int) -> None:
    mask = np.clip(rough(seed) * 2 - np.float32(0.5), 0, 1)
    painted, original = picture(seed), picture(seed + 1)
    joined = m.overlay(painted, original, mask)
    assert np.array_equal(joined[mask == 0], original[mask == 0])
    assert np.array_equal(joined[mask == 1], painted[mask == 1])
    assert np.allclose(joined, painted * mask[..., None] + original * (1 - mask[..., None]), atol=1e-6)
    assert np.array_equal(painted, picture(seed))
    assert np.allclose(m.overlay(original, original, mask), original, rtol=1e-6, atol=0)
