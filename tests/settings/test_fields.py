"""What each sort of setting takes, and in which form it keeps it."""

from __future__ import annotations

from fractions import Fraction

import pytest

from lib_anim.errors import FlipbookError
from lib_anim.settings.fields import (
    Choice,
    Flag,
    Number,
    PathText,
    Prompts,
    Rate,
    Schedule,
    Spec,
    Text,
    Words,
    Wrong,
    problems_of,
    shown,
)


def check(spec: Spec, value: object, dialect: str = "native") -> object:
    return spec.check(value, field="it", dialect=dialect)


def words(cls: type[Spec], **more: object) -> Spec:
    return cls(label="It", help="It is.", **more)  # type: ignore[arg-type]


NUMBER = words(Number, low=0, high=10)
WHOLE = words(Number, low=8, high=64, whole=True, multiple=8)


@pytest.mark.parametrize(
    ("spec", "value", "kept"),
    [
        (NUMBER, 3, 3.0),
        (NUMBER, "2.5", 2.5),
        (WHOLE, 16.0, 16),
        (WHOLE, "64", 64),
        (words(Rate), 24, Fraction(24)),
        (words(Rate), 29.97, Fraction(30000, 1001)),
        (words(Rate), "23.976", Fraction(24000, 1001)),
        (words(Rate), "30000/1001", Fraction(30000, 1001)),
        (words(Rate), 12.5, Fraction(25, 2)),
        (words(Flag), "TRUE", True),
        (words(Flag), False, False),
        (words(Choice, options=("LAB", "RGB")), " lab", "LAB"),
        (words(Text), " as it is ", " as it is "),
        (words(PathText), ' "C:\\a b.png" ', "C:\\a b.png"),
        (words(PathText), None, ""),
        (words(Schedule), 1.5, "0:(1.5)"),
        (words(Schedule), " 0:(1), 9:(2) ", "0:(1), 9:(2)"),
        (words(Schedule, optional=True), "", ""),
        (words(Words), " Euler a ", "Euler a"),
        (words(Words, optional=True), " ", ""),
        (words(Words), '0:("Euler"), 5:("Heun")', '0:("Euler"), 5:("Heun")'),
        (words(Prompts), {0: "a", "9": "b"}, {"0": "a", "9": "b"}),
        (words(Prompts), "0: a", "0: a"),
    ],
)
def test_a_value_is_kept_in_its_canonical_form(spec: Spec, value: object, kept: object) -> None:
    result = check(spec, value)
    assert result == kept
    assert type(result) is type(kept)
    assert check(spec, result) == kept, "the canonical form is its own"


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        (NUMBER, 10.01),
        (NUMBER, -0.01),
        (NUMBER, True),
        (NUMBER, "many"),
        (NUMBER, "nan"),
        (NUMBER, float("inf")),
        (NUMBER, None),
        (WHOLE, 12),
        (WHOLE, 16.5),
        (words(Rate), 0),
        (words(Rate), "1/0"),
        (words(Rate), 500),
        (words(Rate), True),
        (words(Flag), 1),
        (words(Flag), "yes"),
        (words(Choice, options=("LAB", "RGB")), "HSV"),
        (words(Text), 5),
        (words(Text, longest=3), "four"),
        (words(PathText), "a\0b"),
        (words(Schedule), True),
        (words(Schedule), ["0:(1)"]),
        (words(Schedule), " "),
        (words(Words), 7),
        (words(Prompts), ["a"]),
    ],
)
def test_a_value_that_is_not_allowed_is_told_what_is(spec: Spec, value: object) -> None:
    with pytest.raises(Wrong):
        check(spec, value)
    kept, (problem,) = problems_of(spec, "it", value)
    assert kept is value
    assert problem.field == "it"
    assert "it takes" in problem.sentence


@pytest.mark.parametrize("text", ["0:(1", "0:(foo(t)", "0:(1), 9"])
def test_a_broken_schedule_says_where(text: str) -> None:
    with pytest.raises(FlipbookError) as caught:
        check(words(Schedule), text)
    assert all(problem.field == "it" for problem in caught.value.problems)


def test_bounds_are_said_in_full() -> None:
    assert words(Number, whole=True, low=-1, high=2**32 - 1).allowed() == "a whole number, -1 to 4294967295"
    assert words(Number, low=0.01, high=1e6).allowed() == "a number, 0.01 to 1000000"
    assert words(Number, low=0).allowed() == "a number, 0 or more"
    assert words(Number).allowed() == "a number, any finite number"


def test_long_values_are_cut_in_sentences() -> None:
    assert len(shown("a" * 500)) == 78
    assert shown(True) == "true"
    assert shown(None) == "null"


@pytest.mark.parametrize("text", ["12", '"a"', "null", "[1]", "", "plain", "a, b: c", '"', "true", "1e5"])
@pytest.mark.parametrize("spec", [words(Text), words(Prompts)])
def test_text_that_looks_like_json_comes_back(spec: Spec, text: str) -> None:
    assert spec.from_text(spec.to_text(text)) == text
