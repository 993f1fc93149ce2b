"""Nothing without effect: each setting that can change over time, changed alone, changes its field or pixels
at its frame and not before."""

from __future__ import annotations

import numpy as np
import pytest

from lib_anim.kinds.base import Studio
from lib_anim.kinds.events import FrameDone
from lib_anim.kinds.restyle.control_units import Unit
from lib_anim.kinds.restyle.loop import run
from lib_anim.kinds.restyle.settings import Restyle
from lib_anim.settings.base import specs
from lib_anim.settings.fields import Schedule, Words
from tests.kinds.restyle.conftest import Recorder, Video, frames_of

TURN = 3
"""The frame at which each schedule changes."""

SOURCES = {name: frames_of(seed) for seed, name in enumerate(("video", "mask", "init", "unit 0"))}

NEEDED = {
    "seed_schedule": {"seed_behavior": "schedule"},
    "previous_weight": {"init": "previous output"},
    "mask_blur": {"mask": "m.mp4"},
    "mask_padding": {"mask": "m.mp4"},
    "color_strength": {"color_coherence": "RGB", "color_reference": "video"},
}
"""What must be switched on for a setting to mean something."""

FIELDS = {
    "denoising": "denoising",
    "seed_schedule": "seed",
    "mask_padding": "only_masked_padding",
    **{name: name for name in ("steps", "cfg_scale", "clip_skip", "eta", "noise_multiplier", "mask_blur")},
    **{name: name for name in ("subseed", "subseed_strength", "checkpoint", "vae", "sampler", "scheduler")},
}
"""Setting → the request's field that follows it."""

PIXELS = ("previous_weight", "color_strength")
"""Settings that act on pictures around the engine."""

WORDS = {
    "sampler": ("Euler a", "Euler"),
    "scheduler": ("Automatic", "Karras"),
    "checkpoint": ("one", "two"),
    "vae": ("soft", "hard"),
    "model": ("canny", "depth"),
    "module": ("none", "hed"),
}


def pair(name: str, spec: Schedule) -> tuple[object, object]:
    """Two values that a setting may take."""
    if isinstance(spec, Words):
        return WORDS[name]
    if spec.whole:
        return (2, 3)
    assert spec.low is not None
    return (0.25, 0.5) if spec.high is not None and spec.high <= 2 else (2.0, 3.0)


def turning(before: object, after: object) -> str:
    if isinstance(before, str):
        return f'0:("{before}"), {TURN}:("{after}")'
    return f"0:({before}) step, {TURN}:({after})"


def film(plan, recorder=None) -> tuple[Recorder, list[np.ndarray]]:
    recorder = recorder or Recorder()
    sources: dict[str, Video] = {name: SOURCES[name] for name in plan.picks}
    events = list(run(plan, Studio(engine=recorder), sources))
    return recorder, [event.picture for event in events if isinstance(event, FrameDone)]


SCHEDULED = {name: spec for name, spec in specs(Restyle).items() if isinstance(spec, Schedule)}
OF_UNITS = {name: spec for name, spec in specs(Unit).items() if isinstance(spec, Schedule)}


def test_every_scheduled_setting_is_here():
    assert {*FIELDS, *PIXELS} == set(SCHEDULED)


@pytest.mark.parametrize("name", FIELDS)
def test_a_schedule_reaches_the_request_at_its_frame(quiet, name):
    before, after = pair(name, SCHEDULED[name])
    around = NEEDED.get(name, {})
    plain, _ = film(quiet(**around, **{name: turning(before, before)}))
    turned, _ = film(quiet(**around, **{name: turning(before, after)}))
    assert [getattr(request, FIELDS[name]) for request in turned.requests] == [before] * 3 + [after] * 5
    for frame, (one, other) in enumerate(zip(plain.requests, turned.requests, strict=True)):
        changed = {field for field in vars(one) if not _equal(getattr(one, field), getattr(other, field))}
        assert changed == ({FIELDS[name]} if frame >= TURN else set())


def _equal(one, other) -> bool:
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return np.array_equal(one, other)
    return one == other


@pytest.mark.parametrize("name", PIXELS)
def test_a_schedule_of_pictures_changes_pixels_from_its_frame_on(quiet, name):
    around = NEEDED[name]
    _, plain = film(quiet(**around, **{name: turning(0.25, 0.25)}))
    _, turned = film(quiet(**around, **{name: turning(0.25, 0.5)}))
    same = [np.array_equal(a, b) for a, b in zip(plain, turned, strict=True)]
    assert same == [True] * TURN + [False] * (8 - TURN)


@pytest.mark.parametrize("name", OF_UNITS)
def test_a_units_schedule_reaches_its_unit_at_its_frame(quiet, name):
    before, after = pair(name, OF_UNITS[name])
    if name == "guidance_end":
        before, after = 0.75, 1.0
    recorder, _ = film(quiet(units=[{"model": "canny"}, {"model": "canny", name: turning(before, after)}]))
    assert [getattr(request.control[1], name) for request in recorder.requests] == [before] * 3 + [after] * 5
    fixed = {getattr(request.control[0], name) for request in recorder.requests}
    assert fixed == {getattr(recorder.requests[0].control[0], name)}


def test_a_schedule_among_a_scripts_arguments_reaches_it_at_its_frame(quiet):
    given = {"ADetailer": [True, {"ad_denoising_strength": {"schedule": turning(0.25, 0.5)}}]}
    recorder, _ = film(quiet(scripts=given))
    found = [request.scripts["ADetailer"][1]["ad_denoising_strength"] for request in recorder.requests]
    assert found == [0.25] * TURN + [0.5] * (8 - TURN)


PLAIN = {
    "mask_invert": ("mask", True, {"mask": "m.mp4"}),
    "mask_fill": ("fill", "latent noise", {"mask": "m.mp4"}),
    "mask_only": ("only_masked", True, {"mask": "m.mp4"}),
    "restore_faces": ("restore_faces", True, {}),
    "tiling": ("tiling", True, {}),
    "scripts": ("scripts", {"ADetailer": [True]}, {}),
    "positive": ("prompt", "oil", {}),
    "styles": ("prompt", ["ink"], {}),
    "negative": ("negative", "fog", {}),
    "seed": ("seed", 6, {}),
    "seed_behavior": ("seed", "random", {}),
    "seed_iter_n": ("seed", 3, {"seed_behavior": "iter"}),
    "width": ("width", 128, {}),
    "height": ("height", 128, {}),
    "scale": ("width", 2.0, {}),
    "resize_mode": ("init", "Crop and resize", {"width": 128, "height": 64}),
    "init": ("init", "i.mp4", {}),
    "mask": ("mask", "m.mp4", {}),
    "video_start": ("init", 2, {}),
    "video_every": ("init", 2, {}),
    "prompts": ("prompt", "a castle", {}),
    "bpm": ("steps", 60, {"steps": "0:(bpm/10)"}),
    "fps": ("steps", 24, {"steps": "0:(fps)"}),
    "frames": ("steps", 4, {"steps": "0:(max_f+1)"}),
    "video_stop": ("steps", 4, {"steps": "0:(max_f+1)"}),
}


@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_setting_changes_its_field(quiet, name):
    field, value, around = PLAIN[name]
    if name in around:
        around = {}
    before, _ = film(quiet(**around))
    after, _ = film(quiet(**{**around, name: value}))
    assert any(
        not _equal(getattr(a, field), getattr(b, field))
        for a, b in zip(before.requests, after.requests, strict=False)
    )


@pytest.mark.parametrize("name", ["resize_mode", "control_mode", "pixel_perfect", "processor_res"])
def test_a_units_plain_setting_reaches_it(quiet, name):
    value = {
        "resize_mode": "Resize and Fill",
        "control_mode": "ControlNet is more important",
        "pixel_perfect": True,
        "processor_res": 256,
    }[name]
    recorder, _ = film(quiet(units=[{"model": "canny", name: value}]))
    assert getattr(recorder.requests[0].control[0], name) == value


def test_a_unit_that_is_off_is_left_away(quiet):
    recorder, _ = film(quiet(units=[{"enabled": False, "model": "canny"}, {"model": "depth"}]))
    assert [unit.model for unit in recorder.requests[0].control] == ["depth"]


def test_every_plain_setting_is_tested_somewhere():
    elsewhere = {
        # sources, colours: test_pipeline; tracks: test_tracks; png info: test_png_info; rest: tests/jobs
        *("video", "prompt_blend", "tracks_follow", "color_coherence", "color_reference", "units"),
        *("png_info", "png_info_dir", "sound", "soundtrack", "upscale", "upscaler"),
    }
    plain = {name for name, spec in specs(Restyle).items() if not isinstance(spec, Schedule)}
    assert plain == {*PLAIN, *elsewhere}
