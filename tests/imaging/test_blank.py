"""Empty frames are told apart from frames that show something."""

from __future__ import annotations

import numpy as np
import pytest

from lib_anim.imaging.blank import Blank, blankness


def card(level: float) -> np.ndarray:
    return np.full((16, 16, 3), level, np.float32)


def with_pixel(level: float, value: float) -> np.ndarray:
    picture = card(level)
    picture[3, 4, 1] = value
    return picture


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (card(0), "black"),
        (card(0.001), "black"),
        (card(0.5), "one colour"),
        (card(1), "one colour"),
        (np.broadcast_to(np.float32([0.1, 0.5, 0.9]), (16, 16, 3)), "one colour"),
        (card(np.nan), "not finite"),
        (with_pixel(0.5, np.nan), "not finite"),
        (with_pixel(0, np.inf), "not finite"),
        (with_pixel(0, 1 / 255), None),
        (with_pixel(0.5, 0.51), None),
    ],
)
def test_blankness(picture: np.ndarray, expected: Blank | None) -> None:
    assert blankness(picture) == expected
