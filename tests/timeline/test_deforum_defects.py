"""What sd-webui-deforum gets wrong in schedules, prompts and masks, and what happens here instead."""

from __future__ import annotations

import numpy as np
import pytest

from lib_anim.errors import FlipbookError
from lib_anim.timeline.context import Context
from lib_anim.timeline.masks import parse_mask
from lib_anim.timeline.prompts import parse_prompts
from lib_anim.timeline.schedule import parse_schedule

FILM = Context(frames=25, seed=1234)


def _values(text: str, film: Context = FILM) -> list[float]:
    return parse_schedule(text, dialect="deforum").numbers(film).tolist()


def test_first_key_after_frame_0_holds_back() -> None:
    """Deforum raises UnboundLocalError."""
    assert _values("8:(3), 16:(11)")[:9] == [3] * 9
    assert _values("8:(t), 16:(11)")[:9] == [8] * 9


def test_calls_keep_their_commas() -> None:
    """Deforum splits at every comma, so no function of two values works in a schedule."""
    assert _values("0:(where(t<2,1,-1)), 4:(arctan2(0,1))")[:5] == [1, 1, -1, -1, 0]


def test_strings_keep_commas_colons_and_parentheses() -> None:
    """Deforum cuts `C:/a, b (v1).ckpt` at the colon and strips the parentheses."""
    schedule = parse_schedule('0: ("C:/a, b (v1).ckpt"), 5: (x (v2).ckpt)', strings=True, dialect="deforum")
    assert schedule.texts(FILM)[::5] == ["C:/a, b (v1).ckpt"] + ["x (v2).ckpt"] * 4


def test_mask_schedules_keep_their_parentheses() -> None:
    """Deforum deletes them before its mask parser sees them."""
    schedule = parse_schedule('0: ("!({human_mask}^{video_mask})")', strings=True, dialect="deforum")
    assert parse_mask(schedule.texts(FILM)[0]) == parse_mask("!({human} ^ {video})")


def test_all_mask_names_of_its_help_work() -> None:
    """`{init_mask}` and `{human_mask}` raise KeyError in Deforum."""
    terms = parse_mask("{init_mask} & {human_mask} | {video_mask} & {everywhere}").terms()
    assert [term.value for term in terms] == ["init", "human", "video", "everywhere"]


def test_frames_without_a_number_are_named() -> None:
    """Deforum interpolates over NaN and says nothing."""
    schedule = parse_schedule("0:(cos(t)**0.9)", field="zoom", dialect="deforum")
    (warning,) = schedule.warnings(FILM)
    assert warning.startswith("zoom: 12 of 25 frames have no finite value (the first is frame 2)")
    assert np.isfinite(schedule.numbers(FILM)).all()
    with pytest.raises(FlipbookError, match="the value at frame 2 is not a number, and at 11 more"):
        parse_schedule("0:(cos(t)**0.9)", field="zoom").curve(FILM)


def test_infinity_does_not_reach_a_picture() -> None:
    """Deforum passes infinity on; here such frames count like NaN."""
    schedule = parse_schedule("0:(1/t)", dialect="deforum")
    assert schedule.numbers(FILM)[:3].tolist() == [1, 1, 0.5]
    assert "1 of 25 frames" in schedule.warnings(FILM)[0]


def test_exponents_are_numbers_that_interpolate() -> None:
    """Deforum holds `1e-3` as a formula until the next key."""
    assert _values("0:(1e1), 10:(0)")[:3] == [10, 9, 8]


def test_names_that_hold_a_t_stay_whole_in_prompts() -> None:
    """Deforum replaces each letter t by the frame number: `sqrt(16)` becomes `sqr016`."""
    track = parse_prompts({"0": "(x:`sqrt(16)+t`) `trunc(t/2)`"}, dialect="deforum")
    assert track.frames(FILM)[3].positive == "(x:7) 1"


def test_max_f_works_in_prompt_keys_of_every_mode() -> None:
    """Deforum raises KeyError for it in 2D, 3D and Video Input; in Interpolation it is one too large."""
    track = parse_prompts({"0": "a", "max_f/2": "b", "max_f": "c"}, dialect="deforum")
    assert [key.frame for key in track.keyframes(FILM)] == [0, 12, 24]


def test_several_negatives_join_on_key_frames_too() -> None:
    """Deforum's Interpolation mode raises there."""
    step = parse_prompts({"0": "a --neg b --neg c", "4": "d"}, dialect="deforum").travel(FILM)[0]
    assert step.before.negative.split() == ["b", "c"]


def test_long_decimals_are_cut() -> None:
    """Deforum prints sixteen digits into the prompt."""
    assert parse_prompts({"0": "`1/3`"}, dialect="deforum").frames(FILM)[0].positive == "0.3333"


def test_seed_is_the_base_seed_everywhere() -> None:
    """In Deforum's Interpolation mode and ControlNet schedules s is -1."""
    assert _values("0:(s)")[0] == 1234


def test_prompts_know_the_names_that_schedules_know() -> None:
    track = parse_prompts({"0": "`max_f` `s` `w/h`"}, dialect="deforum")
    assert track.frames(FILM)[0].positive == "24 1234 1"


def test_negative_keys_are_named() -> None:
    """Deforum never looks at them."""
    schedule = parse_schedule("-5:(9), 0:(1), 10:(2)", field="zoom", dialect="deforum")
    assert schedule.numbers(FILM)[0] == 1
    assert schedule.warnings(FILM) == ("zoom: the key -5 is frame -5 and counts for nothing",)


def test_what_deforum_never_looks_at_is_named() -> None:
    """A second colon, a value that is overwritten, a value beyond the film: read, and said so."""
    schedule = parse_schedule("0: 0: (t), 5:(2) 7:(3), 5:(4), 99:(2 3)", field="zoom", dialect="deforum")
    assert schedule.numbers(FILM)[[0, 5, 24]].tolist() == [0, 4, 4]
    assert schedule.warnings(FILM) == (
        'zoom: what follows the second ":" of key 0 counts for nothing',
        "zoom: the value of key 5 cannot be read, and is not needed",
        "zoom: the value of key 99 cannot be read, and is not needed",
    )
    with pytest.raises(FlipbookError) as caught:
        schedule.curve(Context(frames=100))
    assert caught.value.problems[0].sentence == ('zoom, key 99, column 38: an operator is missing before "3"')
    with pytest.raises(FlipbookError, match="key 0, column 5"):
        parse_schedule("0: 0: (t)", field="zoom")


def test_unknown_names_matter_only_where_a_frame_needs_them() -> None:
    """As in Deforum, which evaluates a value when its frame comes."""
    schedule = parse_schedule("0:(1), 99:(foo(t))", dialect="deforum")
    assert schedule.numbers(FILM)[24] == 1
    with pytest.raises(FlipbookError, match='"foo" is not a function here'):
        schedule.curve(Context(frames=100))
