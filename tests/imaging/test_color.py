"""Laws of colour coherence, greyscale, contrast and brightness; scikit-image is the oracle."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.color import lab2rgb, rgb2hsv, rgb2lab
from skimage.exposure import match_histograms

from lib_anim.imaging.color import brightness, contrast, grayscale, match_colors
from lib_anim.types import ColorSpace

SPACES: tuple[ColorSpace, ...] = ("RGB", "HSV", "LAB")


def scene(seed: int, size: int = 96) -> np.ndarray:
    rough = np.random.default_rng(seed).random((size, size, 3), np.float32)
    smooth = cv2.GaussianBlur(rough, (0, 0), 4 + seed)
    return ((smooth - smooth.min()) / np.ptp(smooth) * (0.6 + 0.1 * seed)).astype(np.float32)


@pytest.mark.parametrize("space", SPACES)
def test_a_picture_that_is_its_reference_comes_back_bit_for_bit(space: ColorSpace) -> None:
    grey = np.full((32, 32, 3), 0.437, np.float32)
    for picture in (scene(1), grey):
        kept = picture
        for _ in range(500 if picture is grey else 1):
            kept = match_colors(kept, picture.copy(), space)
        assert np.array_equal(kept, picture)
        assert kept is not picture


@pytest.mark.parametrize("steps", [None, 255, 15])
def test_rgb_is_scikit_images_matching(steps: int | None) -> None:
    picture, reference = scene(1), scene(3)[:80]
    if steps:
        picture, reference = (np.round(p * steps) / np.float32(steps) for p in (picture, reference))
    oracle = match_histograms(picture, reference, channel_axis=-1)
    error = np.abs(match_colors(picture, reference, "RGB") - oracle)
    assert error.mean() < 0.02 / 255
    assert error.max() < 0.5 / 255


@pytest.mark.parametrize(("space", "convert"), [("HSV", rgb2hsv), ("LAB", rgb2lab)])
def test_the_result_has_the_references_distribution(space: ColorSpace, convert: object) -> None:
    picture, reference = scene(1) * np.float32([0.9, 0.6, 0.8]), scene(2)
    matched = match_colors(picture, reference, space)
    shares = np.linspace(0.05, 0.95, 19)
    for channel, scale in enumerate((1, 1, 1) if space == "HSV" else (100, 100, 100)):
        if space == "HSV" and channel == 0:
            continue
        before, got, wanted = (
            np.quantile(convert(p)[..., channel], shares) for p in (picture, matched, reference)
        )
        assert np.abs(got - wanted).max() < 0.025 * scale
        assert np.abs(got - wanted).max() < np.abs(before - wanted).max()


def test_lab_is_of_red_green_blue_in_that_order() -> None:
    # a picture that only lacks red moves in red; with red and blue swapped the blues would move
    reference = scene(2)
    picture = reference * np.float32([0.8, 1, 1])
    matched = match_colors(picture, reference, "LAB")
    error = np.abs(matched - reference).mean(axis=(0, 1))
    assert error.max() < 0.5 * np.abs(picture - reference).mean(axis=(0, 1))[0]


def test_reds_on_both_sides_of_zero_stay_red() -> None:
    hue = np.linspace(-12, 12, 64, dtype=np.float32)[None].repeat(64, 0)
    reds = np.stack([np.mod(hue, 360), np.full_like(hue, 0.8), np.full_like(hue, 0.7)], axis=-1)
    wider = np.stack([np.mod(hue * 1.5 + 6, 360), np.full_like(hue, 0.8), np.full_like(hue, 0.7)], axis=-1)
    picture, reference = (cv2.cvtColor(p, cv2.COLOR_HSV2RGB) for p in (reds, wider))
    matched = match_colors(picture, reference, "HSV")
    assert np.abs(matched - reference).max() < 0.01  # order kept across 0°, so the ramp becomes the ramp


def test_grey_pixels_get_no_colour_from_hue() -> None:
    picture = scene(1)
    picture[:20] = 0.5
    reference = scene(3)
    reference[:20] = 0.5
    matched = match_colors(picture, reference, "HSV")
    assert np.ptp(matched[:20], axis=-1).max() < 1e-3


@given(st.integers(0, 50), st.integers(0, 50), st.sampled_from(SPACES))
def test_any_pictures_give_a_finite_picture_in_range(a: int, b: int, space: ColorSpace) -> None:
    picture, reference = (
        np.random.default_rng(s).random((s % 7 + 1, 9, 3), np.float32) ** (s % 5) for s in (a, b)
    )
    before = picture.copy(), reference.copy()
    matched = match_colors(picture, reference, space)
    assert matched.dtype == np.float32
    assert matched.shape == picture.shape
    assert np.isfinite(matched).all()
    assert 0 <= matched.min() <= matched.max() <= 1
    assert np.array_equal(picture, before[0])
    assert np.array_equal(reference, before[1])


def test_lab_is_scikit_images_conversion_and_matching() -> None:
    picture, reference = scene(1), scene(2)
    matched = match_histograms(rgb2lab(picture), rgb2lab(reference), channel_axis=-1)
    error = np.abs(match_colors(picture, reference, "LAB") - np.clip(lab2rgb(matched), 0, 1))
    assert error.mean() < 0.1 / 255
    assert error.max() < 2 / 255


@pytest.mark.parametrize("space", SPACES)
def test_drift_stays_bounded_over_200_loops(space: ColorSpace) -> None:
    # the engine here tints every frame by 1 % and adds noise: unmatched, red would be at white
    reference = 0.3 + 0.4 * scene(2)
    rng = np.random.default_rng(0)
    picture = reference
    for _ in range(200):
        tinted = np.clip(picture * np.float32([1.01, 1, 0.99]) + rng.normal(0, 0.002, picture.shape), 0, 1)
        picture = match_colors(tinted.astype(np.float32), reference, space)
    assert np.abs(picture.mean(axis=(0, 1)) - reference.mean(axis=(0, 1))).max() < 2 / 255


def test_grayscale() -> None:
    picture = scene(1)
    grey = grayscale(picture)
    assert np.abs(grey[..., 0] - cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)).max() < 1e-6
    assert np.array_equal(grey[..., 0], grey[..., 1])
    assert np.array_equal(grayscale(grey), grey)


def test_contrast_never_wraps() -> None:
    bright = np.full((4, 4, 3), 250 / 255, np.float32)
    assert contrast(bright, 1.1).min() == 1.0
    assert np.array_equal(contrast(scene(1), 1.0), scene(1))
    assert contrast(bright, 0.5)[0, 0, 0] == pytest.approx(125 / 255)


def test_brightness() -> None:
    assert np.array_equal(brightness(scene(1), 0.0), scene(1))
    assert brightness(np.full((1, 1, 3), 0.9, np.float32), 0.25).max() == 1.0
    assert brightness(np.full((1, 1, 3), 0.5, np.float32), -0.25)[0, 0, 0] == pytest.approx(0.25)
