"""Cross-fade and flow in-betweens."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib_anim.imaging.flow import optical_flow
from lib_anim.imaging.tween import blend, in_between


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((20, 24, 3), np.float32)


def window(right: int) -> np.ndarray:
    """A texture whose content has moved right by that many pixels."""
    rng, world = np.random.default_rng(5), np.zeros((200, 280, 3), np.float32)
    for sigma in (2, 4, 8, 16, 32):  # detail at every scale, as photographs have: coarse to fine needs it
        layer = cv2.GaussianBlur(rng.random(world.shape, np.float32), (0, 0), sigma)
        world += (layer - layer.mean()) / layer.std()
    world = (world - world.min()) / np.ptp(world)
    return world[20:180, 60 - right : 220 - right].copy()


@given(st.floats(0, 1))
def test_blend(weight: float) -> None:
    first, second = picture(1), picture(2)
    mixed = blend(first, second, weight)
    assert mixed.dtype == np.float32
    assert np.allclose(mixed, (1 - weight) * first + weight * second, atol=1e-6)
    assert np.array_equal(blend(first, first, weight), first)
    assert np.array_equal(first, picture(1))
    assert np.array_equal(second, picture(2))


def test_the_ends_are_copies_bit_for_bit() -> None:
    first, second = picture(1), picture(2)
    still = np.zeros((20, 24, 2), np.float32)
    for ends in (blend(first, second, 0), in_between(first, second, still, still, 0)):
        assert np.array_equal(ends, first)
        assert ends is not first
    for ends in (blend(first, second, 1), in_between(first, second, still, still, 1)):
        assert np.array_equal(ends, second)
        assert ends is not second


def test_without_motion_an_in_between_is_a_cross_fade() -> None:
    still = np.zeros((20, 24, 2), np.float32)
    assert np.allclose(
        in_between(picture(1), picture(2), still, still, 0.3), blend(picture(1), picture(2), 0.3), atol=1e-5
    )


@pytest.mark.parametrize("weight", [0.25, 0.5, 0.75])
def test_an_in_between_has_moved_part_of_the_way(weight: float) -> None:
    first, second, truth = window(0), window(20), window(round(20 * weight))
    forward, backward = optical_flow(first, second), optical_flow(second, first)
    inside = np.s_[:, 30:130]
    between = in_between(first, second, forward, backward, weight)
    assert np.abs(between - truth)[inside].mean() < 1.5 / 255
    assert np.abs(blend(first, second, weight) - truth)[inside].mean() > 10 / 255  # what ghosts look like


def test_what_only_one_picture_shows_comes_from_that_one() -> None:
    # a card moves 16 px right over a textured backdrop; the uncovered strip is only in the second picture
    backdrop, card = window(0) * np.float32(0.5), window(13)[:60, :40] * np.float32(0.5) + np.float32(0.5)
    first, second, truth = backdrop.copy(), backdrop.copy(), backdrop.copy()
    first[50:110, 40:80], second[50:110, 56:96], truth[50:110, 48:88] = card, card, card
    forward, backward = optical_flow(first, second), optical_flow(second, first)
    error = np.abs(in_between(first, second, forward, backward, 0.5) - truth).mean(axis=-1)
    ghost = np.abs(blend(first, second, 0.5) - truth).mean(axis=-1)
    assert error[55:105, 40:48].mean() < 0.5 * ghost[55:105, 40:48].mean()
    assert error[55:105, 52:84].mean() < 0.2 * ghost[55:105, 52:84].mean()
    # 2.9/255 when both pictures count the same there
    assert error[55:105, 48:56].mean() < 1.5 / 255
