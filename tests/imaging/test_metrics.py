"""Numbers about frames agree with what was done to them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from lib_anim.imaging.metrics import mean_difference, mean_motion, psnr
from lib_anim.imaging.warp import affine_matrix, warp


def texture(size: int = 128) -> np.ndarray:
    rows, columns = np.mgrid[:size, :size].astype(np.float32)
    planes = [np.sin(columns / a + rows / b) * np.cos(rows / a) for a, b in ((5, 9), (7, 4), (6, 11))]
    return np.stack(planes, axis=-1) * np.float32(0.5) + np.float32(0.5)


@pytest.mark.parametrize("motion", [(4.0, 0.0), (-4.0, 0.0), (0.0, 4.0), (0.0, -4.0), (2.5, -1.5)])
def test_mean_motion_has_the_cameras_sign_and_size(motion: tuple[float, float]) -> None:
    matrix = affine_matrix(128, 128, angle_deg=0, zoom=1, translation_x=motion[0], translation_y=motion[1])
    assert mean_motion(texture(), warp(texture(), matrix)) == pytest.approx(motion, abs=0.5)


def test_still_and_flat_pictures_do_not_move() -> None:
    assert mean_motion(texture(), texture()) == (0, 0)
    flat = np.full((64, 64, 3), 0.4, np.float32)
    assert mean_motion(flat, flat + np.float32(0.1)) == (0, 0)


def test_flat_surroundings_do_not_water_the_motion_down() -> None:
    first, second = np.full((2, 192, 192, 3), 0.5, np.float32)
    first[64:128, 64:128] = texture()[:64, :64]
    second[64:128, 68:132] = texture()[:64, :64]
    assert mean_motion(first, second)[0] == pytest.approx(4, abs=1)


def test_differences() -> None:
    first = texture()
    second = np.clip(first + np.random.default_rng(0).normal(0, 0.05, first.shape), 0, 1).astype(np.float32)
    assert psnr(first, second) == pytest.approx(
        peak_signal_noise_ratio(first, second, data_range=1), abs=1e-3
    )
    assert psnr(first, first) == math.inf
    assert mean_difference(first, first) == 0
    assert mean_difference(np.zeros((4, 4, 3), np.float32), np.full((4, 4, 3), 0.25, np.float32)) == 0.25
