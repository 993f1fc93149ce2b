"""Frame rates as people write them. Outside the rooms, as errors are: settings and media both read them."""

from __future__ import annotations

from fractions import Fraction

BROADCAST = tuple(Fraction(whole * 1000, 1001) for whole in (12, 15, 24, 30, 48, 60, 120, 240))
"""Rates of NTSC and of films beside it, which decimals only approximate: 23.976, 29.97, 59.94."""

CLOSE = Fraction(1, 200)
"""As far as two decimals are from a broadcast rate (23.98 from 23.976)."""


def rate_of(value: str | int | float | Fraction) -> Fraction:
    """The frame rate that is meant: 24, "30000/1001", and 29.97 as 30000/1001.

    Raises ValueError for what is no finite number.
    """
    try:
        # A float's own fraction is that of its binary digits, not of those that were typed.
        rate = value if isinstance(value, Fraction) else Fraction(str(value).strip())
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"{value!r} is no frame rate") from None
    if rate.denominator == 1:
        return rate
    return next((broadcast for broadcast in BROADCAST if abs(rate - broadcast) < CLOSE), rate)
