"""Factors by block, as people write them."""

from __future__ import annotations

import pytest

from lib_anim.errors import FlipbookError
from lib_anim.kinds.clip.motion_blocks import read_blocks
from lib_anim.kinds.clip.settings import Clip


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", {}),
        ("mid: 0", {"mid_block": 0.0}),
        ("down 0: 0.5, up 3.1: 1.2", {"down_blocks.0": 0.5, "up_blocks.3.motion_modules.1": 1.2}),
        ("up_blocks.3.motion_modules.1: 2,", {"up_blocks.3.motion_modules.1": 2.0}),
        ("down_blocks.2:1, mid_block:.5", {"down_blocks.2": 1.0, "mid_block": 0.5}),
    ],
)
def test_what_is_read(text: str, wanted: dict[str, float]) -> None:
    assert read_blocks(text, "motion_scale_blocks") == wanted


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("left 0: 1", '"left 0" is not a block; write down 0, mid'),
        ("mid", '"mid" has no factor from 0 to 10; write mid: 0.5'),
        ("up 1: -1", '"up 1: -1" has no factor'),
        ("up 1: nan", '"up 1: nan" has no factor'),
        ("up 1: 11", "from 0 to 10"),
    ],
)
def test_mistakes_are_named(text: str, words: str) -> None:
    with pytest.raises(FlipbookError) as caught:
        Clip(motion_effect_blocks=text)
    assert words in str(caught.value)
    assert {problem.field for problem in caught.value.problems} == {"motion_effect_blocks"}


def test_all_mistakes_come_at_once() -> None:
    with pytest.raises(FlipbookError) as caught:
        read_blocks("left: 1, up 1: x", "motion_scale_blocks")
    assert len(caught.value.problems) == 2
