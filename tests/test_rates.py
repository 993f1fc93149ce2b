from __future__ import annotations

from fractions import Fraction

import pytest

from lib_anim.errors import FlipbookError
from lib_anim.kinds.keyframed.settings import Keyframed
from lib_anim.media.rates import parse_rate
from lib_anim.rates import rate_of


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (24, Fraction(24)),
        ("25", Fraction(25)),
        (12.5, Fraction(25, 2)),
        ("30000/1001", Fraction(30000, 1001)),
        (29.97, Fraction(30000, 1001)),
        (" 29.97 ", Fraction(30000, 1001)),
        (23.976, Fraction(24000, 1001)),
        (23.98, Fraction(24000, 1001)),
        (59.94, Fraction(60000, 1001)),
        ("119.88", Fraction(120000, 1001)),
        (14.985, Fraction(15000, 1001)),
        (29.9, Fraction(299, 10)),
        (4.996, Fraction(1249, 250)),
    ],
)
def test_every_room_reads_the_same_rate(written, meant):
    assert rate_of(written) == meant
    assert parse_rate(written) == meant
    assert Keyframed(fps=written).fps == meant


@pytest.mark.parametrize("written", ["fast", "1/0", float("nan"), float("inf"), ""])
def test_what_is_no_rate_is_a_sentence_everywhere(written):
    with pytest.raises(ValueError, match="no frame rate"):
        rate_of(written)
    with pytest.raises(FlipbookError):
        parse_rate(written)
    with pytest.raises(FlipbookError):
        Keyframed(fps=written)
