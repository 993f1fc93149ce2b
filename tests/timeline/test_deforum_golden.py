"""Deforum's dialect against numbers that Deforum's own parser computed (`golden/deforum.json`)."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lib_anim.timeline.context import Context
from lib_anim.timeline.prompts import parse_prompts
from lib_anim.timeline.schedule import parse_schedule

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parent / "golden" / "deforum.json").read_text("utf-8"))


def test_the_golden_files_are_all_there() -> None:
    """At least 30 settings files, public ones and written ones, with at least 40 schedules that move."""
    sources = [file["source"] for file in GOLDEN["files"]]
    assert len(sources) >= 30
    assert {"public preset", "written for this test"} == set(sources)
    assert sum("values" in entry for file in GOLDEN["files"] for entry in file["schedules"]) >= 200


@pytest.mark.parametrize("file", GOLDEN["files"], ids=[file["name"] for file in GOLDEN["files"]])
def test_schedules_equal_deforums(file: dict[str, Any]) -> None:
    for entry in file["schedules"]:
        schedule = parse_schedule(
            entry["text"], field=entry["field"], strings=entry.get("strings", False), dialect="deforum"
        )
        film = Context(frames=entry["frames"], seed=file["seed"])
        got = schedule.curve(film)
        want = entry.get("values", [entry.get("constant")] * entry["frames"])
        if schedule.strings:
            assert got == want, entry["text"]
        else:
            np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9, err_msg=entry["text"])
        again = parse_schedule(str(schedule), strings=schedule.strings, dialect="deforum")
        assert again == schedule, entry["text"]


_NUMBER = re.compile(r"(-?\d+(?:\.\d+)?)")


def _words_and_numbers(text: str) -> tuple[list[str], list[float]]:
    """The text without its numbers and single spaces, and the numbers."""
    parts = _NUMBER.split(" ".join(text.split()))
    return parts[::2], [float(number) for number in parts[1::2]]


@pytest.mark.parametrize("case", GOLDEN["prompts"], ids=[case["name"] for case in GOLDEN["prompts"]])
def test_held_prompts_equal_deforums(case: dict[str, Any]) -> None:
    """Frame by frame; spaces between a text and its addition may differ, decimals stop at four here."""
    source = {"prompts": case["prompts"], "positive": case["positive"], "negative": case["negative"]}
    frames = parse_prompts(source, dialect="deforum").frames(Context(frames=case["frames"]))
    want = [texts for count, texts in case["held"] for _ in range(count)]
    for got, texts in zip(frames, want, strict=True):
        for mine, theirs in zip((got.positive, got.negative), texts, strict=True):
            words, numbers = _words_and_numbers(mine)
            assert words == _words_and_numbers(theirs)[0]
            assert numbers == pytest.approx(_words_and_numbers(theirs)[1], abs=5.1e-5)


@pytest.mark.parametrize(
    "case", GOLDEN["interpolation"], ids=[case["name"] for case in GOLDEN["interpolation"]]
)
def test_interpolation_weights_equal_deforums(case: dict[str, Any]) -> None:
    track = parse_prompts(case["prompts"], dialect="deforum")
    for step, (before, after, weight) in zip(
        track.travel(Context(frames=case["frames"])), case["weights"], strict=True
    ):
        assert step.weight == pytest.approx(weight, abs=1e-9)
        assert step.before.positive == before
        assert step.after.positive == after
