"""ControlNet units in settings."""

from __future__ import annotations

import json

import pytest

from lib_anim.actions.settings_files import settings_from
from lib_anim.errors import FlipbookError
from lib_anim.kinds.restyle.control_units import MOST_UNITS, Unit
from lib_anim.kinds.restyle.settings import Restyle
from lib_anim.settings.base import from_json, to_json
from lib_anim.settings.infotext import from_infotext, to_infotext

UNITS = [{"model": "canny", "weight": "0:(1), 9:(0.5)", "image": "pose.mp4"}, {"enabled": False}]


def test_units_are_read_under_controlnets_names():
    (first, second) = Restyle(units=UNITS).units
    assert (first.model, first.weight, first.image) == ("canny", "0:(1), 9:(0.5)", "pose.mp4")
    assert not second.enabled


def test_its_api_gives_choices_by_number_and_other_names():
    (unit,) = Restyle(
        units=[{"input_image": "p.png", "lowvram": True, "resize_mode": 2, "control_mode": 1}]
    ).units
    assert (unit.image, unit.low_vram) == ("p.png", True)
    assert (unit.resize_mode, unit.control_mode) == ("Resize and Fill", "My prompt is more important")


def test_they_survive_json_and_infotext():
    settings = Restyle(units=UNITS)
    assert from_json(Restyle, json.loads(json.dumps(to_json(settings))))[0] == settings
    assert from_infotext(Restyle, to_infotext(settings))[0] == settings


@pytest.mark.parametrize(
    ("units", "words"),
    [
        ("canny", "a list of at most 10 objects"),
        ([{}] * (MOST_UNITS + 1), "a list of at most 10 objects"),
        ([3], "takes an object"),
        ([{}, {"wait": 1}], 'units 1 wait: a ControlNet unit has no such setting; the nearest is "weight"'),
        ([{"weight": "0:(foo)"}], "units 0 weight, key 0"),
        ([{"control_mode": 7}], "units 0 control_mode"),
    ],
)
def test_wrong_units_are_named_by_number(units, words):
    with pytest.raises(FlipbookError) as caught:
        Restyle(units=units)
    assert words in str(caught.value)


def test_paths_inside_units_and_sources_start_at_the_files_folder(tmp_path):
    for name in ("pose.mp4", "mask.png", "v.mp4"):
        (tmp_path / name).touch()
    data = {
        "kind": "restyle",
        "video": "v.mp4",
        "init": "previous output",
        "mask": "mask.png",
        "units": [{"image": "pose.mp4"}, {"image": "video"}],
    }
    settings = settings_from(data, {}, tmp_path).settings
    assert settings.video == str(tmp_path / "v.mp4")
    assert settings.init == "previous output"
    assert settings.mask == str(tmp_path / "mask.png")
    assert [unit.image for unit in settings.units] == [str(tmp_path / "pose.mp4"), "video"]


def test_words_of_sources_are_told_from_paths():
    assert Restyle(init="Previous Output").init == "previous output"
    assert Restyle(init="./video").init == "./video"
    assert Unit(image="INIT").image == "init"
