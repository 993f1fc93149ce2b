"""What a clip's prompt says moves left moves left, by optical flow."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from lib_anim.app.engines import open_engine
from lib_anim.engines.contract import ClipFrame, ClipRequest, Picture, Steering
from lib_anim.imaging.flow import optical_flow

COUNT, SIDE = 16, 128


def drift(frames: list[Picture]) -> float:
    """Pixels per frame to the right where the picture changes: at edges of what moves, half its step."""
    found = []
    for before, after in pairwise(frames):
        flow = optical_flow(before, after, "fine")
        changed = np.abs(after - before).max(axis=-1) > 0.1
        if changed.any():
            found.append(float(flow[..., 0][changed].mean()))
    return float(np.median(found)) if found else 0.0


@pytest.mark.parametrize("step", [-3.0, 3.0])
def test_a_drawn_balls_drift_is_found(step: float) -> None:
    rows, columns = np.mgrid[:SIDE, :SIDE]
    random = np.random.default_rng(0)
    ground = np.repeat(random.random((SIDE // 8, SIDE // 8, 3)), 8, 0).repeat(8, 1).astype(np.float32) * 0.5

    def frame(index: int) -> Picture:
        inside = (columns - 64 - step * (index - COUNT / 2)) ** 2 + (rows - 80) ** 2 < 15**2
        return np.where(inside[..., None], np.float32([0.9, 0.1, 0.1]), ground).astype(np.float32)

    assert drift([frame(index) for index in range(COUNT)]) / step > 0.3


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize(("way", "sign"), [("left", -1), ("right", 1)])
def test_a_ball_moves_as_the_prompt_says(way: str, sign: int) -> None:
    engine, _ = open_engine("demo")
    modules = [choice.name for choice in engine.capabilities.motion_modules if not choice.why_not]
    if not modules:
        pytest.skip("no motion module lies beside the demo checkpoint")
    right = 0
    for seed in (1, 101, 201):
        request = ClipRequest(
            frames=tuple(
                ClipFrame(prompt=f"spring meadow, a red ball moving {way}", seed=seed + i)
                for i in range(COUNT)
            ),
            shown=COUNT,
            motion=Steering(module=modules[0]),
            width=SIDE,
            height=SIDE,
            steps=20,
        )
        right += drift(list(engine.clip(request))) * sign > 0
    assert right >= 2
