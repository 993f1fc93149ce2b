"""Settings from a command line."""

from __future__ import annotations

import argparse

import pytest

from lib_anim.errors import FlipbookError
from lib_anim.kinds.keyframed.settings import Keyframed
from lib_anim.settings.base import specs
from lib_anim.settings.flags import add_flags, flag_changes, parse_changes


def test_json_is_read_and_all_else_is_text() -> None:
    changes = parse_changes(
        [
            "frames=48",
            "zoom=0:(1), 9:(1+t/10)",
            "perspective-flip=true",
            'prompts={"0": "a=b"}',
            "positive=",
            "fps=24000/1001",
        ]
    )
    assert changes == {
        "frames": 48,
        "zoom": "0:(1), 9:(1+t/10)",
        "perspective_flip": True,
        "prompts": {"0": "a=b"},
        "positive": "",
        "fps": "24000/1001",
    }
    assert Keyframed().changed(changes).frames == 48


def test_the_last_one_wins() -> None:
    assert parse_changes(["frames=4", "frames=5"]) == {"frames": 5}


def test_every_text_that_is_no_pair_is_told() -> None:
    with pytest.raises(FlipbookError) as caught:
        parse_changes(["frames", "cadence=2", "=5", ""])
    assert len(caught.value.problems) == 3
    assert "frames=48" in caught.value.problems[0].sentence


def test_every_setting_has_a_flag() -> None:
    parser = argparse.ArgumentParser()
    add_flags(parser, Keyframed)
    help_text = " ".join(parser.format_help().split())
    for name, spec in specs(Keyframed).items():
        assert f"--{name.replace('_', '-')} " in help_text
        assert spec.help in help_text
    options = parser.parse_args(
        ["--cfg-scale", "0:(7), 9:(3)", "--frames", "12", "--perspective-flip", "true"]
    )
    assert flag_changes(options, Keyframed) == {
        "frames": 12,
        "cfg_scale": "0:(7), 9:(3)",
        "perspective_flip": True,
    }
    assert flag_changes(parser.parse_args([]), Keyframed) == {}


def test_a_flag_may_stand_alone_and_some_be_left_out() -> None:
    parser = argparse.ArgumentParser()
    add_flags(parser, Keyframed, without=("frames",))
    options = parser.parse_args(["--grayscale", "--width", "640"])
    assert flag_changes(options, Keyframed) == {"grayscale": True, "width": 640}
    assert "--frames" not in parser.format_help()
