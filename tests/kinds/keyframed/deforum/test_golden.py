"""Settings files of every age give the numbers and prompts that the Deforum extension gives.

`golden.json.xz` holds, per file, what the extension of March 2024 computed for every schedule and
prompt with numexpr 2.14 and pandas 2.0. Where Flipbook differs on purpose, the difference has a test
of its own below.
"""

from __future__ import annotations

import json
import lzma
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lib_anim.errors import FlipbookError
from lib_anim.kinds.keyframed.deforum.importer import from_deforum, is_deforum
from lib_anim.kinds.keyframed.deforum.keys import KEYS, SCHEDULE, UNIT_ROWS, default_of
from lib_anim.kinds.keyframed.deforum.migrations import migrate
from lib_anim.kinds.keyframed.settings import Keyframed
from lib_anim.settings.base import from_json, to_json
from lib_anim.timeline.context import Context
from lib_anim.timeline.prompts import parse_prompts
from lib_anim.timeline.schedule import parse_schedule

FOLDER = Path(__file__).parent / "deforum_files"
FILES = sorted(path.stem for path in FOLDER.glob("*.txt"))
GOLDEN = json.loads(lzma.decompress((FOLDER / "golden.json.xz").read_bytes()))

REFUSED = {
    "2023-02-controlnet-on": {"controlnet_enabled"},
    "2023-03-flags-of-flow": {"animation_mode", "hybrid_composite"},
    "2024-03-three-dimensions": {
        *("animation_mode", "hybrid_composite", "hybrid_motion", "cn_1_enabled", "use_looper"),
        *("frame_interpolation_engine", "optical_flow_cadence"),
    },
    "studio-preset": {"animation_mode"},
}
"""File → the keys that are refused in it."""

DIFFERENT = {
    # 1e-3 is a number and starts an interpolation; Deforum takes it for a formula.
    ("edge-numbers-and-formulas", "noise_schedule"),
    # Parentheses belong to a mask's expression; Deforum deletes them.
    ("2023-02-one-controlnet-unit", "mask_schedule"),
}


def read(name: str) -> dict[str, Any]:
    data = json.loads((FOLDER / f"{name}.txt").read_text("utf-8"))
    assert isinstance(data, dict)
    return data


def context(name: str, key: str = "") -> Context:
    # Deforum gives ControlNet's schedules no seed.
    seed = -1 if key.startswith("cn_") else GOLDEN[name]["seed"]
    return Context(frames=GOLDEN[name]["frames"], seed=seed)


def per_frame(runs: list[list[Any]], frames: int) -> list[list[Any]]:
    """[[first frame, value…], …] as a value for each frame."""
    ends = [run[0] for run in runs[1:]] + [frames]
    return [run[1:] for run, end in zip(runs, ends, strict=True) for _ in range(run[0], end)]


def test_there_are_thirty_files_and_numbers_for_each() -> None:
    assert len(FILES) >= 30
    assert set(GOLDEN) == set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_every_number_at_every_frame(name: str) -> None:
    values = migrate(read(name)).values
    wanted = {key.name for key in KEYS.values() if key.kind == SCHEDULE} & set(GOLDEN[name]["numbers"])
    assert len(wanted) >= 40
    for key, golden in GOLDEN[name]["numbers"].items():
        text = values.get(key, default_of(key))
        schedule = parse_schedule(text, field=key, dialect="deforum")
        numbers = schedule.numbers(context(name, key))
        worst = float(np.abs(numbers - np.array(golden)).max())
        if (name, key) in DIFFERENT:
            assert worst > 1e-9, f"{key} agrees by now; take it out of DIFFERENT"
        else:
            assert worst <= 1e-9, f"{key}: {text!r} is off by {worst}"


@pytest.mark.parametrize("name", FILES)
def test_every_word_at_every_frame(name: str) -> None:
    values = migrate(read(name)).values
    for key, golden in GOLDEN[name]["words"].items():
        text = values.get(key, default_of(key))
        words = parse_schedule(text, field=key, strings=True, dialect="deforum").texts(context(name))
        expected = [word for (word,) in per_frame(golden, GOLDEN[name]["frames"])]
        assert (words == expected) is ((name, key) not in DIFFERENT), key


NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")


def words_and_numbers(text: str) -> tuple[list[str], list[float]]:
    """A prompt's text without its numbers and its spacing, and the numbers."""
    words = re.split(r"[\s,]+", NUMBER.sub("#", text))
    return [word for word in words if word], [float(number) for number in NUMBER.findall(text)]


@pytest.mark.parametrize("name", FILES)
def test_every_prompt_at_every_frame(name: str) -> None:
    file = migrate(read(name)).values
    positive = file.get("animation_prompts_positive", "")
    negative = file.get("animation_prompts_negative", "").replace("--neg", "")
    texts = {"prompts": file.get("prompts") or {"0": ""}, "positive": positive, "negative": negative}
    prompts = parse_prompts(texts, dialect="deforum").frames(context(name))
    expected = per_frame(GOLDEN[name]["prompts"], GOLDEN[name]["frames"])
    assert len(prompts) == len(expected)
    for frame, (prompt, pair) in enumerate(zip(prompts, expected, strict=True)):
        for ours, theirs in zip((prompt.positive, prompt.negative), pair, strict=True):
            our_words, our_numbers = words_and_numbers(ours)
            their_words, their_numbers = words_and_numbers(theirs)
            assert our_words == their_words, frame
            # Numbers in prompts are printed with four decimals at most.
            assert our_numbers == pytest.approx(their_numbers, abs=5e-5), frame


@pytest.mark.parametrize("name", FILES)
def test_every_step_between_two_prompts(name: str) -> None:
    """What Interpolation mode blends at each frame: from which prompt to which, and how far."""
    keys = migrate(read(name)).values.get("prompts") or {"0": ""}
    numbered = {key: f"P{number}" for number, key in enumerate(keys)}
    steps = parse_prompts(numbered, dialect="deforum").travel(context(name))
    for frame, (step, (before, after, weight)) in enumerate(zip(steps, GOLDEN[name]["travel"], strict=True)):
        assert (step.before.positive, step.after.positive) == (f"P{before}", f"P{after}"), frame
        assert step.weight == pytest.approx(weight, abs=1e-9), frame


@pytest.mark.parametrize("name", FILES)
def test_a_file_loads_or_is_refused_by_its_own_keys(name: str) -> None:
    data = read(name)
    assert is_deforum(data)
    if name in REFUSED:
        with pytest.raises(FlipbookError) as caught:
            from_deforum(data)
        assert {problem.field for problem in caught.value.problems} == REFUSED[name]
        return
    settings, _ = from_deforum(data)
    again, warnings = from_json(Keyframed, json.loads(json.dumps(to_json(settings))))
    assert again == settings
    assert warnings == ()


@pytest.mark.parametrize("name", FILES)
def test_settings_of_a_file_have_its_numbers(name: str) -> None:
    """Not only the texts: what reached a setting of ours still has Deforum's values."""
    if name in REFUSED:
        pytest.skip("the file is refused")
    settings, _ = from_deforum(read(name))
    for key in KEYS.values():
        if key.kind != SCHEDULE or not key.field or (name, key.name) in DIFFERENT:
            continue
        text = getattr(settings, key.field)
        if text in ("", getattr(Keyframed(), key.field)) or key.name in settings.extra.get("deforum", {}):
            continue
        if migrate(read(name)).values.get(key.name, default_of(key.name)).strip() != text:
            continue
        numbers = parse_schedule(text, dialect=settings.dialect).numbers(context(name))
        assert numbers == pytest.approx(np.array(GOLDEN[name]["numbers"][key.name]), abs=1e-9)


def test_scientific_notation_starts_an_interpolation() -> None:
    """Deforum holds 1e-3 until the next key, since its pattern of a number has no exponent."""
    schedule = parse_schedule("0:(1e-3), 30:(0.05)", dialect="deforum")
    assert schedule.numbers(Context(frames=60))[15] == pytest.approx((1e-3 + 0.05) / 2)
    assert GOLDEN["edge-numbers-and-formulas"]["numbers"]["noise_schedule"][29] == 1e-3


def test_parentheses_of_a_mask_survive() -> None:
    text = read("2023-02-one-controlnet-unit")["mask_schedule"].replace("init_mask", "video_mask")
    words = parse_schedule(text, strings=True, dialect="deforum").texts(Context(frames=2))
    assert words[0].replace(" ", "") == "!({everywhere}^({video_mask}|{video_mask}))"


def test_unit_schedules_are_among_the_numbers() -> None:
    scheduled = {f"cn_1_{row.name}" for row in UNIT_ROWS if row.kind == SCHEDULE}
    assert scheduled <= set(GOLDEN["2023-04-controlnet-numbers"]["numbers"])
