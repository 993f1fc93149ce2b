"""The film that schedules are evaluated for."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from lib_anim.errors import FlipbookError
from lib_anim.timeline.context import Context


def test_signals_are_copied_and_read_only() -> None:
    source = np.arange(3)
    film = Context(frames=3, fps=12, signals={"kick": source})  # type: ignore[arg-type]
    source[0] = 9
    assert film.signals["kick"].tolist() == [0, 1, 2]
    assert film.signals["kick"].dtype == np.float64
    assert film.fps == Fraction(12)
    with pytest.raises(ValueError, match="read-only"):
        film.signals["kick"][0] = 1


@pytest.mark.parametrize(
    ("film", "field", "part"),
    [
        ({"frames": 0}, "frames", "0 is too few; the least is 1"),
        ({"fps": Fraction(0)}, "fps", "0 frames per second is not a rate"),
        ({"bpm": -1.0}, "bpm", "-1.0 beats per minute is not a tempo"),
        ({"width": 0}, "width", "0 is too few"),
        ({"cadence": 0}, "cadence", "0 is too few"),
        ({"signals": {"a b": np.zeros(3)}}, "signals", '"a b" cannot name a signal'),
        ({"signals": {"sin": np.zeros(3)}}, "signals", '"sin" is a word of the language'),
        ({"signals": {"t": np.zeros(3)}}, "signals", '"t" is a word of the language'),
        ({"signals": {"kick": np.zeros(4)}}, "signals", '"kick" holds 4 values for 3 frames'),
    ],
)
def test_films_that_cannot_be_are_refused(film: dict[str, Any], field: str, part: str) -> None:
    with pytest.raises(FlipbookError) as caught:
        Context(**{"frames": 3, **film})
    assert caught.value.problems[0].field == field
    assert part in caught.value.problems[0].message
