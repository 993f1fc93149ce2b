from __future__ import annotations

import json

import numpy as np
import pytest

from lib_anim.actions import presets as module
from lib_anim.actions.presets import SHIPPED, Presets
from lib_anim.actions.settings_files import settings_from, settings_of
from lib_anim.errors import Conflict, FlipbookError, NotFound
from lib_anim.media.pictures import write_picture
from lib_anim.settings.parts import PARTS

from .conftest import SETTINGS, ended


@pytest.fixture
def presets(tmp_path) -> Presets:
    return Presets(tmp_path / "presets")


def test_what_is_saved_comes_back_whole_or_in_parts(presets):
    given = {"zoom": "0:(1.01)", "prompts": {"0": "a tree"}, "fps": 24, "seed": 3}
    presets.put("mine", "keyframed", given, about="for trees")
    preset = presets.get("mine")
    assert preset.settings == given
    assert (preset.kind, preset.about, preset.shipped) == ("keyframed", "for trees", False)
    assert presets.get("mine", ["motion"]).settings == {"zoom": "0:(1.01)"}
    assert presets.get("mine", ["prompts"]).settings == {"prompts": {"0": "a tree"}}
    assert presets.get("mine", ["output"]).settings == {"fps": 24, "seed": 3}
    assert presets.get("mine", PARTS).settings == given
    with pytest.raises(FlipbookError, match="no part"):
        presets.get("mine", ["colour"])


def test_only_a_part_can_be_saved(presets):
    presets.put("turn", "keyframed", SETTINGS | {"angle": 1}, parts=["motion"])
    assert presets.get("turn").settings == {"zoom": "0:(1.02)", "angle": "0:(1)"}


def test_a_deforum_file_is_saved_with_all_that_it_says(presets):
    deforum = {"W": 256, "H": 256, "max_frames": 30, "zoom": "0: (1.02)", "prompts": {"0": "a tree"}}
    presets.put("old", "keyframed", deforum)
    found = presets.get("old")
    assert found.settings["dialect"] == "deforum"
    assert (found.settings["width"], found.settings["frames"]) == (256, 30)
    loaded = settings_from({**found.settings, "kind": found.kind}, {})
    assert loaded.settings.frames == 30
    # A part of it keeps the reading of its schedules.
    assert presets.get("old", ["motion"]).settings["dialect"] == "deforum"


def test_wrong_settings_are_not_saved(presets):
    with pytest.raises(FlipbookError) as refused:
        presets.put("bad", "keyframed", {"zoom": "0:(", "frames": -3})
    assert {problem.field for problem in refused.value.problems} == {"zoom", "frames"}
    with pytest.raises(NotFound):
        presets.get("bad")


NAMES = [
    "a",
    "Ünïcode 映画",
    "../../etc/passwd",
    "CON",
    "a/b\\c:d",
    "x" * 80,
    "a.",
    "A",
    "%2e%2e",
    "<b>bold</b>",
]


def test_names_are_texts_and_never_paths(presets, tmp_path):
    for number, name in enumerate(NAMES):
        presets.put(name, "keyframed", {"seed": number})
    assert {p.name for p in presets.all() if not p.shipped} == set(NAMES)
    for number, name in enumerate(NAMES):
        assert presets.get(name).settings == {"seed": number}
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.parent for path in files} == {tmp_path / "presets"}
    # Different also where upper and lower case are one.
    assert len({path.name.lower() for path in files}) == len(NAMES)
    for name in NAMES:
        presets.delete(name)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("name", ["", "   ", "x" * 81, "a\nb", "a\0b", "\u202eevil"])
def test_names_that_cannot_be_are_refused(presets, name):
    with pytest.raises(FlipbookError, match="characters"):
        presets.put(name, "keyframed", {})


def test_renaming_keeps_and_takes_nothing_away(presets):
    presets.put("one", "keyframed", {"seed": 1})
    presets.put("two", "keyframed", {"seed": 2})
    with pytest.raises(Conflict):
        presets.rename("one", "two")
    presets.rename("one", "three")
    assert presets.get("three").settings == {"seed": 1}
    with pytest.raises(NotFound):
        presets.get("one")


def test_shipped_ones_are_read_only_and_can_be_covered(presets):
    with pytest.raises(Conflict, match="comes with Flipbook"):
        presets.delete("Seasons")
    with pytest.raises(Conflict):
        presets.rename("Seasons", "mine")
    presets.put("Seasons", "keyframed", {"seed": 4})
    assert presets.get("Seasons").settings == {"seed": 4}
    presets.delete("Seasons")
    assert presets.get("Seasons").shipped


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.json")), ids=lambda path: path.stem)
def test_every_shipped_preset_is_settings_of_its_kind(path):
    data = json.loads(path.read_text("utf-8"))
    assert set(data) == {"name", "kind", "about", "settings"}
    loaded = settings_from({**data["settings"], "kind": data["kind"]}, {})
    assert loaded.warnings == ()
    assert type(loaded.settings) is settings_of(data["kind"])
    assert loaded.settings.from_defaults(), "it changes nothing"


@pytest.mark.parametrize("name", ["Flight, calm", "Flight, dreams", "Seasons"])
def test_shipped_films_can_be_made(services, name):
    preset = services.presets.get(name)
    small = {**preset.settings, "frames": 6, "width": 64, "height": 64}
    assert ended(services, services.jobs.submit(preset.kind, small)).status == "done"


@pytest.mark.parametrize("name", ["Restyle a film, near", "Restyle a film, dream"])
def test_shipped_restyles_can_be_made(services, name, tmp_path):
    (tmp_path / "in").mkdir()
    write_picture(tmp_path / "in" / "1.png", np.full((64, 64, 3), 90, np.uint8))
    write_picture(tmp_path / "in" / "2.png", np.full((64, 64, 3), 120, np.uint8))
    preset = services.presets.get(name)
    done = ended(
        services, services.jobs.submit(preset.kind, {**preset.settings, "video": str(tmp_path / "in")})
    )
    assert done.status == "done", done.error


def test_an_exported_preset_names_no_folder_and_can_be_imported(presets, tmp_path):
    (tmp_path / "private").mkdir()
    presets.put("mine", "keyframed", {"init_image": str(tmp_path / "private" / "a.png"), "seed": 3})
    text = presets.export("mine")
    assert "private" not in text
    entry = json.loads(text)
    assert entry["settings"] == {"init_image": "a.png", "seed": 3}
    again = presets.put("again", entry["kind"], {"seed": entry["settings"]["seed"]}, about=entry["about"])
    assert again.settings == {"seed": 3}


def test_a_damaged_file_hides_nothing_else(presets, tmp_path):
    presets.put("good", "keyframed", {"seed": 1})
    for name, text in (
        ("a.json", "{"),
        ("b.json", '{"name": 3}'),
        ("c.json", '{"name":"x","kind":"y","settings":{}}'),
    ):
        (tmp_path / "presets" / name).write_text(text)
    assert [p.name for p in presets.all() if not p.shipped] == ["good"]


def test_presets_are_bounded_in_number(presets, monkeypatch):
    monkeypatch.setattr(module, "MOST", 2)
    presets.put("a", "keyframed", {})
    presets.put("b", "keyframed", {})
    with pytest.raises(Conflict):
        presets.put("c", "keyframed", {})
    presets.put("a", "keyframed", {"seed": 9})
