"""Rates: what people write, what timestamps mean, and films that keep their length."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib_anim.errors import FlipbookError
from lib_anim.media.rates import grid, parse_rate, pick_frames

NTSC = [Fraction(24000, 1001), Fraction(30000, 1001), Fraction(60000, 1001)]
RATES = [*NTSC, *(Fraction(r) for r in (8, 12, 15, 24, 25, 30, 50, 60))]


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("24", Fraction(24)),
        (24, Fraction(24)),
        (23.976, NTSC[0]),
        ("23.98", NTSC[0]),
        ("29.97", NTSC[1]),
        (59.94, NTSC[2]),
        ("30000/1001", NTSC[1]),
        (12.5, Fraction(25, 2)),
    ],
)
def test_rates_are_read_as_people_write_them(text: object, rate: Fraction) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["0", "-3", "fast", "1/0", float("nan"), "5000", float("inf")])
def test_an_impossible_rate_is_refused_with_its_value(text: object) -> None:
    with pytest.raises(FlipbookError) as error:
        parse_rate(text, "fps")
    assert str(error.value).startswith("fps: ")
    assert str(text) in str(error.value)


@given(st.integers(1, 3000), st.sampled_from(RATES), st.sampled_from(RATES))
def test_resampling_keeps_length_and_time(frames: int, source: Fraction, rate: Fraction) -> None:
    picks = pick_frames(frames, source, rate)
    assert abs(len(picks) / rate - frames / source) <= 1 / rate
    assert (np.diff(picks) >= 0).all()
    assert picks[0] == 0
    half = min(1 / source, 1 / rate) / 2
    for j in {0, len(picks) // 3, len(picks) - 1}:
        shown, due = int(picks[j]) / source, j / rate
        if picks[j] < frames - 1:
            # The frame on screen began at most half a (shorter) period after the slot, and its
            # successor begins later than that.
            assert shown <= due + half
            assert (int(picks[j]) + 1) / source >= due + half - Fraction(1, 10**9)


@given(st.integers(1, 500), st.sampled_from(RATES))
def test_equal_rates_pick_every_frame_once(frames: int, rate: Fraction) -> None:
    assert pick_frames(frames, rate, rate).tolist() == list(range(frames))


def test_whole_steps_pick_every_nth_frame() -> None:
    assert pick_frames(60, Fraction(60), Fraction(12)).tolist() == list(range(0, 60, 5))
    assert pick_frames(3, Fraction(8), Fraction(24)).tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2][:9]


@given(st.integers(1, 200), st.sampled_from(RATES), st.sampled_from([Fraction(1, 1000), Fraction(1, 90000)]))
def test_rounded_timestamps_give_back_their_rate(frames: int, rate: Fraction, base: Fraction) -> None:
    ticks = [round(k / rate / base) for k in range(frames)]
    found, slots = grid(ticks, base, frames / rate, [rate])
    assert found == rate
    assert slots.tolist() == list(range(frames))


def test_a_constant_rate_is_found_without_a_hint() -> None:
    ticks = [round(k * 100 / Fraction(12)) for k in range(30)]
    assert grid(ticks, Fraction(1, 100), Fraction(250, 100))[0] == 12


def test_three_uneven_timestamps_keep_every_picture_and_their_times() -> None:
    rate, slots = grid([0, 33, 1000], Fraction(1, 1000), Fraction(1033, 1000))
    assert set(slots.tolist()) == {0, 1, 2}
    assert abs(len(slots) / rate - Fraction(1033, 1000)) <= 1 / rate
    assert abs(slots.tolist().index(2) / rate - 1) <= 1 / rate / 2


@given(st.lists(st.integers(9, 400), min_size=1, max_size=60))
def test_a_variable_rate_keeps_every_picture_that_120_frames_per_second_can_show(gaps: list[int]) -> None:
    ticks = [0, *np.cumsum(gaps).tolist()]
    rate, slots = grid(ticks, Fraction(1, 1000), Fraction(ticks[-1] + gaps[-1], 1000))
    shown = [Fraction(int(np.searchsorted(slots, k)), 1) / rate for k in range(len(ticks))]
    assert (np.diff(slots) >= 0).all()
    if rate <= 120 and len(set(slots.tolist())) == len(ticks):
        for time, tick in zip(shown, ticks, strict=True):
            assert abs(time - Fraction(tick, 1000)) <= 1 / rate
    else:
        assert min(gaps) < 1000 / 60
