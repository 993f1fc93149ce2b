"""What a clip's prompt says moves left moves left, by optical flow."""

from __future__ import annotations

import numpy as np
import pytest

from demo.direction import drift, way
from demo.export import MOTION_NAME
from demo.moving_clips import Wanted, painted_clips
from demo.train import HERE
from lib_anim.engines.contract import Picture

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


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("said", ["left", "right"])
def test_a_ball_moves_as_the_prompt_says(said: str) -> None:
    if not (HERE / f"{MOTION_NAME}.safetensors").exists():
        pytest.skip("no motion module lies beside the demo checkpoint")
    wanted = [Wanted(f"spring meadow, a red ball moving {said}", said)] * 3
    clips = painted_clips(HERE, wanted, seed=1, steps=20, guidance=5.0)
    assert sum(way(clip) == said for clip in clips) >= 2
