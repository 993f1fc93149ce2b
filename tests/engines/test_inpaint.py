"""Masks: areas, fills, overlays."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lib_anim.engines.contract.requests import StillRequest
from lib_anim.engines.diffusion.inpaint import area, blurred, filled, prepare


def masked(left: int, top: int, right: int, bottom: int, size: tuple[int, int] = (64, 48)) -> np.ndarray:
    mask = np.zeros((size[1], size[0]), np.float32)
    mask[top:bottom, left:right] = 1
    return mask


@given(st.integers(0, 60), st.integers(0, 44), st.integers(1, 30), st.integers(1, 30), st.integers(0, 40))
def test_areas_hold_the_mask_in_the_requests_proportions(
    x: int, y: int, w: int, h: int, padding: int
) -> None:
    right, bottom = min(64, x + w), min(48, y + h)
    found = area(masked(x, y, right, bottom), padding, (64, 48))
    assert found is not None
    left, top, far, low = found
    assert 0 <= left <= x
    assert right <= far <= 64
    assert 0 <= top <= y
    assert bottom <= low <= 48
    whole_width, whole_height = far - left == 64, low - top == 48
    assert whole_width or whole_height or abs((far - left) / (low - top) - 64 / 48) < 64 / 48 / (low - top)


def test_nothing_masked_is_no_area() -> None:
    assert area(np.zeros((8, 8), np.float32), 4, (8, 8)) is None


def test_blur_keeps_the_masks_sum() -> None:
    mask = masked(20, 16, 40, 32)
    soft = blurred(mask, 2.0)
    assert abs(float(soft.sum() / mask.sum()) - 1) < 1e-3
    assert np.count_nonzero((soft > 0.01) & (soft < 0.99)) > 60
    assert blurred(mask, 0.0) is mask


def test_a_fill_continues_what_surrounds_it() -> None:
    ramp = np.repeat(np.linspace(0, 1, 64, dtype=np.float32)[None, :, None], 48, 0).repeat(3, 2)
    mask = masked(24, 16, 40, 32)
    spoiled = ramp.copy()
    spoiled[16:32, 24:40] = 1.0
    found = filled(spoiled, mask)
    assert np.array_equal(found[mask == 0], spoiled[mask == 0])
    assert np.abs(found - ramp)[mask > 0].max() < 0.15
    assert found[20, 25, 0] < found[20, 38, 0], "dark on the dark side"


def request(**changed: object) -> StillRequest:
    init = np.random.default_rng(0).random((48, 64, 3), dtype=np.float32)
    given = {"init": init, "mask": masked(16, 16, 32, 32), "denoising": 0.5} | changed
    return StillRequest(prompt="", width=64, height=48, seed=1, **given)  # type: ignore[arg-type]


def test_the_original_shows_wherever_nothing_is_masked() -> None:
    asked = request()
    plan = prepare(asked, 8)
    assert plan is not None
    assert plan.repaint.sum() == 4, "16 by 16 pixels are 2 by 2 latents"
    result = plan.composite(np.zeros((48, 64, 3), np.float32))
    assert asked.init is not None
    assert np.array_equal(result[:16], asked.init[:16])
    assert result[16:32, 16:32].max() == 0


def test_half_a_latents_place_is_repainted() -> None:
    # As in the WebUI, where 127.5 of 255 becomes 128 on the way.
    plan = prepare(request(mask=masked(20, 0, 44, 48)), 8)
    assert plan is not None
    assert plan.repaint[0].tolist() == [0, 0, 1, 1, 1, 1, 0, 0]


def test_a_masked_area_is_painted_large_and_laid_back() -> None:
    asked = request(only_masked=True, only_masked_padding=0)
    plan = prepare(asked, 8)
    assert plan is not None
    assert plan.box is not None
    left, top, right, bottom = plan.box
    assert (right - left, bottom - top) == (21, 16)
    assert plan.init.shape == (48, 64, 3)
    result = plan.composite(np.ones((48, 64, 3), np.float32))
    assert np.allclose(result[16:32, 16:32], 1)
    assert asked.init is not None
    assert np.array_equal(result[:, 40:], asked.init[:, 40:])
