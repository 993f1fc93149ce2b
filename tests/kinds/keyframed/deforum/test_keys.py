"""The table of keys is whole and of one piece."""

from __future__ import annotations

import pytest

from lib_anim.kinds.keyframed.deforum.keys import (
    FLAG,
    FORGE_ROWS,
    KEYS,
    NUMBER,
    ROWS,
    SCHEDULE,
    UNIT_ROWS,
    WHOLE,
    WORDS,
    default_of,
    key_of,
)
from lib_anim.kinds.keyframed.deforum.refusals import REFUSALS
from lib_anim.kinds.keyframed.settings import Keyframed
from lib_anim.settings.base import specs
from lib_anim.timeline.schedule import parse_schedule


def test_all_keys_of_the_extension_are_there() -> None:
    prompts = {"prompts", "animation_prompts_positive", "animation_prompts_negative"}
    names = [row.name for row in ROWS if row.name not in prompts]
    assert len(names) == len(set(names)) == 166
    assert len({row.name for row in UNIT_ROWS}) == 17


@pytest.mark.parametrize("row", [*ROWS, *UNIT_ROWS, *FORGE_ROWS], ids=lambda row: row.name)
def test_a_key_says_what_becomes_of_it(row) -> None:
    refused = {refusal.key for refusal in REFUSALS}
    name = row.name if row in (*ROWS, *FORGE_ROWS) else f"cn_{{i}}_{row.name}"
    assert row.field or row.kept or name in refused
    assert not row.field or row.field in specs(Keyframed)


@pytest.mark.parametrize("row", [*ROWS, *UNIT_ROWS, *FORGE_ROWS], ids=lambda row: row.name)
def test_a_default_is_of_its_keys_type(row) -> None:
    if row.kind in (SCHEDULE, WORDS):
        parse_schedule(row.default, field=row.name, strings=row.kind == WORDS, dialect="deforum")
    elif row.kind == FLAG:
        assert isinstance(row.default, bool)
    elif row.kind == WHOLE:
        assert type(row.default) is int
    elif row.kind == NUMBER:
        assert type(row.default) in (int, float)
    elif row.name != "prompts":
        assert isinstance(row.default, str)


def test_controlnet_units_have_no_upper_number() -> None:
    key = key_of("cn_12_weight")
    assert key is not None
    assert key.kind == SCHEDULE
    assert default_of("cn_3_resize_mode") == "Inner Fit (Scale to Fit)"
    assert key_of("cn_0_weight") is None
    assert key_of("cn_1_weights") is None
    with pytest.raises(KeyError):
        default_of("cn_1_weights")


def test_refusals_name_keys_that_exist() -> None:
    for refusal in REFUSALS:
        assert key_of(refusal.key.replace("{i}", "1")) is not None, refusal.key


def test_keys_of_former_versions_are_known() -> None:
    assert KEYS["save_settings"].kept
