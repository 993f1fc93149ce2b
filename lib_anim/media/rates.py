"""Rational frame rates: reading them, finding them in timestamps, going from one to another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from lib_anim.errors import FlipbookError, Problem
from lib_anim.rates import rate_of

FASTEST = Fraction(1000)
"""Highest frame rate that is read or written; above it the number is a mistake or a bomb."""

MAX_FRAMES = 2_000_000
"""Longest film that is read: 18 hours at 30 frames per second."""

COMMON = tuple(
    Fraction(n, d)
    for n, d in (
        (24, 1), (25, 1), (30, 1), (24000, 1001), (30000, 1001), (60, 1), (60000, 1001), (50, 1),
        (12, 1), (15, 1), (8, 1), (10, 1), (16, 1), (20, 1), (6, 1), (5, 1), (4, 1), (3, 1), (2, 1), (1, 1),
        (48, 1), (48000, 1001), (120, 1), (120000, 1001), (100, 1), (90, 1), (240, 1),
    )
)  # fmt: skip
"""Rates that cameras, editors and animators use, the likelier first."""


def parse_rate(value: str | int | float | Fraction, field: str = "fps") -> Fraction:
    """A frame rate from what people write: 24, "30000/1001", 23.976, "29.97".

    The decimal spellings of the NTSC rates (23.976, 23.98, 29.97, 59.94) mean those rates exactly.
    Raises FlipbookError when the value is not a number, not above 0 or above 1000.
    """
    try:
        rate = rate_of(value)
    except ValueError:
        raise FlipbookError(
            Problem(
                f"{value!r} is not a frame rate; write a number or a fraction such as 24 or 30000/1001.",
                field,
                code="media.bad_rate",
            )
        ) from None
    if not 0 < rate <= FASTEST:
        raise FlipbookError(
            Problem(
                f"{value} frames per second is out of range; give a rate above 0, up to {FASTEST}.",
                field,
                code="media.bad_rate",
            )
        )
    return rate


def pick_frames(frames: int, source_rate: Fraction, rate: Fraction) -> NDArray[np.int64]:
    """For each frame at `rate`, the index of the source frame that it shows.

    Each pick lies within half a period of the faster of the two rates from the source frame's own
    time, and equal rates pick every frame once. The number of picks is the one nearest to the
    source's length.
    """
    count = max(1, round(frames * rate / source_rate))
    step = source_rate / rate
    p, q = step.numerator, step.denominator
    # ceil(j·p/q + min(1, p/q)/2) − 1 in integers: the last source frame that starts before the
    # slot's tolerance ends.
    j = np.arange(count, dtype=object if count * p > 2**60 else np.int64)
    picks = (2 * j * p + min(p, q) + 2 * q - 1) // (2 * q) - 1
    clipped: NDArray[np.int64] = np.minimum(picks, frames - 1).astype(np.int64)
    return clipped


def grid(
    ticks: Sequence[int],
    base: Fraction,
    end: Fraction,
    hints: Iterable[Fraction | None] = (),
    grain: Fraction | None = None,
) -> tuple[Fraction, NDArray[np.int64]]:
    """The constant rate behind timestamps, and for each frame at that rate the picture it shows.

    `ticks` ascend strictly, in units of `base` seconds; `end` is when the last picture ends, in
    seconds after the first. `hints` are rates the container claims; `grain` is how coarsely the
    times were rounded, `base` unless given. The first rate wins that explains every timestamp to
    within half a grain, then to within a whole one; then the first that gives each picture the slot of
    its number; then, for a variable rate, the slowest of the plausible ones that gives every
    picture a slot of its own. Where none up to 120 does, 60 is used and pictures closer than that
    share a slot.
    """
    count = len(ticks)
    times = (np.asarray(ticks, dtype=np.float64) - ticks[0]) * float(base)
    numbers = np.arange(count)
    gaps = np.diff(times)
    measured = [Fraction(count) / end] if end > 0 else []
    if count > 1:
        measured += [_near(1 / float(gap)) for gap in (np.median(gaps), gaps.min())]
    claimed = [r for r in hints if r is not None and 0 < r <= FASTEST]
    rates = [r for r in (*claimed, *COMMON, *measured) if 0 < r <= FASTEST]
    length = float(end)
    for tolerance in (0.51 * float(grain or base), 1.01 * float(grain or base)):
        for rate in rates:
            period = float(1 / rate)
            exact = np.abs(times - numbers * period).max() <= tolerance
            if exact and (rate in claimed or abs(length - count * period) <= tolerance):
                return rate, numbers
    for rate in (*claimed, *measured):
        if (_slots(times, rate) == numbers).all() and rate <= FASTEST:
            return rate, numbers
    spread = sorted({r for r in (*claimed, *measured, *COMMON) if r <= 120})
    floor = Fraction(count) / end if end > 0 else Fraction(0)
    fits = [r for r in spread if r >= floor and (np.diff(_slots(times, r)) > 0).all()]
    rate = fits[0] if fits else Fraction(60)
    slots = _slots(times, rate)
    total = max(int(slots[-1]) + 1, round(end * rate))
    if total > MAX_FRAMES:
        raise FlipbookError(
            Problem(
                f"its {count} pictures are spread over {length:.0f} seconds, {total} frames at their rate; "
                f"up to {MAX_FRAMES} are read. The file is damaged or has to be cut up.",
                "file",
                code="media.bad_rate",
            )
        )
    return rate, np.searchsorted(slots, np.arange(total), side="right") - 1


def _slots(times: NDArray[np.float64], rate: Fraction) -> NDArray[np.int64]:
    return np.floor(times * float(rate) + 0.5).astype(np.int64)


def _near(rate: float) -> Fraction:
    """A measured rate as a rational: a common one within half a per cent, else a small fraction."""
    for common in COMMON:
        if abs(rate - float(common)) <= 0.005 * float(common):
            return common
    return Fraction(rate).limit_denominator(1001)
