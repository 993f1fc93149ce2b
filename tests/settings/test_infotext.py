"""Settings survive their text forms, whatever is in them."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, reject
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from lib_anim.errors import FlipbookError
from lib_anim.kinds.assemble.settings import Assemble
from lib_anim.kinds.clip.settings import Clip
from lib_anim.kinds.keyframed.settings import Keyframed
from lib_anim.settings.base import Settings, from_json, json_schema, specs, to_json
from lib_anim.settings.fields import (
    Choice,
    Choices,
    Flag,
    MaskWords,
    Number,
    PathText,
    Prompts,
    Rate,
    Schedule,
    Spec,
    Text,
    Words,
    problems_of,
)
from lib_anim.settings.infotext import from_infotext, to_infotext
from lib_anim.settings.names import Names
from lib_anim.settings.scripts import ScriptArguments

SMALL = st.floats(-1000, 1000, allow_nan=False)
FRAMES = st.integers(0, 500)
FORMULAS = st.sampled_from(["t", "sin(t/7)", "where(t < 5, 1, 2)", "max(t, 3)", "-2 ** 2", "s % 10"])
EASINGS = st.sampled_from(["", " step", " ease-in", " monotone"])
WORD = st.text(
    st.characters(blacklist_characters="\"'()", blacklist_categories=("Cc", "Cs")), min_size=1, max_size=9
)


def items(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    item = st.builds("{}:({}){}".format, FRAMES, values, EASINGS)
    return st.lists(item, min_size=1, max_size=4).map(", ".join)


def numbers(spec: Number) -> st.SearchStrategy[Any]:
    low = -1e6 if spec.low is None else spec.low
    high = 1e6 if spec.high is None else spec.high
    if not spec.whole:
        return st.floats(low, high, allow_nan=False)
    step = spec.multiple
    return st.integers(-int(-low // step), int(high // step)).map(lambda count: count * step)


def values(spec: Spec) -> st.SearchStrategy[Any]:
    """Whatever a setting takes."""
    if isinstance(spec, Number):
        return numbers(spec)
    if isinstance(spec, Rate):
        rates = st.fractions(spec.low, spec.high, max_denominator=2000)
        none = [None, ""] if spec.optional else []
        return rates | st.sampled_from([29.97, "24000/1001", 12, *none])
    if isinstance(spec, Flag):
        return st.booleans()
    if isinstance(spec, Choice):
        return st.sampled_from(spec.options)
    if isinstance(spec, Choices):
        return st.lists(st.sampled_from(spec.options), min_size=1, max_size=4)
    if isinstance(spec, MaskWords):
        return st.sampled_from(
            ["{everywhere}", "!{init} & [a b.png]", '0:("{init}"), 9:("grow({video}, 3)")']
        )
    if isinstance(spec, Words):
        schedule = st.lists(st.builds('{}:("{}")'.format, FRAMES, WORD), min_size=1, max_size=3)
        return st.sampled_from(["Euler a", "DPM++ 2M"]) | schedule.map(", ".join)
    if isinstance(spec, Schedule):
        return items(SMALL.map(repr) | FORMULAS) | SMALL
    if isinstance(spec, Prompts):
        texts = st.text(max_size=20).map(lambda text: text.replace("`", ""))
        return st.dictionaries(FRAMES.map(str), texts, min_size=1, max_size=3)
    if isinstance(spec, PathText):
        return st.text(st.characters(blacklist_characters="\0", blacklist_categories=("Cs",)), max_size=30)
    if isinstance(spec, ScriptArguments):
        arguments = st.lists(st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=9), max_size=3)
        return st.dictionaries(st.text(max_size=9), arguments, max_size=2)
    if isinstance(spec, Names):
        return st.lists(st.text(max_size=12).map(str.strip).filter(bool), max_size=3)
    assert isinstance(spec, Text), f"no values for {type(spec).__name__}"
    return st.text(max_size=30)


FEW = hypothesis_settings(max_examples=25, deadline=None)
CHANGES = {
    cls: st.fixed_dictionaries({}, optional={name: values(spec) for name, spec in specs(cls).items()})
    for cls in (Keyframed, Clip, Assemble)
}


@st.composite
def films(draw: st.DrawFn) -> Settings:
    cls = draw(st.sampled_from(sorted(CHANGES, key=lambda cls: cls.kind)))
    changes = draw(CHANGES[cls])
    dialect = draw(st.sampled_from(["native", "deforum"]))
    for name, value in changes.items():
        assert problems_of(specs(cls)[name], name, value, dialect)[1] == ()
    try:
        return cls(**changes, dialect=dialect)
    except FlipbookError:
        # Each value is right, but not beside the others.
        reject()


@FEW
@given(films(), st.booleans())
def test_infotext_brings_every_setting_back(before: Settings, every: bool) -> None:
    text = to_infotext(before, every=every)
    assert len(text.splitlines()) == 1
    assert from_infotext(type(before), text) == (before, ())


@FEW
@given(films())
def test_infotext_is_found_after_the_hosts_own(before: Settings) -> None:
    host = 'a cat, "sleeping"\nNegative prompt: dog\nSteps: 20, Sampler: Euler a, Size: 64x64, '
    assert from_infotext(type(before), host + to_infotext(before)) == (before, ())
    lines = f"a cat\nSteps: 20, Seed: 3\n{to_infotext(before)}\nTime taken: 3 s"
    assert from_infotext(type(before), lines) == (before, ())


@FEW
@given(films())
def test_json_brings_every_setting_back(before: Settings) -> None:
    assert from_json(type(before), json.loads(json.dumps(to_json(before)))) == (before, ())


@FEW
@given(films())
def test_what_differs_from_the_defaults_is_enough(before: Settings) -> None:
    assert type(before)(**before.from_defaults(), dialect=before.dialect) == before


@FEW
@given(films())
def test_the_schema_takes_what_is_saved(before: Settings) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json_schema(type(before))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(json.dumps(to_json(before))), schema)


@pytest.mark.parametrize(
    "data",
    [
        {"frames": "many"},
        {"border": "mirror"},
        {"width": 515},
        {"grayscale": 1},
        {"kind": "clip"},
        {"fps": "x"},
    ],
)
def test_the_schema_refuses_what_settings_refuse(data: dict[str, Any]) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data, json_schema(Keyframed))


def test_the_form_is_the_webuis() -> None:
    text = to_infotext(
        Keyframed(frames=48, fps=Fraction(24), zoom="0:(1), 9:(2)", positive='say "hi"', sampler="Heun")
    )
    assert text == (
        'Flipbook: keyframed 1, Frames: 48, FPS: 24, Positive prefix: "say \\"hi\\"", '
        'Sampler: Heun, Zoom: "0:(1), 9:(2)"'
    )


def test_defaults_can_be_written_too() -> None:
    text = to_infotext(Keyframed(), every=True)
    assert all(f"{spec.label}: " in text for spec in specs(Keyframed).values())
    assert to_infotext(Keyframed()) == "Flipbook: keyframed 1"


def test_unknown_labels_are_said() -> None:
    settings, warnings = from_infotext(Keyframed, "Flipbook: keyframed 1, Frames: 9, Glitter: 5")
    assert settings.frames == 9
    assert warnings == ('infotext: "Glitter" is not a setting of keyframed; it is ignored',)


@pytest.mark.parametrize("text", ["", "Steps: 20, Seed: 3", "Flipbook", "a picture of a Flipbook: nice"])
def test_a_text_without_settings_is_refused(text: str) -> None:
    with pytest.raises(FlipbookError) as caught:
        from_infotext(Keyframed, text)
    assert caught.value.problems[0].field == "infotext"


def test_another_kind_or_version_is_refused() -> None:
    with pytest.raises(FlipbookError, match="the text is of clip 1"):
        from_infotext(Keyframed, "Flipbook: clip 1")
    with pytest.raises(FlipbookError, match="keyframed 7"):
        from_infotext(Keyframed, "Flipbook: keyframed 7, Frames: 5")


def test_wrong_values_are_told_all_at_once() -> None:
    with pytest.raises(FlipbookError) as caught:
        from_infotext(Keyframed, "Flipbook: keyframed 1, Frames: none, Cadence: 99")
    assert {problem.field for problem in caught.value.problems} == {"frames", "cadence"}
