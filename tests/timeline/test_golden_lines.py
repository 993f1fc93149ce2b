"""The language's golden lines: text, film, values at frames 0, 1, 6, 12, 18 and 24 of 25."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lib_anim.timeline.context import Context
from lib_anim.timeline.schedule import parse_schedule

FRAMES = [0, 1, 6, 12, 18, 24]

LINES: list[tuple[str, dict[str, Any], list[float]]] = [
    ("0:(2)", {}, [2, 2, 2, 2, 2, 2]),
    ("0: 2", {}, [2, 2, 2, 2, 2, 2]),
    ("0:(0),24:(12)", {}, [0, 0.5, 3, 6, 9, 12]),
    ("0:(0), 12:(6), 24:(0)", {}, [0, 0.5, 3, 6, 3, 0]),
    ("0:(sin(2*3.14*t/24))", {}, [0, 0.258691, 1, 0.00159265, -0.999997, -0.0031853]),
    ("0:(1), 8:(t)", {}, [1, 1.875, 6.25, 12, 18, 24]),
    ("0:(t), 12:(0)", {}, [0, 1, 6, 0, 0, 0]),
    ("8:(3), 16:(11)", {}, [3, 3, 3, 7, 11, 11]),
    ("0:(0), 40:(40)", {}, [0, 0, 0, 0, 0, 0]),
    ("0:(1), 0:(5)", {}, [5, 5, 5, 5, 5, 5]),
    ('0:(0), "max_f":(48)', {}, [0, 2, 12, 24, 36, 48]),
    ('0:(0), "max_f/2":(6), max_f:(0)', {}, [0, 0.5, 3, 6, 3, 0]),
    ("0:(max(t-4, 0))", {}, [0, 0, 2, 8, 14, 20]),
    ("0:(clamp(t, 3, 9))", {}, [3, 3, 6, 9, 9, 9]),
    ("0:(where(t % 4 < 2, 1, -1))", {}, [1, 1, -1, 1, -1, 1]),
    ("0:(lerp(10, 20, t/max_f))", {}, [10, 10.4167, 12.5, 15, 17.5, 20]),
    ("0:(smoothstep(6, 18, t))", {}, [0, 0, 0, 0.5, 1, 1]),
    ("0:(-t % 5)", {}, [0, 4, 4, 3, 2, 1]),
    ("0:(7 // 2 + t / 2)", {}, [3, 3.5, 6, 9, 12, 15]),
    ("0:(2 ** -1)", {}, [0.5, 0.5, 0.5, 0.5, 0.5, 0.5]),
    ("0:(-2 ** 2)", {}, [-4, -4, -4, -4, -4, -4]),
    ("0:(saw(t/8))", {}, [0, 0.125, 0.75, 0.5, 0.25, 0]),
    ("0:(tri(t/8))", {}, [0, 0.25, 0.5, 1, 0.5, 0]),
    ("0:(square(t/8, 0.25))", {}, [1, 1, 0, 0, 0, 1]),
    ("0%:(0), 50%:(6), 100%:(0)", {}, [0, 0.5, 3, 6, 3, 0]),
    ("0s:(0), 1s:(6)", {"fps": Fraction(12)}, [0, 0.5, 3, 6, 6, 6]),
    ("0:(0), 2b:(12)", {"fps": Fraction(12), "bpm": 120}, [0, 1, 6, 12, 12, 12]),
    ("0:(0) step, 12:(1)", {}, [0, 0, 0, 1, 1, 1]),
    ("0:(0) ease-in-out, 12:(1)", {}, [0, 0.0196759, 0.5, 1, 1, 1]),
    ("0:(0) ease-in, 12:(1)", {}, [0, 0.00694444, 0.25, 1, 1, 1]),
    ("0:(0) ease-out, 12:(1)", {}, [0, 0.159722, 0.75, 1, 1, 1]),
    ("0:(s % 100)", {"seed": 1234}, [34, 34, 34, 34, 34, 34]),
    ("0:(w / h)", {"width": 768, "height": 512}, [1.5, 1.5, 1.5, 1.5, 1.5, 1.5]),
    ("0:(sec)", {"fps": Fraction(12)}, [0, 0.0833333, 0.5, 1, 1.5, 2]),
    ("0:(beat)", {"fps": Fraction(12), "bpm": 120}, [0, 0.166667, 1, 2, 3, 4]),
]


@pytest.mark.parametrize(("text", "film", "values"), LINES, ids=[line[0] for line in LINES])
@pytest.mark.parametrize("dialect", ["native", "deforum"])
def test_golden_line(text: str, film: dict[str, Any], values: list[float], dialect: Any) -> None:
    """The values to the six significant digits given, in both dialects, and from the canonical text too."""
    schedule = parse_schedule(text, dialect=dialect)
    got = schedule.numbers(Context(frames=25, **film))
    np.testing.assert_allclose(got[FRAMES], values, rtol=5e-6, atol=1e-9)
    again = parse_schedule(str(schedule), dialect=dialect)
    assert again == schedule
    np.testing.assert_array_equal(again.numbers(Context(frames=25, **film)), got)


def test_the_manual_shows_these_lines() -> None:
    """Every example of `docs/guide/timeline.md` is a line above, with the same values."""
    manual = (Path(__file__).parents[2] / "docs" / "guide" / "timeline.md").read_text("utf-8")
    rows = [[cell.strip() for cell in row.strip("| ").split(" | ")] for row in manual.splitlines()]
    shown = {row[0].strip("`"): row[-1] for row in rows if len(row) == 3 and row[-1].count(",") == 5}
    assert set(shown) == {text for text, _, _ in LINES}
    for text, _, values in LINES:
        assert [float(number) for number in shown[text].split(",")] == values
