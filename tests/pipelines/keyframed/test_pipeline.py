from __future__ import annotations

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
from skimage import data

from lib_anim.imaging.metrics import mean_motion
from lib_anim.pipelines.events import Finished, FrameDone, Warned
from lib_anim.pipelines.keyframed.pipeline import Inputs, run, travel


def frames_of(events):
    return [event for event in events if isinstance(event, FrameDone)]


def photograph(size=64):
    return data.astronaut()[:size, 120 : 120 + size].astype(np.float32) / 255


@pytest.mark.parametrize("cadence", range(1, 13))
def test_every_frame_comes_once_in_order_and_the_last_is_painted(quiet, recorder, cadence):
    for frames in (1, 2, 3, 7, 10, 12, 13, 25, 40):
        events = list(run(quiet(frames=frames, cadence=cadence), recorder, Inputs()))
        done = frames_of(events)
        assert [event.index for event in done] == list(range(frames))
        assert done[-1].painted
        assert isinstance(events[-1], Finished)
        painted = [event.index for event in done if event.painted]
        assert painted == sorted({*range(0, frames, cadence), frames - 1})


def test_a_still_camera_changes_nothing_in_500_loops(quiet, recorder):
    recorder.first = np.full((64, 64, 3), 0.5019608, np.float32)
    events = frames_of(run(quiet(frames=500), recorder, Inputs()))
    np.testing.assert_array_equal(events[-1].picture, recorder.first)


def test_frame_0_without_init_is_txt2img_and_the_rest_img2img(quiet, recorder):
    list(run(quiet(strength="0:(0.25)"), recorder, Inputs()))
    assert recorder.requests[0].init is None
    assert recorder.requests[0].denoising == 1
    assert [request.denoising for request in recorder.requests[1:]] == [0.75] * 5


def test_frame_0_with_init_uses_the_init_strength(quiet, recorder):
    list(run(quiet(init_strength=0.4), recorder, Inputs(init=photograph())))
    np.testing.assert_array_equal(recorder.requests[0].init, photograph())
    assert recorder.requests[0].denoising == pytest.approx(0.6)


@pytest.mark.parametrize("cadence", [1, 3])
@pytest.mark.parametrize(
    ("motion", "expected"), [({"translation_x": 2}, (2, 0)), ({"translation_y": -2}, (0, -2))]
)
def test_motion_on_screen_is_the_schedules_at_every_frame(quiet, recorder, cadence, motion, expected):
    recorder.first = photograph(128)
    plan = quiet(frames=7, width=128, height=128, cadence=cadence, border="wrap", **motion)
    pictures = [event.picture for event in frames_of(run(plan, recorder, Inputs()))]
    for before, after in pairwise(pictures):
        inside = slice(16, -16)
        flow = mean_motion(before[inside, inside], after[inside, inside])
        assert flow == pytest.approx(expected, abs=0.4)


def test_travel_is_the_product_of_the_steps(quiet):
    plan = quiet(zoom="0:(1.1)", angle="0:(3)", translation_x="0:(t)")
    expected = plan.motion(3) @ plan.motion(2)
    np.testing.assert_allclose(travel(plan, 1, 3), expected)


@pytest.mark.parametrize("cadence", [1, 2, 4])
def test_going_on_from_any_state_gives_the_same_pixels(quiet, recorder, cadence):
    plan = quiet(
        frames=11, cadence=cadence, zoom=1.03, angle=2, noise=0.2, color_coherence="LAB", sharpen_amount=0.3
    )
    whole = frames_of(run(plan, recorder, Inputs()))
    for event in whole:
        if event.state is None:
            continue
        rest = frames_of(run(plan, recorder, Inputs(), dataclasses.replace(event.state)))
        for other in rest:
            np.testing.assert_array_equal(other.picture, whole[other.index].picture)
        assert [other.index for other in rest] == list(range(event.index + 1, 11))


def test_the_plans_warnings_are_told_first(quiet, recorder):
    plan = dataclasses.replace(quiet(), warnings=("mind the gap",))
    assert next(run(plan, recorder, Inputs())) == Warned("mind the gap")


ONE = {"noise": 0.5, "sharpen_amount": 0.5, "color_coherence": "LAB"}

REQUEST = {
    "steps": ("0:(20), 3:(9) step", "steps", 9),
    "cfg_scale": ("0:(7) step, 3:(2)", "cfg_scale", 2.0),
    "clip_skip": ("0:(1) step, 3:(2)", "clip_skip", 2),
    "eta": ("0:(0) step, 3:(0.5)", "eta", 0.5),
    "noise_multiplier": ("0:(1) step, 3:(1.2)", "noise_multiplier", 1.2),
    "strength": ("0:(1) step, 3:(0.25)", "denoising", 0.75),
    "subseed": ("0:(1) step, 3:(8)", "subseed", 8),
    "subseed_strength": ("0:(0) step, 3:(0.5)", "subseed_strength", 0.5),
    "sampler": ('0:("Euler a"), 3:("Euler")', "sampler", "Euler"),
    "scheduler": ('0:("Automatic"), 3:("Karras")', "scheduler", "Karras"),
}


@pytest.mark.parametrize("name", REQUEST)
def test_a_painting_schedule_reaches_the_request_at_its_frame(quiet, recorder, name):
    text, field, expected = REQUEST[name]
    text = text.replace("20), 3:(9) step", "20) step, 3:(9)")
    list(run(quiet(**{name: text}), recorder, Inputs()))
    values = [getattr(request, field) for request in recorder.requests]
    assert values[3] == pytest.approx(expected) if not isinstance(expected, str) else values[3] == expected
    assert values[2] != values[3]


def test_a_seed_schedule_reaches_the_request(quiet, recorder):
    list(run(quiet(seed_behavior="schedule", seed_schedule="0:(s) step, 3:(99)"), recorder, Inputs()))
    assert [request.seed for request in recorder.requests] == [5, 5, 5, 99, 99, 99]


PIXELS = {
    "zoom": ("0:(1) step, 3:(1.2)", {}),
    "angle": ("0:(0) step, 3:(9)", {}),
    "translation_x": ("0:(0) step, 3:(5)", {}),
    "translation_y": ("0:(0) step, 3:(5)", {}),
    "center_x": ("0:(0.5) step, 3:(0.1)", {"angle": "0:(0) step, 3:(9)"}),
    "center_y": ("0:(0.5) step, 3:(0.1)", {"angle": "0:(0) step, 3:(9)"}),
    "flip_theta": ("0:(0) step, 3:(9)", {"perspective_flip": True}),
    "flip_phi": ("0:(0) step, 3:(9)", {"perspective_flip": True}),
    "flip_gamma": ("0:(0) step, 3:(9)", {"perspective_flip": True}),
    "flip_fov": ("0:(53) step, 3:(90)", {"perspective_flip": True, "flip_phi": "0:(0) step, 3:(9)"}),
    "contrast": ("0:(1) step, 3:(1.4)", {}),
    "sharpen_amount": ("0:(0) step, 3:(1)", {}),
    "sharpen_kernel": ("0:(5) step, 3:(11)", {"sharpen_amount": "0:(0) step, 3:(1)", "sharpen_sigma": 4}),
    "sharpen_sigma": ("0:(1) step, 3:(4)", {"sharpen_amount": "0:(0) step, 3:(1)", "sharpen_kernel": 9}),
    "sharpen_threshold": ("0:(0) step, 3:(20)", {"sharpen_amount": "0:(0) step, 3:(1)"}),
    "noise": ("0:(0) step, 3:(0.4)", {}),
    "color_strength": ("0:(1) step, 3:(0)", {"color_coherence": "RGB", "contrast": "0:(1) step, 3:(1.4)"}),
}


@pytest.mark.parametrize("name", PIXELS)
def test_a_picture_schedule_changes_pixels_from_its_frame_on(quiet, recorder, name):
    text, around = PIXELS[name]
    recorder.first = photograph()
    with_it = frames_of(run(quiet(**around, **{name: text}), recorder, Inputs()))
    without = frames_of(run(quiet(**around), recorder, Inputs()))
    same = [np.array_equal(a.picture, b.picture) for a, b in zip(with_it, without, strict=True)]
    assert same[:3] == [True, True, True]
    assert not same[3]


def test_every_schedule_is_tested_for_its_effect():
    from lib_anim.settings.base import specs
    from lib_anim.settings.fields import Schedule
    from lib_anim.settings.keyframed import Keyframed

    scheduled = {name for name, spec in specs(Keyframed).items() if isinstance(spec, Schedule)}
    assert scheduled == {*REQUEST, *PIXELS, "seed_schedule"}


PLAIN = {
    "grayscale": True,
    "noise_type": "uniform",
    "perlin_octaves": 1,
    "perlin_persistence": 0.9,
    "color_coherence": "HSV",
}


@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_setting_changes_pixels(quiet, recorder, name):
    recorder.first = photograph()
    around = {"noise": 0.5, "noise_type": "perlin", "color_coherence": "LAB", "contrast": 1.2}
    changed = frames_of(run(quiet(**{**around, name: PLAIN[name]}), recorder, Inputs()))
    before = frames_of(run(quiet(**around), recorder, Inputs()))
    assert not np.array_equal(changed[1].picture, before[1].picture)


@pytest.mark.parametrize("border", ["wrap", "reflect"])
def test_borders_differ_only_where_the_outside_comes_in(quiet, recorder, border):
    recorder.first = photograph()
    there = frames_of(run(quiet(translation_x=6, border=border, frames=2), recorder, Inputs()))
    here = frames_of(run(quiet(translation_x=6, border="replicate", frames=2), recorder, Inputs()))
    np.testing.assert_array_equal(there[1].picture[:, 7:], here[1].picture[:, 7:])
    assert not np.array_equal(there[1].picture[:, :5], here[1].picture[:, :5])


def test_a_reference_picture_gives_all_frames_its_colours(quiet, recorder):
    recorder.first = photograph()
    red = np.zeros((64, 64, 3), np.float32)
    red[..., 0] = np.linspace(0.5, 0.9, 64)
    done = frames_of(run(quiet(color_coherence="RGB"), recorder, Inputs(color_reference=red)))
    for event in done:
        assert event.picture[..., 0].mean() == pytest.approx(0.7, abs=0.02)
        assert event.picture[..., 1:].max() < 0.02


def test_frames_carry_what_made_them(quiet, recorder):
    event = frames_of(run(quiet(prompts={"0": "one", "3": "two --neg three"}), recorder, Inputs()))[4]
    assert event.values["prompt"] == "two"
    assert event.values["negative"] == "three"
    assert event.values["seed"] == 9
    assert event.values["zoom"] == 1
