"""A part of some settings loads by itself."""

from __future__ import annotations

import pytest

from lib_anim.errors import FlipbookError
from lib_anim.kinds.clip.settings import Clip
from lib_anim.kinds.keyframed.settings import Keyframed
from lib_anim.settings.base import specs
from lib_anim.settings.parts import PARTS, partial

MINE = Keyframed(zoom="0:(1.5)", prompts={"0": "mine"}, fps=12, strength="0:(0.2)", seed=1)
THEIRS = Keyframed(
    zoom="0:(2)", angle="0:(5)", prompts={"0": "theirs"}, positive="oil", fps=30, strength="0:(0.9)", seed=2
)


@pytest.mark.parametrize("part", PARTS)
def test_a_part_and_nothing_else_is_taken(part: str) -> None:
    result = partial(MINE, THEIRS, [part])
    for name, spec in specs(Keyframed).items():
        source = THEIRS if spec.group in PARTS[part] else MINE
        assert getattr(result, name) == getattr(source, name), name


def test_parts_add_up_and_none_changes_nothing() -> None:
    assert partial(MINE, THEIRS, []) == MINE
    both = partial(MINE, THEIRS, ["motion", "prompts"])
    assert (both.zoom, both.prompts, both.seed) == (THEIRS.zoom, THEIRS.prompts, MINE.seed)


def test_every_group_of_a_part_exists() -> None:
    groups = {spec.group for cls in (Keyframed, Clip) for spec in specs(cls).values()}
    assert {group for groups_of in PARTS.values() for group in groups_of} <= groups


def test_a_clips_motion_is_what_the_module_does() -> None:
    theirs = Clip(
        module="v3.safetensors", context=8, motion_scale="0:(2)", prompts="theirs", formats=("MP4",)
    )
    mine = Clip(prompts="mine")
    assert partial(mine, theirs, ["motion"]) == Clip(
        module="v3.safetensors", context=8, motion_scale="0:(2)", prompts="mine"
    )


def test_a_deforum_films_motion_keeps_its_reading() -> None:
    theirs = Keyframed(zoom="-5:(3), 0:(1)", dialect="deforum")
    assert partial(MINE, theirs, ["motion"]).dialect == "deforum"
    assert partial(MINE, theirs, []).dialect == "native"
    assert partial(theirs, MINE, ["prompts"]).dialect == "deforum"


def test_a_part_that_does_not_exist_is_refused() -> None:
    with pytest.raises(FlipbookError, match='there is no part "sound"; there are motion, prompts, output'):
        partial(MINE, THEIRS, ["sound"])
