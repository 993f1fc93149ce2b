"""Laws of the unsharp mask; scikit-image is the oracle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.filters import unsharp_mask

from lib_anim.errors import FlipbookError
from lib_anim.imaging.sharpen import unsharp


def picture(seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).random((40, 50, 3), np.float32)


def test_it_is_scikit_images() -> None:
    # radius is sigma there; a kernel of 4 sigma on each side, as there
    planes = [unsharp_mask(picture()[..., c], radius=1, amount=0.7) for c in range(3)]
    oracle = np.stack(planes, axis=-1)
    error = np.abs(unsharp(picture(), amount=0.7, kernel=9, sigma=1) - oracle)
    assert error[5:-5, 5:-5].max() < 0.002  # borders are mirrored differently


def test_amount_zero_and_flat_pictures_change_nothing() -> None:
    # Schedules pass through even kernels while the mask is off.
    for kernel, sigma in ((5, 1), (6, 1), (5, 0)):
        assert np.array_equal(unsharp(picture(), amount=0, kernel=kernel, sigma=sigma), picture())
    grey = np.full((32, 32, 3), 0.437, np.float32)
    assert np.abs(unsharp(grey, amount=2) - grey).max() < 1e-6


def test_edges_gain_contrast() -> None:
    step = np.full((32, 32, 3), 0.3, np.float32)
    step[:, 16:] = 0.7
    sharp = unsharp(step, amount=0.5)
    assert sharp[16, 15, 0] < 0.3 < 0.7 < sharp[16, 16, 0]


@given(st.floats(0.01, 10), st.sampled_from([1, 3, 5, 9]), st.floats(0.1, 10), st.floats(0, 1))
def test_range_dtype_and_argument_are_kept(
    amount: float, kernel: int, sigma: float, threshold: float
) -> None:
    source = picture()
    sharp = unsharp(source, amount=amount, kernel=kernel, sigma=sigma, threshold=threshold)
    assert sharp.dtype == np.float32
    assert 0 <= sharp.min() <= sharp.max() <= 1
    assert np.array_equal(source, picture())


def test_threshold_leaves_small_differences() -> None:
    flat = np.full((32, 32, 3), 0.5, np.float32)
    faint, strong = flat.copy(), flat.copy()
    faint[:, 16:] += 0.01
    strong[:, 16:] += 0.4
    assert np.array_equal(unsharp(faint, amount=1, threshold=0.02), faint)
    assert not np.array_equal(unsharp(strong, amount=1, threshold=0.02), strong)


def test_outside_the_mask_nothing_changes() -> None:
    mask = np.zeros((40, 50), np.float32)
    mask[10:20, 10:20] = 1
    sharp = unsharp(picture(), amount=1, mask=mask)
    assert np.array_equal(sharp[mask == 0], picture()[mask == 0])
    assert np.abs(sharp - unsharp(picture(), amount=1))[mask == 1].max() < 1e-6


def test_every_impossible_value_is_named() -> None:
    with pytest.raises(FlipbookError) as caught:
        unsharp(picture(), amount=-1, kernel=4, sigma=0)
    assert [p.field for p in caught.value.problems] == ["sharpen_amount", "sharpen_kernel", "sharpen_sigma"]
