"""Text made to hurt ends in one sentence within a second."""

from __future__ import annotations

import contextlib
import time

import pytest

from lib_anim.errors import FlipbookError
from lib_anim.timeline.context import Context
from lib_anim.timeline.prompts import parse_prompts
from lib_anim.timeline.schedule import parse_schedule

FILM = Context(frames=100)

HOSTILE = {
    "tower of powers": "0:(9**9**9**9)",
    "tower in a key": '"9**9**9**9":(1)',
    "nested parentheses": "0:" + "(" * 50_000 + "1" + ")" * 50_000,
    "unclosed parentheses": "0:" + "(" * 100_000,
    "long sum": "0:(" + "+".join(["t"] * 30_000) + ")",
    "longer sum": "0:(" + "+".join(["1"] * 70_000) + ")",
    "long tower": "0:(" + "**".join(["2"] * 30_000) + ")",
    "minus signs": "0:" + "-" * 60_000 + "1",
    "nested calls": "0:(" + "abs(" * 20_000 + "t" + ")" * 20_000 + ")",
    "megabyte of digits": "0:(" + "9" * 1_000_000 + ")",
    "digits": "0:(" + "9" * 100_000 + ")",
    "digits in a key": "9" * 100_000 + "%:(1)",
    "huge exponent": "0:(1e999999999)",
    "huge unit": "1e999999999s:(1)",
    "megabyte of spaces": " " * 1_000_000,
    "megabyte of quotes": '"' * 1_000_000,
    "quotes": "0:" + "\"'" * 50_000,
    "commas": "," * 100_000,
    "colons": ":" * 100_000,
    "hundred thousand items": ",".join(f"{frame}:(1)" for frame in range(100_000)),
    "short items": ",".join(["0:1"] * 30_000),
    "one long word": "0:(" + "a" * 100_000 + ")",
    "empty parentheses": "0:" + "()" * 20_000,
    "calls of nothing": "0:" + "(0:(" * 20_000,
    "digits and parentheses": "0:" + "1(" * 20_000,
    "words and commas": "0:" + "a," * 20_000,
    "colons in a row": "0:(a:" * 20_000,
    "control characters": "0:(\x00\x01)",
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("dialect", ["native", "deforum"])
def test_hostile_schedules_end_in_a_sentence(name: str, dialect: str) -> None:
    parse_schedule("0:(1)")
    start = time.process_time()
    with pytest.raises(FlipbookError) as caught:
        parse_schedule(HOSTILE[name], field="zoom", dialect=dialect).curve(FILM)  # type: ignore[arg-type]
    assert time.process_time() - start < 1.0
    assert len(caught.value.problems) == 1
    assert caught.value.problems[0].field == "zoom"
    assert 10 < len(caught.value.problems[0].sentence) < 250
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("dialect", ["native", "deforum"])
def test_hostile_string_schedules_end_in_time(name: str, dialect: str) -> None:
    """Deforum's dialect may read some of them as text."""
    parse_schedule('0:("a")', strings=True)
    start = time.process_time()
    with contextlib.suppress(FlipbookError):
        parse_schedule(HOSTILE[name], strings=True, dialect=dialect).curve(FILM)  # type: ignore[arg-type]
    assert time.process_time() - start < 1.0


def test_the_largest_schedule_is_read_within_two_seconds() -> None:
    """A key for each of 10,000 frames, as programs write them."""
    text = ", ".join(f"{frame}:({frame % 7}.25)" for frame in range(10_000))
    start = time.process_time()
    values = parse_schedule(text).numbers(Context(frames=10_000))
    assert time.process_time() - start < 2.0
    assert values[8] == 1.25


@pytest.mark.parametrize(
    "source",
    [
        "x" * 1_000_000,
        '{"0": ' + "[" * 400_000,
        "{" + ",".join(f'"{frame}": "a"' for frame in range(30_000)) + "}",
        '{"0": "' + "`t`" * 20_000 + '"}',
        '{"' + "(" * 100_000 + '": "a"}',
        '{"0": "`' + "-" * 19_000 + 't`"}',
        {"prompts": {"0": "x" * 600_000}},
    ],
    ids=["megabyte", "nested lists", "keys", "spans", "nested key", "minus signs", "mapping"],
)
def test_hostile_prompts_end_in_a_sentence(source: object) -> None:
    start = time.process_time()
    with pytest.raises(FlipbookError) as caught:
        parse_prompts(source).frames(FILM)  # type: ignore[arg-type]
    assert time.process_time() - start < 1.0
    assert len(str(caught.value)) < 1000


def test_deep_but_allowed_expressions_work() -> None:
    """The deepest tree and the deepest parentheses evaluate, print, compare and hash."""
    deep = "0:(" + "+".join(["t"] * 150) + ")"
    nested = "0:" + "(" * 100 + "t" + ")" * 100
    for text, at_one in ((deep, 150.0), (nested, 1.0)):
        schedule = parse_schedule(text)
        again = parse_schedule(str(schedule))
        assert again == schedule
        assert hash(again) == hash(schedule)
        assert schedule.numbers(FILM)[1] == at_one
