from __future__ import annotations

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
from skimage import data

from lib_anim.engines.checker import CheckerEngine
from lib_anim.engines.contract.requests import StillRequest
from lib_anim.imaging.metrics import mean_motion
from lib_anim.kinds.base import Studio
from lib_anim.kinds.events import Finished, FrameDone, Warned
from lib_anim.kinds.keyframed.inputs import Inputs
from lib_anim.kinds.keyframed.loop import run, travel
from tests.kinds.keyframed.conftest import Recorder, Video


def frames_of(events):
    return [event for event in events if isinstance(event, FrameDone)]


def frame_of(picture):
    return np.rint(picture * 255).astype(np.uint8)


def photograph(size=64):
    return data.astronaut()[:size, 120 : 120 + size].astype(np.float32) / 255


@pytest.mark.parametrize("cadence", range(1, 13))
def test_every_frame_comes_once_in_order_and_the_last_is_painted(quiet, recorder, cadence):
    for frames in range(1, 41):
        events = list(run(quiet(frames=frames, cadence=cadence), Studio(engine=recorder), Inputs()))
        done = frames_of(events)
        assert [event.index for event in done] == list(range(frames))
        assert done[-1].painted
        assert isinstance(events[-1], Finished)
        painted = [event.index for event in done if event.painted]
        assert painted == sorted({*range(0, frames, cadence), frames - 1})


def test_a_still_camera_changes_nothing_in_500_loops(quiet, recorder):
    recorder.first = np.full((64, 64, 3), 0.5019608, np.float32)
    events = frames_of(run(quiet(frames=500), Studio(engine=recorder), Inputs()))
    np.testing.assert_array_equal(events[-1].picture, recorder.first)


def test_frame_0_without_init_is_txt2img_and_the_rest_img2img(quiet, recorder):
    list(run(quiet(strength="0:(0.25)"), Studio(engine=recorder), Inputs()))
    assert recorder.requests[0].init is None
    assert recorder.requests[0].denoising == 1
    assert [request.denoising for request in recorder.requests[1:]] == [0.75] * 5


def test_frame_0_with_init_uses_the_init_strength(quiet, recorder):
    list(run(quiet(init_strength=0.4), Studio(engine=recorder), Inputs(init=frame_of(photograph()))))
    np.testing.assert_allclose(recorder.requests[0].init, photograph(), atol=1e-6)
    assert recorder.requests[0].denoising == pytest.approx(0.6)


@pytest.mark.parametrize("cadence", [1, 3])
@pytest.mark.parametrize(
    ("motion", "expected"), [({"translation_x": 2}, (2, 0)), ({"translation_y": -2}, (0, -2))]
)
def test_motion_on_screen_is_the_schedules_at_every_frame(quiet, recorder, cadence, motion, expected):
    recorder.first = photograph(128)
    plan = quiet(frames=7, width=128, height=128, cadence=cadence, border="wrap", **motion)
    pictures = [event.picture for event in frames_of(run(plan, Studio(engine=recorder), Inputs()))]
    for before, after in pairwise(pictures):
        inside = slice(16, -16)
        flow = mean_motion(before[inside, inside], after[inside, inside])
        assert flow == pytest.approx(expected, abs=0.4)


@pytest.mark.parametrize("cadence", [1, 2, 3, 5, 12])
@pytest.mark.parametrize("frames", [2, 11, 14])
def test_a_checkerboard_goes_round_as_the_schedule_says_at_every_frame(quiet, recorder, cadence, frames):
    """Whole pixels and the border `wrap` move a board without loss: each frame is the board rolled."""
    rows, columns = np.mgrid[:64, :64] // 8
    recorder.first = np.repeat(((rows + columns) % 2 * 0.8 + 0.1)[..., None], 3, 2).astype(np.float32)
    recorder.first[:8, :8] = 0.5
    plan = quiet(
        frames=frames,
        cadence=cadence,
        border="wrap",
        translation_x="0:(2) step, 6:(-5)",
        translation_y="0:(-1) step, 4:(3)",
    )
    for event in frames_of(run(plan, Studio(engine=recorder), Inputs())):
        steps = range(1, event.index + 1)
        right, down = sum(2 if f < 6 else -5 for f in steps), sum(-1 if f < 4 else 3 for f in steps)
        np.testing.assert_allclose(
            event.picture, np.roll(recorder.first, (down, right), (0, 1)), atol=1e-5, err_msg=str(event.index)
        )


def test_travel_is_the_product_of_the_steps(quiet):
    plan = quiet(zoom="0:(1.1)", angle="0:(3)", translation_x="0:(t)")
    expected = plan.motion(3) @ plan.motion(2)
    np.testing.assert_allclose(travel(plan, 1, 3), expected)


@pytest.mark.parametrize("cadence", [1, 2, 4])
def test_going_on_from_any_state_gives_the_same_pixels(quiet, recorder, cadence):
    plan = quiet(
        frames=11, cadence=cadence, zoom=1.03, angle=2, noise=0.2, color_coherence="LAB", sharpen_amount=0.3
    )
    whole = frames_of(run(plan, Studio(engine=recorder), Inputs()))
    for event in whole:
        if event.state is None:
            continue
        rest = frames_of(run(plan, Studio(engine=recorder), Inputs(), dataclasses.replace(event.state)))
        for other in rest:
            np.testing.assert_array_equal(other.picture, whole[other.index].picture)
        assert [other.index for other in rest] == list(range(event.index + 1, 11))


def test_the_plans_warnings_are_told_first(quiet, recorder):
    plan = dataclasses.replace(quiet(), warnings=("mind the gap",))
    assert next(run(plan, Studio(engine=recorder), Inputs())) == Warned("mind the gap")


def test_a_seed_schedule_reaches_the_request(quiet, recorder):
    list(
        run(
            quiet(seed_behavior="schedule", seed_schedule="0:(s) step, 3:(99)"),
            Studio(engine=recorder),
            Inputs(),
        )
    )
    assert [request.seed for request in recorder.requests] == [5, 5, 5, 99, 99, 99]


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
    changed = frames_of(run(quiet(**{**around, name: PLAIN[name]}), Studio(engine=recorder), Inputs()))
    before = frames_of(run(quiet(**around), Studio(engine=recorder), Inputs()))
    assert not np.array_equal(changed[1].picture, before[1].picture)


@pytest.mark.parametrize("border", ["wrap", "reflect"])
def test_borders_differ_only_where_the_outside_comes_in(quiet, recorder, border):
    recorder.first = photograph()
    there = frames_of(run(quiet(translation_x=6, border=border, frames=2), Studio(engine=recorder), Inputs()))
    here = frames_of(
        run(quiet(translation_x=6, border="replicate", frames=2), Studio(engine=recorder), Inputs())
    )
    np.testing.assert_array_equal(there[1].picture[:, 7:], here[1].picture[:, 7:])
    assert not np.array_equal(there[1].picture[:, :5], here[1].picture[:, :5])


def test_a_reference_picture_gives_all_frames_its_colours(quiet, recorder):
    recorder.first = photograph()
    red = np.zeros((64, 64, 3), np.float32)
    red[..., 0] = np.linspace(0.5, 0.9, 64)
    done = frames_of(
        run(quiet(color_coherence="RGB"), Studio(engine=recorder), Inputs(color_reference=frame_of(red)))
    )
    for event in done:
        assert event.picture[..., 0].mean() == pytest.approx(0.7, abs=0.02)
        assert event.picture[..., 1:].max() < 0.02


def test_frames_carry_what_made_them(quiet, recorder):
    event = frames_of(
        run(quiet(prompts={"0": "one", "3": "two --neg three"}), Studio(engine=recorder), Inputs())
    )[4]
    assert event.values["prompt"] == "two"
    assert event.values["negative"] == "three"
    assert event.values["seed"] == 9
    assert event.values["zoom"] == 1


def test_interpolation_paints_every_frame_from_nothing_between_the_prompts(quiet, recorder):
    prompts = {"0": "a --neg x", "4": "b --neg y"}
    list(run(quiet(mode="Interpolation", prompts=prompts, frames=6), Studio(engine=recorder), Inputs()))
    assert all(request.init is None for request in recorder.requests)
    assert [request.prompt for request in recorder.requests] == [
        "a",
        "a :0.7500 AND b :0.2500",
        "a :0.5000 AND b :0.5000",
        "a :0.2500 AND b :0.7500",
        "b",
        "b",
    ]
    assert recorder.requests[1].negative == "(x:0.7500), (y:0.2500)"


@pytest.mark.parametrize("how", ["lerp", "slerp"])
def test_interpolation_can_mix_conditioning(quiet, recorder, how):
    plan = quiet(mode="Interpolation", prompt_blend=how, prompts={"0": "a", "4": "b --neg y"}, frames=6)
    list(run(plan, Studio(engine=recorder), Inputs()))
    travels = [request.travel for request in recorder.requests]
    assert [travel and travel.weight for travel in travels] == [None, 0.25, 0.5, 0.75, None, None]
    assert (travels[1].prompt, travels[1].negative, travels[1].how) == ("b", "y", how)
    assert {request.prompt for request in recorder.requests} == {"a", "b"}


def test_video_input_repaints_every_frame_by_itself(quiet, recorder):
    rng = np.random.default_rng(0)
    video = Video(rng.integers(0, 256, (8, 64, 64, 3), dtype=np.uint8))
    plan = quiet(mode="Video Input", video="v.mp4", frames=0, strength="0:(0.25)", zoom=1.5, noise=0.5)
    done = frames_of(run(plan, Studio(engine=recorder), Inputs(video=video)))
    assert len(done) == 8
    for index, request in enumerate(recorder.requests):
        np.testing.assert_array_equal(frame_of(request.init), video[index])
        assert request.denoising == 0.75


HALF = np.zeros((64, 64, 3), np.uint8)
HALF[:, 32:] = 255


def test_what_a_mask_keeps_stays_the_init_image_bit_for_bit(quiet, recorder):
    plan = quiet(mask_image="m.png", init_image="i.png", mask_blur=0, translation_x=5, noise=0.3)
    picture = frame_of(photograph())
    done = frames_of(run(plan, Studio(engine=recorder), Inputs(init=picture, mask_image=HALF)))
    for event in done:
        np.testing.assert_array_equal(frame_of(event.picture)[:, :32], picture[:, :32])
    assert not np.array_equal(frame_of(done[-1].picture)[:, 32:], picture[:, 32:])
    np.testing.assert_array_equal(recorder.requests[2].mask, (HALF[..., 0] > 0).astype(np.float32))


def test_masked_noise_leaves_the_rest_bit_for_bit(quiet, recorder):
    recorder.first = photograph()
    settings = {
        "mask_image": "m.png",
        "init_image": "i.png",
        "mask_overlay": False,
        "frames": 2,
        "noise": 0.5,
    }
    inputs = Inputs(init=frame_of(photograph()), mask_image=HALF)
    list(run(quiet(**settings, mask_noise=True), Studio(engine=recorder), inputs))
    np.testing.assert_array_equal(recorder.requests[1].init[:, :32], recorder.requests[0].init[:, :32])
    assert not np.array_equal(recorder.requests[1].init[:, 32:], recorder.requests[0].init[:, 32:])


MASKS = {
    "mask_invert": True,
    "mask_contrast": 0.5,
    "mask_brightness": 0.5,
    "mask_blur": 9.0,
    "mask_fill": "latent noise",
    "mask_only": True,
    "mask_padding": 8,
}


@pytest.mark.parametrize("name", MASKS)
def test_a_mask_setting_reaches_the_request(quiet, recorder, name):
    inputs = Inputs(init=frame_of(photograph()), mask_image=HALF)
    around = {"mask_image": "m.png", "init_image": "i.png", "frames": 1}
    list(run(quiet(**around), Studio(engine=recorder), inputs))
    list(run(quiet(**around, **{name: MASKS[name]}), Studio(engine=recorder), inputs))
    fields = ("mask_blur", "fill", "only_masked", "only_masked_padding")
    before, after = recorder.requests
    same = all(getattr(before, field) == getattr(after, field) for field in fields)
    assert not (same and np.array_equal(before.mask, after.mask))


def test_masks_come_from_alpha_and_from_a_video_frame_by_frame(quiet, recorder):
    transparent = np.dstack([frame_of(photograph()), HALF[..., 0]])
    list(
        run(
            quiet(mask_alpha=True, init_image="i.png", frames=1),
            Studio(engine=recorder),
            Inputs(init=transparent),
        )
    )
    np.testing.assert_array_equal(recorder.requests[0].mask, (HALF[..., 0] > 0).astype(np.float32))
    levels = np.repeat(np.arange(8, dtype=np.uint8)[:, None, None, None] * 30 + 30, 64 * 64 * 3, axis=1)
    video = Video(levels.reshape(8, 64, 64, 3))
    recorder.requests.clear()
    plan = quiet(mask_video="m.mp4", init_image="i.png", frames=8)
    list(run(plan, Studio(engine=recorder), Inputs(init=frame_of(photograph()), mask_video=video)))
    shown = [round(float(request.mask.mean()) * 255) for request in recorder.requests]
    assert shown == [30, 60, 90, 120, 150, 180, 210, 240]


def test_an_empty_mask_paints_nothing_and_says_so(quiet, recorder):
    plan = quiet(mask_image="m.png", init_image="i.png", frames=1)
    inputs = Inputs(init=frame_of(photograph()), mask_image=HALF * 0)
    events = list(run(plan, Studio(engine=recorder), inputs))
    assert recorder.requests == []
    assert any(isinstance(event, Warned) and "mask is empty" in event.sentence for event in events)
    np.testing.assert_array_equal(frame_of(frames_of(events)[0].picture), frame_of(photograph()))


def test_a_colour_video_is_followed_every_n_frames(quiet, recorder):
    recorder.first = photograph()
    colours = np.zeros((8, 64, 64, 3), np.uint8)
    for index in range(8):
        colours[index, ..., 0] = 20 + 25 * index
    plan = quiet(color_video="c.mp4", color_video_every=3, color_coherence="RGB", frames=8)
    done = frames_of(run(plan, Studio(engine=recorder), Inputs(color_video=Video(colours))))
    reds = [round(float(event.picture[..., 0].mean()) * 255) for event in done]
    assert reds == pytest.approx([20, 20, 20, 95, 95, 95, 170, 170], abs=2)


class Blank(Recorder):
    """Gives black where the seed is in a list."""

    def __init__(self, black):
        super().__init__()
        self.black = black

    def still(self, request, on_step=None):
        picture = super().still(request, on_step)
        return picture * 0 if request.seed in self.black else picture


def test_a_blank_frame_is_kept_painted_again_or_stops_the_film(quiet):
    kept = frames_of(run(quiet(mode="Interpolation"), Studio(engine=Blank([7])), Inputs()))
    assert kept[2].picture.max() == 0
    engine = Blank([7, 8])
    again = list(run(quiet(mode="Interpolation", blank_frames="repaint"), Studio(engine=engine), Inputs()))
    assert [request.seed for request in engine.requests] == [5, 6, 7, 8, 9, 10, 11, 12]
    assert sum(isinstance(event, Warned) for event in again) == 2
    stopped = list(run(quiet(mode="Interpolation", blank_frames="stop"), Studio(engine=Blank([7])), Inputs()))
    assert len(frames_of(stopped)) == 2
    assert not any(isinstance(event, Finished) for event in stopped)


def test_patience_ends(quiet):
    plan = quiet(mode="Interpolation", blank_frames="repaint", blank_patience=3)
    events = list(run(plan, Studio(engine=Blank(range(1000))), Inputs()))
    assert frames_of(events) == []
    assert "stops before it" in events[-1].sentence


def test_going_on_after_a_repainted_frame_keeps_its_seeds(quiet):
    plan = quiet(blank_frames="repaint", strength="0:(0)", mode="Interpolation")
    whole = frames_of(run(plan, Studio(engine=Blank([7])), Inputs()))
    rest = frames_of(run(plan, Studio(engine=Blank([7])), Inputs(), whole[3].state))
    np.testing.assert_array_equal(rest[-1].picture, whole[-1].picture)


EXPRESSIONS = {
    "{init}": 0.5,
    "!{init}": 0.5,
    "{everywhere}": 1.0,
    "{init} | !{init}": 1.0,
    "[box.png]": 0.25,
    "{init} & [box.png]": 0.25,
    "{init} \\ [box.png]": 0.25,
}


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_mask_expressions(quiet, recorder, expression):
    box = np.zeros((64, 64, 3), np.uint8)
    box[:32, 32:] = 255
    plan = quiet(mask_image="m.png", init_image="i.png", mask_expression=expression, frames=1)
    inputs = Inputs(init=frame_of(photograph()), mask_image=HALF, mask_files={"box.png": box})
    list(run(plan, Studio(engine=recorder), inputs))
    assert recorder.requests[0].mask.mean() == EXPRESSIONS[expression]


def test_a_mask_expression_changes_at_its_frame(quiet, recorder):
    plan = quiet(mask_image="m.png", init_image="i.png", mask_expression='0:("{init}"), 3:("{everywhere}")')
    list(run(plan, Studio(engine=recorder), Inputs(init=frame_of(photograph()), mask_image=HALF)))
    assert [float(request.mask.mean()) for request in recorder.requests] == [0.5, 0.5, 0.5, 1, 1, 1]


def test_a_noise_mask_expression_limits_the_noise(quiet, recorder):
    recorder.first = photograph()
    plan = quiet(mask_image="m.png", noise_mask_expression="!{init}", noise=0.5, frames=2)
    list(run(plan, Studio(engine=recorder), Inputs(mask_image=HALF)))
    np.testing.assert_array_equal(recorder.requests[1].init[:, 32:], recorder.first[:, 32:])
    assert not np.array_equal(recorder.requests[1].init[:, :32], recorder.first[:, :32])


def test_frame_0_without_init_equals_the_engines_own_txt2img_bit_for_bit(quiet):
    engine = CheckerEngine()
    done = frames_of(run(quiet(frames=1, steps=9, cfg_scale=3), Studio(engine=engine), Inputs()))
    request = StillRequest(prompt="a board", width=64, height=64, seed=5, steps=9, cfg_scale=3)
    np.testing.assert_array_equal(done[0].picture, engine.still(request))
