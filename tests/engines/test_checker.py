"""The checkerboard: what it draws and how fast."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from lib_anim.engines.checker import CheckerEngine
from lib_anim.engines.contract.requests import PromptTravel, StillRequest

REQUEST = StillRequest(prompt="spring", width=256, height=256, seed=3)


def test_init_and_drawing_are_mixed_by_denoising() -> None:
    engine = CheckerEngine()
    init = np.full((256, 256, 3), 0.25, np.float32)
    kept = engine.still(replace(REQUEST, init=init, denoising=0.0))
    assert np.allclose(kept, init, atol=1e-7)
    # The drawing itself names the denoising, so it is compared away from the words.
    half = engine.still(replace(REQUEST, init=init, denoising=0.5))
    whole = engine.still(replace(REQUEST, init=init, denoising=1.0))
    assert np.allclose(half[160:], (init[160:] + whole[160:]) / 2, atol=1e-6)


@pytest.mark.parametrize("changed", [{"seed": 4}, {"negative": "fog"}, {"denoising": 0.9}, {"steps": 21}])
def test_each_drawn_value_changes_the_words(changed: dict[str, object]) -> None:
    engine = CheckerEngine()
    request = replace(REQUEST, init=np.zeros((256, 256, 3), np.float32))
    one = engine.still(request)
    other = engine.still(replace(request, **changed))  # type: ignore[arg-type]
    assert np.abs(one[:120] - other[:120]).max() > 0.5


def test_blurred_mask_has_a_soft_edge() -> None:
    mask = np.zeros((256, 256), np.float32)
    mask[:, 128:] = 1
    init = np.zeros((256, 256, 3), np.float32)
    request = replace(REQUEST, init=init, mask=mask, denoising=1.0)
    hard, soft = (CheckerEngine().still(replace(request, mask_blur=b))[200] for b in (0.0, 8.0))
    assert np.count_nonzero(hard[:128]) == 0
    assert 0 < soft[120].max() < hard[136].max()


def test_a_picture_takes_milliseconds() -> None:
    engine = CheckerEngine()
    engine.still(REQUEST)
    times = []
    for seed in range(30):
        start = time.perf_counter()
        engine.still(replace(REQUEST, seed=seed))
        times.append(time.perf_counter() - start)
    assert min(times) < 0.005


def test_prompts_on_their_way_mix_their_colours() -> None:
    ends = [CheckerEngine().still(replace(REQUEST, prompt=prompt)) for prompt in ("one", "two")]
    travel = PromptTravel(prompt="two", negative=REQUEST.negative, weight=0.25, how="slerp")
    mixed = CheckerEngine().still(replace(REQUEST, prompt="one", travel=travel))
    corner = (-1, -1)
    assert np.allclose(mixed[corner], ends[0][corner] * 0.75 + ends[1][corner] * 0.25, atol=1e-6)
