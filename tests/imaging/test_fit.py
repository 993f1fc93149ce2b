"""Bringing pictures of another shape to a frame's size."""

from __future__ import annotations

import numpy as np
import pytest

from lib_anim.imaging.fit import fit


def wide() -> np.ndarray:
    picture = np.zeros((40, 120, 3), np.float32)
    picture[:, 40:80] = 1
    picture[:, :4] = 0.5
    return picture


@pytest.mark.parametrize("how", ["crop", "stretch", "fill"])
@pytest.mark.parametrize("size", [(64, 64), (200, 40), (30, 300)])
def test_the_size_is_met_and_values_stay_in_range(how, size):
    done = fit(wide(), *size, how)
    assert done.shape == (size[1], size[0], 3)
    assert done.dtype == np.float32
    assert done.min() >= 0
    assert done.max() <= 1


def test_fill_keeps_all_of_it_and_draws_its_edges_out():
    done = fit(wide(), 120, 120, "fill")
    np.testing.assert_array_equal(done[40:80], wide())
    np.testing.assert_array_equal(done[:40], np.broadcast_to(done[40], (40, 120, 3)))
    np.testing.assert_array_equal(done[80:], np.broadcast_to(done[79], (40, 120, 3)))


def test_crop_cuts_the_edges_and_stretch_keeps_them():
    assert fit(wide(), 40, 40, "crop").min() == 1
    assert fit(wide(), 40, 40, "stretch")[20, 0].mean() == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("how", ["crop", "stretch", "fill"])
def test_the_right_size_comes_back_as_it_is(how):
    assert fit(wide(), 120, 40, how) is not None
    np.testing.assert_array_equal(fit(wide(), 120, 40, how), wide())
