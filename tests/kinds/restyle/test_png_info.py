"""img2img batch's PNG info: prompts are added, everything else replaces the film's own at its frame."""

from __future__ import annotations

import numpy as np
import pytest

from lib_anim.errors import FlipbookError
from lib_anim.kinds.base import Studio
from lib_anim.kinds.restyle.loop import run
from lib_anim.kinds.restyle.plan import plan
from lib_anim.kinds.restyle.settings import PNG_INFO, Restyle
from tests.kinds.restyle.conftest import EVERYTHING, Recorder, Video

NAMES = ("a.png", "b.png", "c.png")
TEXTS = (
    "a fox\nNegative prompt: dogs\nSteps: 9, Sampler: Euler, Schedule type: Karras, CFG scale: 3, Seed: 70, "
    "Model hash: ab12, Model: two",
    "",
    "a hen\nSteps: 7, Seed: 71",
)
VIDEO = Video(np.zeros((3, 64, 64, 3), np.uint8))


@pytest.fixture
def folder(looks):
    facts = {"timed": False, "frames": 3, "names": NAMES, "parameters": TEXTS}
    looks.known["v.mp4"] = facts
    return looks


def film(looks, **changes):
    settings = {"video": "v.mp4", "seed": 5, "prompts": "oil", "steps": 20, **changes}
    made = plan(Restyle(**settings), EVERYTHING, 0, looks)
    recorder = Recorder()
    list(run(made, Studio(engine=recorder), {"video": VIDEO}))
    return made, recorder.requests


def test_all_of_it_is_used(folder):
    _, requests = film(folder, png_info=PNG_INFO, positive="art,")
    first, second, third = requests
    assert (first.prompt, first.negative, first.seed, first.steps) == ("art, oil a fox", "dogs", 70, 9)
    assert (first.cfg_scale, first.sampler, first.scheduler, first.checkpoint) == (
        3,
        "Euler",
        "Karras",
        "two",
    )
    assert (second.prompt, second.seed, second.steps, second.sampler) == ("art, oil", 5, 20, "Euler a")
    assert second.checkpoint is None
    assert (third.prompt, third.seed, third.steps, third.cfg_scale) == ("art, oil a hen", 71, 7, 7)


@pytest.mark.parametrize(
    ("prop", "field", "values"),
    [
        ("Prompt", "prompt", ["oil a fox", "oil", "oil a hen"]),
        ("Negative prompt", "negative", ["dogs", "", ""]),
        ("Seed", "seed", [70, 5, 71]),
        ("Steps", "steps", [9, 20, 7]),
        ("CFG scale", "cfg_scale", [3, 7, 7]),
        ("Sampler", "sampler", ["Euler", "Euler a", "Euler a"]),
        ("Model hash", "checkpoint", ["two", None, None]),
    ],
)
def test_each_alone_changes_only_its_field(folder, prop, field, values):
    _, plain = film(folder)
    _, told = film(folder, png_info=[prop])
    assert [getattr(request, field) for request in told] == values
    for name in ("prompt", "negative", "seed", "steps", "cfg_scale", "sampler", "checkpoint"):
        if name != field:
            assert [getattr(r, name) for r in told] == [getattr(r, name) for r in plain]


def test_pictures_that_say_nothing_are_counted(folder):
    made, _ = film(folder, png_info=["Seed"])
    assert any("1 of 3 pictures say nothing" in sentence for sentence in made.warnings)


def test_another_folder_tells_by_name(folder, looks):
    looks.known["told"] = {
        "timed": False,
        "frames": 2,
        "names": NAMES[1:],
        "parameters": (TEXTS[2], TEXTS[0]),
    }
    _, requests = film(folder, png_info=["Seed"], png_info_dir="told")
    assert [request.seed for request in requests] == [5, 71, 70]


def test_range_and_step_take_their_own_pictures(folder):
    _, requests = film(folder, png_info=["Seed"], video_start=2)
    assert [request.seed for request in requests] == [71]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Steps: 4, Model hash: ffff, Model: gone", '"a.png" says checkpoint "gone" [ffff]'),
        ("Steps: many, Seed: 1", '"a.png" says Steps "many"'),
        ("Steps: 4, CFG scale: high", '"a.png" says CFG scale "high"'),
        ("Steps: 4, Sampler: PLMS", '"PLMS" is not a sampler of this engine'),
    ],
)
def test_what_cannot_be_is_a_sentence_before_the_first_frame(folder, looks, text, words):
    looks.known["v.mp4"]["parameters"] = (text, "", "")
    with pytest.raises(FlipbookError) as caught:
        film(folder, png_info=PNG_INFO)
    assert words in str(caught.value)


def test_a_film_says_nothing(looks):
    with pytest.raises(FlipbookError, match="only pictures of a folder"):
        film(looks, png_info=["Seed"])


def test_the_text_is_part_of_the_fingerprint(folder, looks):
    before = film(folder, png_info=["Seed"])[0].fingerprint("e")
    looks.known["v.mp4"]["parameters"] = ("Steps: 4, Seed: 6", "", "")
    assert film(folder, png_info=["Seed"])[0].fingerprint("e") != before
