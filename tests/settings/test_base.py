"""Settings check themselves, keep what they do not know, and are defined in one line each."""

from __future__ import annotations

import argparse
import dataclasses
import json
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import pytest

from lib_anim.errors import FlipbookError
from lib_anim.kinds.keyframed.settings import Keyframed
from lib_anim.settings.base import Settings, from_json, json_schema, specs, to_json
from lib_anim.settings.fields import Choice, Flag, Number, Schedule, setting
from lib_anim.settings.flags import add_flags, flag_changes, parse_changes
from lib_anim.settings.infotext import from_infotext, to_infotext
from lib_anim.settings.reference import reference


@dataclass(frozen=True, kw_only=True)
class Glowing(Keyframed):
    """Keyframed animation that glows."""

    kind: ClassVar[str] = "glowing"

    glow: float = setting(0.5, Number(label="Glow", help="It glows.", group="Light", high=2, unit="lm"))


def test_a_setting_added_in_one_line_is_found_everywhere() -> None:
    shining = Glowing(glow=1.25)
    assert to_json(shining)["glow"] == 1.25
    assert from_json(Glowing, {"glow": 1.25})[0] == shining

    schema = json_schema(Glowing)["properties"]["glow"]
    assert schema == {
        "title": "Glow",
        "description": "It glows.",
        "default": 0.5,
        "x-unit": "lm",
        "x-group": "Light",
        "type": "number",
        "maximum": 2,
    }

    assert "Glow: 1.25" in to_infotext(shining)
    assert from_infotext(Glowing, to_infotext(shining))[0] == shining

    assert Glowing().changed(parse_changes(["glow=1.25"])) == shining
    parser = argparse.ArgumentParser()
    add_flags(parser, Glowing)
    assert Glowing().changed(flag_changes(parser.parse_args(["--glow", "1.25"]), Glowing)) == shining
    assert "It glows." in parser.format_help()

    page = reference(Glowing)
    assert "## Light" in page
    assert "| `glow` | Glow | It glows. | a number, 2 or less | `0.5` | lm |" in page


def test_every_problem_of_a_file_comes_at_once() -> None:
    data = {
        "frames": -1,
        "fps": "fast",
        "zoom": "0:(1",
        "border": "mirror",
        "width": 515,
    }
    with pytest.raises(FlipbookError) as caught:
        from_json(Keyframed, data)
    assert {problem.field for problem in caught.value.problems} == set(data)
    for problem in caught.value.problems:
        if problem.field in ("frames", "width", "border"):
            assert str(data[problem.field]) in problem.message
            assert "it takes" in problem.message


def test_settings_are_checked_when_built_in_python() -> None:
    with pytest.raises(FlipbookError) as caught:
        Keyframed(frames=-3, cadence=99)
    assert [problem.field for problem in caught.value.problems] == ["frames", "cadence"]
    with pytest.raises(FlipbookError):
        dataclasses.replace(Keyframed(), cadence=99)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cadence", 51),
        ("width", 8200),
        ("init_strength", 1.0001),
        ("seed", 2**32),
        ("frames", 2.5),
        ("fps", 241),
    ],
)
def test_nothing_is_clamped(name: str, value: float) -> None:
    with pytest.raises(FlipbookError) as caught:
        Keyframed(**{name: value})
    (problem,) = caught.value.problems
    assert problem.field == name
    assert str(value) in problem.message


def test_unknown_keys_are_kept_and_named() -> None:
    settings, warnings = from_json(Keyframed, {"frames": 9, "zom": "0:(1)", "note": {"by": "me"}})
    assert settings.extra == {"zom": "0:(1)", "note": {"by": "me"}}
    assert 'the nearest is "zoom"' in warnings[0]
    assert len(warnings) == 2
    saved = json.loads(json.dumps(to_json(settings)))
    assert saved["note"] == {"by": "me"}
    assert from_json(Keyframed, saved)[0] == settings


def test_json_is_whole() -> None:
    data = to_json(Keyframed())
    assert data["kind"] == "keyframed"
    assert data["version"] == 1
    assert set(specs(Keyframed)) <= set(data)
    assert from_json(Keyframed, json.loads(json.dumps(data))) == (Keyframed(), ())


def test_what_is_not_the_default() -> None:
    assert Keyframed().from_defaults() == {}
    assert Keyframed(fps=Fraction(30000, 1001), cadence=3).from_defaults() == {
        "fps": "30000/1001",
        "cadence": 3,
    }


def test_settings_do_not_change() -> None:
    settings = Keyframed()
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.frames = 3  # type: ignore[misc]
    assert settings.changed({"frames": 3}).frames == 3
    assert settings.frames == 120


def test_a_name_that_does_not_exist_is_refused_with_the_nearest() -> None:
    with pytest.raises(FlipbookError) as caught:
        Keyframed().changed({"cadance": 2, "qqq": 1})
    first, second = caught.value.problems
    assert 'the nearest is "cadence"' in first.message
    assert "schema keyframed" in second.message


def test_a_newer_file_is_refused() -> None:
    with pytest.raises(FlipbookError, match="update Flipbook"):
        from_json(Keyframed, {"version": 2})


def test_a_dialect_that_does_not_exist_is_refused() -> None:
    with pytest.raises(FlipbookError, match='"klingon" is not allowed'):
        from_json(Keyframed, {"dialect": "klingon"})


def test_labels_and_groups_serve_every_view() -> None:
    known = specs(Keyframed)
    assert len({spec.label for spec in known.values()}) == len(known)
    for name, spec in known.items():
        assert spec.help.endswith("."), name
        assert all((spec.label, spec.group, spec.allowed())), name


def test_contradictions_are_asked_for_only_where_every_value_is_right() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Paired(Settings):
        low: int = setting(0, Number(label="Low", help=".", whole=True))
        high: int = setting(1, Number(label="High", help=".", whole=True))
        on: bool = setting(True, Flag(label="On", help="."))
        way: str = setting("up", Choice(label="Way", help=".", options=("up", "down")))
        curve: str = setting("0:(1)", Schedule(label="Curve", help="."))

        def contradictions(self):
            assert isinstance(self.high, int)
            from lib_anim.errors import Problem

            if self.low > self.high:
                yield Problem(f"{self.low} is above high, {self.high}; lower it", field="low")

    with pytest.raises(FlipbookError, match="is above high"):
        Paired(low=3)
    with pytest.raises(FlipbookError, match="is not allowed") as caught:
        Paired(low=3, high="many")
    assert len(caught.value.problems) == 1
