from __future__ import annotations

import json

import pytest

from lib_anim.kinds.registry import SETTINGS
from lib_anim.settings.base import specs, to_json
from lib_anim.settings.fields import PathText
from lib_anim.settings.portable import without_folders

PATHS = [
    "/home/anna/clips/a.png",
    "C:\\Users\\anna\\a.png",
    "C:/Users/anna/a.png",
    "\\\\nas\\anna\\a.png",
    "~/anna/a.png",
    "anna/a.png",
]


@pytest.mark.parametrize("kind", SETTINGS)
@pytest.mark.parametrize("path", PATHS)
def test_every_setting_that_names_a_file_keeps_its_name_alone(kind, path):
    cls = SETTINGS[kind]
    data = to_json(cls())
    named = [name for name, spec in specs(cls).items() if isinstance(spec, PathText)]
    assert named
    carried = without_folders(cls, {**data, **dict.fromkeys(named, path)})
    assert {carried[name] for name in named} == {"a.png"}
    assert {name: carried[name] for name in data if name not in named} == {
        name: data[name] for name in data if name not in named
    }


def test_files_of_units_masks_and_unknown_keys_too():
    restyle = without_folders(SETTINGS["restyle"], {"units": [{"image": PATHS[0], "mask": PATHS[1]}]})
    assert "anna" not in json.dumps(restyle)
    keyframed = without_folders(
        SETTINGS["keyframed"],
        {"mask_expression": f"[{PATHS[0]}] & ![{PATHS[1]}]", "x": PATHS[2], "y": {"z": [PATHS[3]]}},
    )
    assert keyframed == {"mask_expression": "[a.png] & ![a.png]", "x": "a.png", "y": {"z": ["a.png"]}}


def test_texts_stay_texts():
    given = {"positive": "/imagine a/b", "prompts": {"0": "C:\\ is a drive"}, "zoom": "0:(1/2)", "x": "1/2"}
    assert without_folders(SETTINGS["keyframed"], given) == given
