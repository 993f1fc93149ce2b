"""Known motion is found again, and pictures follow it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from lib_anim.errors import FlipbookError
from lib_anim.imaging.flow import Quality, agreement, optical_flow, pull


def film(shifts: list[tuple[int, int]], size: int = 224) -> list[np.ndarray]:
    """One texture seen through a window, its content moved by each (right, down)."""
    rng, world = np.random.default_rng(5), np.zeros((size + 80, size + 80, 3), np.float32)
    for sigma in (2, 4, 8, 16, 32):  # detail at every scale, as photographs have: coarse to fine needs it
        layer = cv2.GaussianBlur(rng.random(world.shape, np.float32), (0, 0), sigma)
        world += (layer - layer.mean()) / layer.std()
    world = (world - world.min()) / np.ptp(world)
    return [world[40 - y : 40 - y + size, 40 - x : 40 - x + size].copy() for x, y in shifts]


INSIDE = np.s_[30:194, 30:194]


@pytest.mark.parametrize("quality", ["medium", "fine"])
@pytest.mark.parametrize("shift", [(20, 0), (-20, 0), (0, 20), (7, -12)])
def test_a_shift_is_recovered_within_a_pixel(shift: tuple[int, int], quality: Quality) -> None:
    first, second = film([(0, 0), shift])
    flow = optical_flow(first, second, quality)
    assert flow.dtype == np.float32
    assert np.abs(flow[INSIDE] - shift).max() < 1


def test_the_fast_preset_finds_the_mean() -> None:
    first, second = film([(0, 0), (6, 3)])
    assert np.abs(optical_flow(first, second, "fast")[INSIDE].mean(axis=(0, 1)) - [6, 3]).max() < 1


def test_pull_lays_the_second_onto_the_first() -> None:
    first, second = film([(0, 0), (20, 0)])
    laid = pull(second, optical_flow(first, second))
    assert np.abs(laid - first)[INSIDE].mean() < 1 / 255
    assert np.abs(second - first)[INSIDE].mean() > 20 / 255


def test_pull_with_known_flow() -> None:
    picture = np.arange(32, dtype=np.float32)[None, :, None].repeat(32, 0).repeat(3, 2) / 32
    flow = np.zeros((32, 32, 2), np.float32)
    assert np.array_equal(pull(picture, flow), picture)
    flow[..., 0] = 2.5
    assert pull(picture, flow)[5, 10, 0] == pytest.approx(12.5 / 32, abs=1e-5)


def test_equal_pictures_have_no_flow() -> None:
    first, second = film([(0, 0), (0, 0)])
    assert not optical_flow(first, second).any()


def test_the_arguments_are_untouched_and_the_flow_is_repeatable() -> None:
    first, second = film([(0, 0), (9, 4)])
    kept = first.copy(), second.copy()
    assert np.array_equal(optical_flow(first, second), optical_flow(first, second))
    assert np.array_equal(first, kept[0])
    assert np.array_equal(second, kept[1])


def test_agreement_finds_what_a_moving_card_covers() -> None:
    backdrop = film([(0, 0)])[0] * np.float32(0.6)
    card = film([(13, 21)])[0][:60, :40]
    first, second = backdrop.copy(), backdrop.copy()
    first[50:110, 40:80] = card
    second[50:110, 56:96] = card  # 16 px to the right
    forward, backward = optical_flow(first, second), optical_flow(second, first)
    seen = agreement(forward, backward)
    assert seen[60:100, 83:93].mean() < 0.3  # covered by the card in the second picture
    assert seen[60:100, 48:72].mean() > 0.9  # the card itself
    assert seen[5:40, 5:210].mean() > 0.95  # the backdrop


@pytest.mark.parametrize("shape", [(31, 130, 3), (130, 31, 3)])
def test_pictures_that_crash_opencv_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(FlipbookError, match="32 px and more"):
        optical_flow(np.zeros(shape, np.float32), np.ones(shape, np.float32))


@pytest.mark.parametrize("quality", ["fast", "medium", "fine"])
@pytest.mark.parametrize("shape", [(32, 32, 3), (32, 130, 3), (1030, 32, 3)])
def test_the_smallest_pictures_have_a_flow(shape: tuple[int, ...], quality: Quality) -> None:
    first, second = np.random.default_rng(0).random((2, *shape), np.float32)
    assert np.isfinite(optical_flow(first, second, quality)).all()


def test_two_sizes_are_refused() -> None:
    with pytest.raises(FlipbookError, match=r"not 40×50 and 50×40\."):
        optical_flow(np.zeros((50, 40, 3), np.float32), np.zeros((40, 50, 3), np.float32))
