"""Which way the object of a clip moves, by optical flow."""

from __future__ import annotations

import numpy as np
import pytest

from lib_anim.types import Picture
from training.direction import drift, way
from training.moving_clips import Wanted, held_out_clips, painted_clips
from training.scenes import MOTIONS
from training.train import CHECKPOINT_FOLDER

COUNT, SIDE = 16, 128


@pytest.mark.parametrize("step", [-3.0, 3.0])
def test_a_drawn_balls_drift_is_found(step: float) -> None:
    rows, columns = np.mgrid[:SIDE, :SIDE]
    random = np.random.default_rng(0)
    ground = np.repeat(random.random((SIDE // 8, SIDE // 8, 3)), 8, 0).repeat(8, 1).astype(np.float32) * 0.5

    def frame(index: int) -> Picture:
        inside = (columns - 64 - step * (index - COUNT / 2)) ** 2 + (rows - 80) ** 2 < 15**2
        return np.where(inside[..., None], np.float32([0.9, 0.1, 0.1]), ground).astype(np.float32)

    assert drift(np.stack([frame(index) for index in range(COUNT)])) / step > 0.3


def test_a_ball_goes_the_way_that_the_words_say() -> None:
    wanted = [Wanted(f"spring meadow, a red ball moving {said}", said) for said in MOTIONS]
    clips = painted_clips(CHECKPOINT_FOLDER, wanted, seed=1, steps=10, guidance=8.0)
    assert [way(clip) for clip in clips] == list(MOTIONS)


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_whatever_moves_goes_the_way_that_the_words_say() -> None:
    wanted = held_out_clips()[::3]
    clips = painted_clips(CHECKPOINT_FOLDER, wanted, seed=5, steps=20, guidance=8.0)
    right = [way(clip) == asked.way for clip, asked in zip(clips, wanted, strict=True)]
    assert sum(right) >= 0.85 * len(right)
