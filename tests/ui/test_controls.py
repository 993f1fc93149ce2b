"""Settings as controls and back."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("gradio", reason="needs the WebUI's packages: make test-webui-env")

from lib_anim.kinds.registry import SETTINGS
from lib_anim.settings.base import from_json, specs, to_json
from lib_anim.settings.fields import Number
from lib_anim.ui import controls
from lib_anim.ui.form import defaults_of, shown_of

EXAMPLES: dict[str, dict[str, Any]] = {
    "keyframed": {
        "prompts": {"0": "spring", "50%": 'a "winter" --neg people'},
        "fps": "30000/1001",
        "zoom": "0:(1), 30:(1.02) ease-in",
        "init_image": "/tmp/with space.png",
        "mask_invert": True,
        "bpm": 97.5,
        "styles": ["ink", "night, rain"],
    },
    "clip": {"prompts": "head\n0: a\n8: b", "formats": ["MP4", "TXT"], "seed": 7},
    "assemble": {"source": "x.mp4", "fps": None, "speed": 0.5, "reverse": True},
}


@pytest.mark.parametrize("kind", SETTINGS)
def test_what_a_control_shows_reads_back_as_the_same_setting(kind: str) -> None:
    cls = SETTINGS[kind]
    settings, _ = from_json(cls, EXAMPLES.get(kind, {}))
    values = to_json(settings)
    shown = shown_of(cls, values)
    read = {name: controls.read(spec, shown[name]) for name, spec in specs(cls).items()}
    again, warnings = from_json(cls, read)
    assert again.values() == settings.values()
    assert warnings == ()


def test_styles_are_chosen_among_those_that_the_engine_has_and_keep_a_missing_one() -> None:
    spec = specs(SETTINGS["keyframed"])["styles"]
    drawn = controls.draw(spec, ["gone"], "id", ["ink", "night, rain"])
    assert drawn.multiselect
    assert drawn.value == ["gone"]
    assert [choice[-1] if isinstance(choice, tuple) else choice for choice in drawn.choices] == [
        "ink",
        "night, rain",
        "gone",
    ]


def test_one_prompt_for_all_frames_is_shown_as_plain_text() -> None:
    assert defaults_of(SETTINGS["keyframed"])["prompts"] == ""
    spec = specs(SETTINGS["keyframed"])["prompts"]
    assert controls.shown(spec, {"0": "spring"}) == "spring"


@pytest.mark.parametrize(
    ("low", "high", "whole", "multiple", "step"),
    [
        (0, 1, False, 1, 0.01),
        (0, 100, False, 1, 0.1),
        (0, 256, True, 1, 1),
        (64, 2048, True, 8, 8),
        (64, 80_000, True, 8, None),
        (1, None, True, 1, None),
        (0, 100_000, False, 1, None),
    ],
)
def test_a_number_is_a_slider_where_its_steps_can_be_told_apart(
    low: float | None, high: float | None, whole: bool, multiple: int, step: float | None
) -> None:
    spec = Number(label="", help="", low=low, high=high, whole=whole, multiple=multiple)
    assert controls.step_of(spec) == step


def test_numbers_are_not_rounded_on_the_way() -> None:
    """A wrong number arrives as it was typed, and the settings say what is wrong with it."""
    assert controls.read(specs(SETTINGS["keyframed"])["frames"], 12.5) == 12.5
