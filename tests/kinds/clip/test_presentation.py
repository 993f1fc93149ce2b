"""What a clip's film shows: order, in-betweens, closing."""

from __future__ import annotations

import numpy as np
import pytest

from lib_anim.kinds.clip.motion_settings import Motion
from lib_anim.kinds.clip.presentation import between_count, order_of, shown_frames


@pytest.mark.parametrize(
    ("motion", "order"),
    [
        ({}, [0, 1, 2, 3]),
        ({"reverse": "backwards"}, [3, 2, 1, 0]),
        ({"reverse": "boomerang"}, [0, 1, 2, 3, 2, 1]),
        ({"closed_loop": "A"}, [0, 1, 2, 3, 2, 1]),
        ({"closed_loop": "A", "context": 3}, [0, 1, 2, 3]),
        ({"closed_loop": "A", "reverse": "backwards"}, [3, 2, 1, 0]),
    ],
)
def test_orders(motion: dict, order: list[int]) -> None:
    assert order_of(Motion(**motion), 4) == order


@pytest.mark.parametrize("count", [1, 2])
def test_short_clips_have_orders_too(count: int) -> None:
    for reverse in ("off", "backwards", "boomerang"):
        assert len(order_of(Motion(reverse=reverse), count)) == count


def ball(x: float) -> np.ndarray:
    """A soft white ball on grey, at a place in pixels."""
    columns, rows = np.meshgrid(np.arange(64), np.arange(64))
    soft = np.exp(-((columns - x) ** 2 + (rows - 32) ** 2) / 60)
    return np.repeat((60 + 180 * soft)[..., None], 3, axis=2).astype(np.uint8)


def place(frame: np.ndarray) -> float:
    weight = np.clip(frame[..., 0].astype(float) - 80, 0, None)
    return float((weight.sum(0) * np.arange(64)).sum() / weight.sum())


def test_in_betweens_move() -> None:
    frames = [ball(x) for x in (20, 26, 32, 38)]
    motion = Motion(interp="Flow", interp_x=3)
    shown = list(shown_frames(lambda i: frames[i], 4, motion))
    # 4 frames · 3 is 12; the three gaps hold round(8 / 3) = 3 each.
    assert between_count(motion, 4) == 3
    assert len(shown) == 13
    for number in (0, 4, 8, 12):
        assert np.array_equal(shown[number], frames[number // 4])
    places = [place(frame) for frame in shown]
    assert np.diff(places).min() > 0.8
    assert np.diff(places).max() < 2.2


def test_without_in_betweens_frames_stay_as_they_are() -> None:
    frames = [ball(x) for x in (20, 26, 32)]
    shown = list(shown_frames(lambda i: frames[i], 3, Motion()))
    assert all(one is other for one, other in zip(shown, frames, strict=True))
    assert len(list(shown_frames(lambda i: frames[i], 1, Motion(interp="Flow")))) == 1
