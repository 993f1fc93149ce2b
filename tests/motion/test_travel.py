"""Prompt travel: which keyframes, in what shares, and mixed how."""

from __future__ import annotations

import math

import pytest
import torch

from lib_anim.errors import FlipbookError
from lib_anim.motion.travel import Blend, conditioned, keyframe_blends


def test_between_keys_shares_grow_evenly() -> None:
    found = keyframe_blends((0, 4), 6, cyclic=False)
    assert found == (
        Blend(0, 0, 0.0), Blend(0, 1, 0.25), Blend(0, 1, 0.5), Blend(0, 1, 0.75), Blend(1, 1, 0.0), Blend(1,
        1, 0.0),
    )  # fmt: skip


def test_before_the_first_key_it_holds() -> None:
    assert keyframe_blends((2, 4), 6, cyclic=False)[:3] == (Blend(0, 0, 0.0),) * 3


def test_a_closed_clip_travels_back_over_its_end() -> None:
    found = keyframe_blends((2, 6), 8, cyclic=True)
    assert found[6:] + found[:3] == (
        Blend(1, 1, 0.0), Blend(1, 0, 0.25), Blend(1, 0, 0.5), Blend(1, 0, 0.75), Blend(0, 0, 0.0),
    )  # fmt: skip


def test_a_key_beyond_an_open_clip_is_travelled_towards() -> None:
    assert keyframe_blends((0, 10), 5, cyclic=False)[4] == Blend(0, 1, 0.4)


@pytest.mark.parametrize(("keys", "cyclic"), [((), False), ((3, 3), False), ((9,), False), ((0, 9), True)])
def test_impossible_keys_are_refused(keys: tuple[int, ...], cyclic: bool) -> None:
    with pytest.raises(FlipbookError) as caught:
        keyframe_blends(keys, 8, cyclic=cyclic)
    assert "8 frames" in str(caught.value)


def test_slerp_turns_the_whole_tensor_as_one_vector() -> None:
    a, b = torch.zeros(3, 4), torch.zeros(3, 4)
    a[0, 0], b[2, 3] = 2.0, 5.0
    found = conditioned([a, b], [Blend(0, 1, t) for t in (0.0, 0.3, 1.0)], "slerp")
    assert found.shape == (3, 3, 4)
    assert found[1, 0, 0].item() == pytest.approx(2 * math.cos(0.3 * math.pi / 2), abs=1e-6)
    assert found[1, 2, 3].item() == pytest.approx(5 * math.sin(0.3 * math.pi / 2), abs=1e-6)
    assert torch.equal(found[0], a)
    assert torch.allclose(found[2], b)


def test_nearly_parallel_ones_are_mixed_along_the_line() -> None:
    a = torch.ones(2, 3)
    found = conditioned([a, a * 3], [Blend(0, 1, 0.5)], "slerp")
    assert torch.allclose(found[0], a * 2)


def test_lerp_and_hold() -> None:
    a, b = torch.randn(2, 3), torch.randn(2, 3)
    assert torch.allclose(conditioned([a, b], [Blend(0, 1, 0.25)], "lerp")[0], 0.75 * a + 0.25 * b)
    assert torch.equal(conditioned([a, b], [Blend(0, 1, 0.9)], "hold")[0], a)


def test_unequal_lengths_are_filled_with_the_last_row() -> None:
    a, b = torch.zeros(2, 3), torch.zeros(4, 3)
    a[1] = 8.0
    found = conditioned([a, b], [Blend(0, 0, 0.0), Blend(0, 1, 0.25)], "lerp")
    assert found.shape == (2, 4, 3)
    assert found[0, :, 0].tolist() == [0, 8, 8, 8]
    assert found[1, :, 0].tolist() == [0, 6, 6, 6]


def test_sdxl_parts_are_mixed_each_for_itself() -> None:
    a = {"crossattn": torch.zeros(2, 3), "vector": torch.tensor([1.0, 0.0])}
    b = {"crossattn": torch.ones(2, 3), "vector": torch.tensor([0.0, 1.0])}
    found = conditioned([a, b], [Blend(0, 1, 0.5)], "slerp")
    assert torch.allclose(found["vector"][0], torch.tensor([0.5, 0.5]).sqrt())
    assert found["crossattn"].shape == (1, 2, 3)


def test_marker_rows_are_no_conditioning() -> None:
    a, b = torch.randn(3, 4), torch.randn(3, 4)
    marked = [torch.cat([torch.full((1, 4), 1024.0 * sign), cond]) for sign, cond in ((1, a), (-1, b))]
    found = conditioned(marked, [Blend(0, 1, 0.5)], "slerp", marks=1)
    assert torch.equal(found[0, 0], marked[0][0])
    assert torch.allclose(found[0, 1:], conditioned([a, b], [Blend(0, 1, 0.5)], "slerp")[0])
