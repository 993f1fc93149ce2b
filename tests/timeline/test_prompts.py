"""Prompts over time: the shapes, holding and travelling, expressions in texts, canonical text."""

from __future__ import annotations

from typing import Any

import pytest

from lib_anim.errors import FlipbookError
from lib_anim.timeline.context import Context
from lib_anim.timeline.prompts import FramePrompt, parse_prompts

FILM = Context(frames=12)


def _positives(source: Any, film: Context = FILM, dialect: Any = "native") -> list[str]:
    return [prompt.positive for prompt in parse_prompts(source, dialect=dialect).frames(film)]


def test_json_keys_hold_until_the_next() -> None:
    track = parse_prompts('{"0": "spring --neg snow", "6": "winter", "max_f": "end --neg a --neg b"}')
    frames = track.frames(FILM)
    assert frames[0] == frames[5] == FramePrompt("spring", "snow")
    assert frames[6] == frames[10] == FramePrompt("winter", "")
    assert frames[11] == FramePrompt("end", "a  b")


@pytest.mark.parametrize(
    ("key", "frame"),
    [("6", 6), ("max_f/2", 5), ("50%", 5), ("0.2s", 3), ("2b", 7), ("(max_f)", 11), ("2*3", 6)],
)
def test_keys_are_those_of_schedules(key: str, frame: int) -> None:
    positives = _positives({"0": "a", key: "b"}, Context(frames=12, bpm=240))
    assert positives == ["a"] * frame + ["b"] * (12 - frame)


def test_text_before_the_first_key_holds_back() -> None:
    assert _positives('{"5": "late"}') == ["late"] * 12
    assert _positives('{"50": "beyond"}') == ["beyond"] * 12


def test_lines_join_head_and_tail() -> None:
    source = "best, photo --neg ugly\n0: spring\n6:summer --neg ice\n\nby night, 4k --neg text"
    frames = parse_prompts(source).frames(FILM)
    assert frames[0] == FramePrompt("best, photo, spring, by night, 4k", "ugly, text")
    assert frames[6] == FramePrompt("best, photo, summer, by night, 4k", "ugly, ice, text")


def test_line_ranges_hold_to_their_last_frame() -> None:
    track = parse_prompts("0-3: a\n8: b")
    assert [key.frame for key in track.keyframes(FILM)] == [0, 3, 8]
    weights = [travel.weight for travel in track.travel(FILM)]
    assert weights == [0, 0, 0, 0, 0.2, 0.4, 0.6, 0.8, 0, 0, 0, 0]


def test_bare_pairs_and_ranges() -> None:
    track = parse_prompts('"0:4": "a",\n"8": "b",')
    assert [key.frame for key in track.keyframes(FILM)] == [0, 3, 8]
    assert _positives('"0:4": "a",\n"8": "b",') == ["a"] * 8 + ["b"] * 4


def test_text_without_keys_holds_for_the_whole_film() -> None:
    for text in ("a cat", "{red|blue} cat, [a:b:0.5] BREAK\n(x:1.2) AND y <lora:z:0.8>", "", "1girl, 8k"):
        assert _positives(text) == [text] * 12


def test_webui_syntax_passes_through() -> None:
    text = "(x:1.2), [a:b:0.5], [a|b] AND c BREAK <lora:n-m_v2:0.7> \\(real\\)"
    assert _positives({"0": text}) == [text] * 12


def test_travel_gives_neighbours_and_weight() -> None:
    travel = parse_prompts('{"2": "a", "6": "b"}').travel(FILM)
    assert [step.weight for step in travel] == [0, 0, 0, 0.25, 0.5, 0.75, 0, 0, 0, 0, 0, 0]
    assert (travel[3].before.positive, travel[3].after.positive) == ("a", "b")
    assert travel[7].before == travel[7].after == FramePrompt("b", "")


def test_closed_travel_returns_to_the_first_key() -> None:
    travel = parse_prompts('{"0": "a", "6": "b"}').travel(FILM, closed=True)
    assert [step.weight for step in travel[6:9]] == [0, pytest.approx(1 / 6), pytest.approx(2 / 6)]
    assert (travel[9].before.positive, travel[9].after.positive) == ("b", "a")
    early = parse_prompts('{"3": "a", "9": "b"}').travel(FILM, closed=True)[1]
    assert (early.before.positive, early.after.positive, early.weight) == ("b", "a", pytest.approx(4 / 6))


def test_keys_beyond_the_film_attract_in_deforum_only() -> None:
    source = '{"0": "a", "24": "b"}'
    assert {step.weight for step in parse_prompts(source).travel(FILM)} == {0.0}
    weights = [step.weight for step in parse_prompts(source, dialect="deforum").travel(FILM)]
    assert weights == [pytest.approx(frame / 24) for frame in range(12)]


def test_prefix_and_suffix_reach_every_frame() -> None:
    source = {"prompts": {"0": "a --neg b", "6": "c"}, "positive": "best", "negative": "`t` worst"}
    frames = parse_prompts(source).frames(FILM)
    assert frames[0] == FramePrompt("best a", "b 0 worst")
    assert frames[7] == FramePrompt("best c", "7 worst")


def test_expressions_print_at_most_four_decimals() -> None:
    positives = _positives({"0": "(cat:`t/3`) `sqrt(t*t)` `-t*0.00001` `1/3*max_f`"})
    assert positives[0] == "(cat:0) 0 0 3.6667"
    assert positives[1] == "(cat:0.3333) 1 0 3.6667"
    assert positives[10] == "(cat:3.3333) 10 -0.0001 3.6667"


def test_both_neighbours_are_printed_at_the_frame_itself() -> None:
    travel = parse_prompts({"0": "a `t`", "6": "b `t`"}).travel(FILM)
    assert (travel[4].before.positive, travel[4].after.positive) == ("a 4", "b 4")


def test_a_lone_backtick_is_text() -> None:
    assert _positives({"0": "rock `n roll"})[0] == "rock `n roll"


@pytest.mark.parametrize(
    "source",
    [
        '{"0": "a `t + 1` --neg b", "max_f/2": "c", "50%": "ü `t`", "1.50s": "d `"}',
        "head\n0: a\n4-6: b --neg c\ntail",
        '"0": "a", "4:8": "b\n\nc"',
        "plain --neg text",
        {"prompts": {"0": "a"}, "positive": "p --neg q", "negative": "n"},
        '{"0": "--neg only"}',
        '{"0": "say \\"hi\\""}',
    ],
)
def test_canonical_text_reads_back_equal(source: Any) -> None:
    track = parse_prompts(source)
    assert parse_prompts(str(track)) == track
    assert parse_prompts(str(track)).travel(Context(frames=20)) == track.travel(Context(frames=20))


def test_later_of_two_texts_on_one_frame_wins() -> None:
    assert _positives('{"0": "a", "0%": "b", "0": "c"}')[0] == "c"
    assert _positives('{"0": "a", "0": "c", "0%": "b"}')[0] == "b"


def test_deforum_ignores_negative_keys_with_a_warning() -> None:
    source = {"0": "a", "max_f-20": "b"}
    track = parse_prompts(source, dialect="deforum")
    assert track.frames(FILM)[0].positive == "a"
    assert track.warnings(FILM) == ("prompts: the key max_f-20 lies before frame 0 and counts for nothing",)
    with pytest.raises(FlipbookError) as caught:
        parse_prompts(source).frames(FILM)
    assert caught.value.problems[0].sentence == (
        "prompts, key max_f-20: this key is frame -9; the first frame is 0"
    )


def test_frames_without_a_number_are_bridged_in_deforum_only() -> None:
    source = {"0": "x `1/(t-3)`"}
    with pytest.raises(FlipbookError, match="at frame 3"):
        parse_prompts(source).frames(FILM)
    track = parse_prompts(source, dialect="deforum")
    assert track.frames(FILM)[3].positive == "x 0"
    assert len(track.warnings(FILM)) == 1


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("{}", 'there is no prompt; write {"0": "…"}'),
        ('{"0": 5}', 'key 0: the prompt is a text, not "5"'),
        ('{"foo": "a"}', 'key foo, column 1: "foo" is not a name here; the nearest is "f"'),
        (
            '{"t": "a"}',
            'key t, column 1: "t" changes from frame to frame and cannot be in a key; use max_f or',
        ),
        ('{"3x": "a"}', 'key 3x, column 2: an operator is missing before "x"'),
        ('{"0": "a" "1": "b"}', "column 11: this is not JSON from line 1 on"),
        ('{"0": "`foo(t)`"}', 'key 0, column 1: "foo" is not a function here; the nearest is "floor"'),
        ('{"0": "`t+`"}', "key 0, column 3: a value is missing at the end"),
        ('{"0": "``"}', "key 0: there is nothing between these backticks"),
        ("0: a\nb\n5: c", "column 1: line 2 is between keys and has none"),
        ({"prompts": {"0": "a"}, "positve": "b"}, '"positve" is not allowed next to "prompts"'),
        ({"5:5": "a"}, "key 5:5: the range ends at frame 5, which is not after 5"),
        ({"": "a"}, "a key is empty; write a frame"),
        ({"0": "a", "1b": "b"}, "key 1b: a key in beats needs a tempo; set bpm"),
    ],
)
def test_mistakes_name_key_and_column(source: Any, sentence: str) -> None:
    with pytest.raises(FlipbookError) as caught:
        parse_prompts(source).frames(FILM)
    assert sentence in caught.value.problems[0].sentence
    assert caught.value.problems[0].field == "prompts"


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(FlipbookError) as caught:
        parse_prompts({"3x": "a", "5": "`t+`", "9": 'fine "'})
    assert [problem.key for problem in caught.value.problems] == ["3x", "5"]
    with pytest.raises(FlipbookError) as caught:
        parse_prompts({"0": "`foo`", "5": "`bar(t)`"}).check(())
    assert [problem.key for problem in caught.value.problems] == ["0", "5"]


def test_signals_work_inside_texts() -> None:
    film = Context(frames=4, signals={"kick": [0.0, 1.0, 0.5, 0.0]})  # type: ignore[dict-item]
    assert _positives({"0": "(x:`kick`) `kick(t-1)`"}, film)[2] == "(x:0.5) 1"
