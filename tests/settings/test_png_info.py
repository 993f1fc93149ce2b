"""The WebUI's own text about a picture."""

from __future__ import annotations

import pytest

from lib_anim.settings.png_info import find_checkpoint, parse_parameters

TEXT = """a castle, oil
second line
Negative prompt: fog
and rain
Steps: 28, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 6.5, Seed: 99, Size: 512x512, \
Model hash: abcd1234, Model: anime, Extra: "a, b: c", Version: v1.10.1"""


def test_all_of_it_is_read():
    told = parse_parameters(TEXT)
    assert told["Prompt"] == "a castle, oil\nsecond line"
    assert told["Negative prompt"] == "fog\nand rain"
    named = {name: told[name] for name in ("Steps", "Sampler", "Schedule type", "CFG scale", "Seed")}
    assert named == {
        "Steps": "28",
        "Sampler": "DPM++ 2M",
        "Schedule type": "Karras",
        "CFG scale": "6.5",
        "Seed": "99",
    }
    assert (told["Model hash"], told["Model"], told["Extra"]) == ("abcd1234", "anime", "a, b: c")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", {}),
        ("only a prompt", {"Prompt": "only a prompt"}),
        ("Steps: 4, Seed: 1", {"Steps": "4", "Seed": "1", "Prompt": ""}),
        ("Negative prompt: fog\nSteps: 4", {"Steps": "4", "Prompt": "", "Negative prompt": "fog"}),
    ],
)
def test_parts_may_be_missing(text, told):
    assert parse_parameters(text) == told


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (("anime.safetensors [abcd1234]", "other"), "anime.safetensors [abcd1234]"),
        (("renamed.ckpt [abcd1234]",), "renamed.ckpt [abcd1234]"),
        (("anime", "other"), "anime"),
        (("anime.ckpt",), "anime.ckpt"),
        (("other.safetensors [ffff]",), None),
    ],
)
def test_a_checkpoint_is_found_by_hash_then_by_name(names, found):
    assert find_checkpoint(names, "anime", "abcd1234") == found
