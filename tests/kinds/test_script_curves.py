"""Schedules inside the arguments of a host's scripts."""

from __future__ import annotations

from fractions import Fraction

from lib_anim.engines.contract.capabilities import Capabilities
from lib_anim.kinds.curves import unknown_scripts
from lib_anim.kinds.script_curves import ScriptCurves, refuse_curves
from lib_anim.settings.fields import NATIVE
from lib_anim.timeline.context import Context


def read(arguments):
    return ScriptCurves(arguments, Context(frames=5, fps=Fraction(12), seed=1, width=64, height=64), NATIVE)


def test_numbers_and_words_change_wherever_they_stand_and_all_else_stays():
    face = {"ad_model": "face.pt", "ad_denoising_strength": {"schedule": "0:(0.25), 4:(0.75)"}}
    face["ad_prompt"] = {"words": '0: "calm", 3: "angry"'}
    units = [{"weights": [1, {"schedule": "0:(t)"}]}, None]
    curves = read({"ADetailer": [True, face], "ControlNet": units})
    assert not curves.problems
    frame = curves.at(3)
    assert frame["ADetailer"] == [
        True,
        {"ad_model": "face.pt", "ad_denoising_strength": 0.625, "ad_prompt": "angry"},
    ]
    assert frame["ControlNet"] == [{"weights": [1, 3]}, None]
    assert curves.at(0)["ADetailer"][1]["ad_prompt"] == "calm"
    assert curves.values(3) == {
        "ADetailer 1 ad_denoising_strength": 0.625,
        "ADetailer 1 ad_prompt": "angry",
        "ControlNet 0 weights 1": 3,
    }


def test_whole_numbers_are_handed_on_as_such():
    steps = read({"ADetailer": [{"schedule": "0:(2), 4:(6)"}, {"schedule": "0:(2), 4:(5)"}]}).at(2)[
        "ADetailer"
    ]
    assert steps == [4, 3.5]
    assert [type(step) for step in steps] == [int, float]


def test_an_object_with_more_in_it_is_the_scripts_own():
    own = {"schedule": "Karras", "steps": 3}
    assert read({"Refiner": [own]}).at(0) == {"Refiner": [own]}


def test_every_wrong_schedule_is_named_by_script_and_way():
    curves = read({"ADetailer": [True, {"a": {"schedule": "0:(foo)"}, "b": {"schedule": "0:(1"}}]})
    assert [problem.field for problem in curves.problems] == [
        "scripts ADetailer 1 a",
        "scripts ADetailer 1 b",
    ]
    assert '"foo"' in curves.problems[0].message


def test_where_all_frames_are_made_together_a_schedule_is_a_sentence():
    scripts = {
        "ADetailer": [True, {"a": {"schedule": "0:(1)"}, "b": 1}],
        "Refiner": [{"words": "0: x"}, {"x": 1}],
    }
    assert [p.field for p in refuse_curves(read(scripts))] == ["scripts ADetailer 1 a", "scripts Refiner 0"]


def test_a_unit_whose_model_is_a_schedule_is_not_taken_for_a_missing_model():
    can = Capabilities(
        samplers=(), schedulers=(), control=True, control_models=("canny",), scripts=("ControlNet",)
    )
    unit = {"enabled": True, "model": {"words": '0: "canny"'}}
    assert list(unknown_scripts({"ControlNet": [unit]}, can)) == []
    assert len(list(unknown_scripts({"ControlNet": [{**unit, "model": "gone"}]}, can))) == 1
