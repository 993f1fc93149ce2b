"""Every schedulable key, changed alone at one frame, changes what it should, there, and nothing else.

The keys come from the settings' definition: a new one fails here until it says what it changes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from skimage import data

from lib_anim.engines.contract.requests import StillRequest
from lib_anim.kinds.base import Studio
from lib_anim.kinds.events import FrameDone, Progress
from lib_anim.kinds.keyframed import loop as pipeline
from lib_anim.kinds.keyframed.inputs import Inputs
from lib_anim.kinds.keyframed.settings import Keyframed
from lib_anim.settings.base import specs
from lib_anim.settings.fields import Schedule
from tests.kinds.keyframed.conftest import Recorder, Video

AT = 3
"""The frame from which a key has its other value."""

RICH: dict[str, Any] = {
    "frames": 7,
    "init_image": "i.png",
    "mask_image": "m.png",
    "mask_blur": 0,
    "perspective_flip": True,
    "color_coherence": "RGB",
    "noise_type": "uniform",
    "seed": 5,
    "seed_behavior": "schedule",
}
"""A film in which everything is on, so that each key has something to change."""

MOTION = {"warp", "init", "picture"}
PIXELS = {"init", "picture"}

EFFECTS: dict[str, tuple[Any, Any, set[str]]] = {
    # key: its value before, its value from AT on, what changes
    "translation_x": (1, 5, MOTION),
    "translation_y": (1, -4, MOTION),
    "angle": (2, 9, MOTION),
    "zoom": (1.02, 1.2, MOTION),
    "center_x": (0.4, 0.1, MOTION),
    "center_y": (0.6, 0.9, MOTION),
    "flip_theta": (1, 9, MOTION),
    "flip_phi": (2, 9, MOTION),
    "flip_gamma": (1, -6, MOTION),
    "flip_fov": (53, 90, MOTION),
    "color_strength": (0.5, 1, PIXELS),
    "contrast": (1.1, 0.9, PIXELS),
    "sharpen_amount": (0.4, 2, PIXELS),
    "sharpen_kernel": (5, 11, PIXELS),
    "sharpen_sigma": (2, 0.5, PIXELS),
    "sharpen_threshold": (2, 40, PIXELS),
    "noise": (0.1, 0.5, PIXELS),
    "noise_mask_expression": ("{everywhere}", "!{init}", PIXELS),
    "mask_expression": ("{init}", "!{init}", {"mask", "picture"}),
    "strength": (0.6, 0.2, {"denoising"}),
    "steps": (20, 9, {"steps"}),
    "cfg_scale": (7, 2, {"cfg_scale"}),
    "clip_skip": (1, 2, {"clip_skip"}),
    "eta": (0.1, 0.5, {"eta"}),
    "noise_multiplier": (1, 1.2, {"noise_multiplier"}),
    "subseed": (1, 8, {"subseed"}),
    "subseed_strength": (0.1, 0.5, {"subseed_strength"}),
    # The noise that is added is drawn from the frame's seed.
    "seed_schedule": (5, 99, {"seed", *PIXELS}),
    "sampler": ("Euler a", "Euler", {"sampler"}),
    "scheduler": ("Automatic", "Karras", {"scheduler"}),
    "checkpoint": ("one", "two", {"checkpoint"}),
    "vae": ("soft", "hard", {"vae"}),
}

UNMOVED = {"warp", "init"}
"""What Interpolation and Video Input have not: their frames stand by themselves."""


def test_every_schedulable_key_is_here() -> None:
    scheduled = {name for name, spec in specs(Keyframed).items() if isinstance(spec, Schedule)}
    assert set(EFFECTS) == scheduled


def text_of(value: Any, other: Any) -> str:
    """A schedule of a value, or one that jumps to another at AT."""
    if isinstance(value, str):
        return f'0:("{value}"), {AT}:("{other}")'
    return f"0:({value}) step, {AT}:({other})"


@cache
def photograph() -> np.ndarray:
    return data.astronaut()[20:84, 120:184].copy()


def inputs() -> Inputs:
    mask = np.zeros((64, 64, 3), np.uint8)
    mask[:, 20:] = 255
    return Inputs(init=photograph(), mask_image=mask, video=Video(np.stack([photograph()] * 8)))


def told(plan: Any) -> dict[int, dict[str, Any]]:
    """Frame → what was asked for it (fields of the request), its warp, and its picture."""
    engine, seen = Recorder(), {frame: {} for frame in range(plan.frames)}
    painting = [0]

    def warp(picture: Any, matrix: Any, border: Any) -> Any:
        seen[painting[0]].setdefault("warp", matrix.tobytes())
        return real(picture, matrix, border)

    real = pipeline.warp
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "warp", warp)
        for event in pipeline.run(plan, Studio(engine=engine), inputs()):
            if isinstance(event, Progress):
                painting[0] = event.done
            elif isinstance(event, FrameDone):
                seen[event.index]["picture"] = event.picture.tobytes()
    for frame, request in zip(plan.painted, engine.requests, strict=True):
        seen[frame] |= {field.name: plain(request, field.name) for field in dataclasses.fields(StillRequest)}
    return seen


def plain(request: StillRequest, name: str) -> Any:
    value = getattr(request, name)
    return value.tobytes() if isinstance(value, np.ndarray) else value


Frames = dict[int, dict[str, Any]]
_PLAIN: dict[str, Frames] = {}


def compared(make: Callable[..., Any], key: str, **around: Any) -> tuple[dict[int, set[str]], Frames]:
    """(frame → the names of what the key's change changes there, frame → what was asked for with it)."""
    before, after, _ = EFFECTS[key]
    base = {name: text_of(value, value) for name, (value, _, _) in EFFECTS.items()} | RICH | around
    if str(around) not in _PLAIN:
        _PLAIN[str(around)] = told(make(**base))
    one, other = _PLAIN[str(around)], told(make(**{**base, key: text_of(before, after)}))
    changed = {
        frame: {name for name in one[frame] if one[frame][name] != other[frame][name]} for frame in one
    }
    return changed, other


@pytest.mark.parametrize("key", EFFECTS)
def test_a_key_changes_its_own_at_its_frame(quiet: Callable[..., Any], key: str) -> None:
    changed, asked = compared(quiet, key)
    _, after, effect = EFFECTS[key]
    assert [changed[frame] for frame in range(AT)] == [set()] * AT
    assert changed[AT] == effect
    for frame in range(AT + 1, 7):
        # What was painted otherwise is moved on and painted over.
        assert effect <= changed[frame] <= effect | PIXELS
    if len(effect) == 1:
        (field,) = effect
        value = asked[AT][field]
        assert value == (after if isinstance(after, str) else pytest.approx(abs(after - (key == "strength"))))


@pytest.mark.parametrize("key", EFFECTS)
def test_with_cadence_it_does_so_at_the_next_painted_frame(quiet: Callable[..., Any], key: str) -> None:
    changed, _ = compared(quiet, key, cadence=2)
    assert [changed[frame] for frame in range(AT)] == [set()] * AT
    # Frame 3 lies between 2 and 4: it shows what was painted at 4, moved back.
    assert changed[AT] == EFFECTS[key][2] & {"picture"}
    assert changed[AT + 1] == EFFECTS[key][2]


@pytest.mark.parametrize("mode", ["Interpolation", "Video Input"])
@pytest.mark.parametrize(
    "key", [key for key in EFFECTS if not EFFECTS[key][2] & UNMOVED or key == "seed_schedule"]
)
def test_the_other_modes_take_all_that_is_asked_of_the_engine(
    quiet: Callable[..., Any], mode: str, key: str
) -> None:
    changed, _ = compared(quiet, key, mode=mode, video="v.mp4")
    expected = EFFECTS[key][2] - (UNMOVED if mode == "Video Input" else {"init"})
    if mode == "Interpolation" and key in ("strength", "mask_expression"):
        expected = set()
    assert changed[AT] - {"picture"} == expected - {"picture"}
    assert [changed[frame] for frame in range(AT)] == [set()] * AT
