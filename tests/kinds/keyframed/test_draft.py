from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from lib_anim.engines.contract.capabilities import Capabilities
from lib_anim.errors import FlipbookError
from lib_anim.kinds.base import Studio
from lib_anim.kinds.draft import DraftOptions, draft_of
from lib_anim.kinds.events import Finished, FrameDone, Progress
from lib_anim.kinds.keyframed.draft import DraftPlan, make_draft, run_draft
from lib_anim.kinds.keyframed.inputs import Inputs
from lib_anim.kinds.keyframed.loop import run, travel
from tests.kinds.keyframed.conftest import Recorder, Video

ANY = Capabilities(samplers=("Euler a",), schedulers=("Automatic",), multiple_of=1)


def film(plan, recorder, inputs=None, state=None) -> list[FrameDone]:
    runner = run_draft if isinstance(plan, DraftPlan) else run
    events = list(runner(plan, Studio(engine=recorder), inputs or Inputs(), state))
    assert isinstance(events[-1], Finished)
    assert all(event.done < event.total for event in events if isinstance(event, Progress))
    return [event for event in events if isinstance(event, FrameDone)]


@pytest.mark.parametrize(("frames", "every"), [(20, 6), (21, 5), (3, 9), (24, 2)])
@pytest.mark.parametrize("cadence", [1, 4])
def test_every_nth_frame_is_painted_and_kept(quiet, recorder, frames, every, cadence):
    plan = make_draft(quiet(frames=frames, cadence=cadence, fps=24), DraftOptions(every=every), ANY)
    done = film(plan, recorder)
    true = list(range(0, frames, every))
    assert [event.index for event in done] == list(range(len(true)))
    assert plan.frames == len(true)
    assert plan.rate == Fraction(24, every)
    assert [event.values["frame"] for event in done] == true
    assert all(event.painted for event in done)
    assert len(recorder.requests) == len(true)


def test_every_nth_frame_has_the_values_and_the_seed_of_its_true_frame(quiet, recorder):
    changes = {"frames": 20, "strength": "0:(0), 19:(0.95)", "prompts": {"0": "a", "12": "b"}}
    whole = Recorder()
    film(quiet(**changes), whole)
    film(make_draft(quiet(**changes), DraftOptions(every=6), ANY), recorder)
    for number, request in enumerate(recorder.requests):
        true = whole.requests[number * 6]
        assert (request.prompt, request.seed) == (true.prompt, true.seed)
        assert request.denoising == pytest.approx(true.denoising)


def test_a_frame_that_cadence_leaves_out_has_the_seed_of_the_painted_one_before(quiet, recorder):
    whole = quiet(frames=20, cadence=4)
    film(make_draft(whole, DraftOptions(every=6), ANY), recorder)
    assert [r.seed for r in recorder.requests] == [whole.seeds[frame] for frame in (0, 4, 12, 16)]


def test_the_motion_between_kept_frames_is_the_whole_films(quiet, recorder):
    changes = {"frames": 13, "translation_x": "0:(1), 12:(4)", "angle": 2, "zoom": 1.01}
    trial = film(make_draft(quiet(**changes), DraftOptions(every=6), ANY), recorder)
    alike = film(quiet(**changes, cadence=6), Recorder())
    for event in trial:
        np.testing.assert_array_equal(event.picture, alike[event.index * 6].picture)


def test_a_video_is_taken_at_the_true_frames(quiet, recorder):
    levels = np.arange(8, dtype=np.uint8)[:, None, None, None] * 20
    source = Video(np.broadcast_to(levels, (8, 64, 64, 3)).copy())
    plan = make_draft(quiet(mode="Video Input", video="v.mp4", frames=8), DraftOptions(every=3), ANY)
    done = film(plan, recorder, Inputs(video=source))
    assert [round(float(e.picture.mean()) * 255) for e in done] == [0, 60, 120]


@pytest.mark.parametrize("mode", ["Interpolation", "Video Input"])
def test_one_frame_alone_is_the_whole_films(quiet, mode):
    changes = {"mode": mode, "frames": 8, "prompts": {"0": "a", "6": "b"}, "strength": 0.3}
    changes |= {"video": "v.mp4"} if mode == "Video Input" else {}
    pictures = np.random.default_rng(3).integers(0, 256, (8, 64, 64, 3), np.uint8)
    inputs = Inputs(video=Video(pictures)) if mode == "Video Input" else Inputs()
    whole = film(quiet(**changes), Recorder(), inputs)
    recorder = Recorder()
    (alone,) = film(make_draft(quiet(**changes), DraftOptions(only=5), ANY), recorder, inputs)
    assert alone.index == 0
    assert alone.values == whole[5].values
    np.testing.assert_array_equal(alone.picture, whole[5].picture)
    assert len(recorder.requests) == 1


@pytest.mark.parametrize("cadence", [1, 4])
@pytest.mark.parametrize("only", [0, 1, 6, 8, 11, 12])
def test_one_frame_alone_in_2d_is_the_whole_films(quiet, recorder, cadence, only):
    changes = {"frames": 13, "cadence": cadence, "angle": 3, "zoom": 1.04, "noise": 0.2, "strength": 0.3}
    whole = film(quiet(**changes), Recorder())
    plan = make_draft(quiet(**changes), DraftOptions(only=only), ANY)
    done = film(plan, recorder)
    *lead, alone = done
    assert alone.index == 0
    np.testing.assert_array_equal(alone.picture, whole[only].picture)
    assert {k: v for k, v in alone.values.items() if k != "seed"} == {
        k: v for k, v in whole[only].values.items() if k != "seed"
    }
    # What comes before it is painted and numbered below 0; nothing after it is.
    assert all(event.index < 0 for event in lead)
    painted = [frame for frame in quiet(**changes).painted if frame < only]
    assert [event.index + only for event in lead if event.painted] == painted
    assert len(recorder.requests) == len(plan.painted) == len(painted) + 1


def test_one_frame_alone_in_2d_says_what_it_costs(quiet):
    plan = make_draft(quiet(frames=40, cadence=4), DraftOptions(only=30), ANY)
    assert "in 2D frame 30 grows out of those before it: 9 pictures are painted" in plan.loop.warnings[-1]
    assert make_draft(quiet(frames=40), DraftOptions(only=0), ANY).loop.warnings == ()


@pytest.mark.parametrize("only", [6, 8])
def test_going_on_to_one_frame_from_any_state(quiet, recorder, only):
    plan = make_draft(quiet(frames=13, cadence=4, angle=3), DraftOptions(only=only), ANY)
    whole = film(plan, Recorder())
    for event in whole:
        if event.state is not None:
            rest = film(plan, recorder, state=event.state)
            assert [e.index for e in rest] == [e.index for e in whole if e.index > event.index]
            assert not rest or np.array_equal(rest[-1].picture, whole[-1].picture)


@pytest.mark.parametrize(
    ("width", "height", "unit", "size"), [(512, 768, 1, (256, 384)), (520, 344, 8, (256, 176))]
)
def test_half_the_size_moves_half_as_far(quiet, width, height, unit, size):
    motion = {"translation_x": "0:(w/50)", "translation_y": -6, "angle": 3, "zoom": 1.02, "center_x": 0.3}
    whole = quiet(width=width, height=height, frames=4, **motion)
    engine = Capabilities(samplers=("Euler a",), schedulers=("Automatic",), multiple_of=unit)
    plan = make_draft(whole, DraftOptions(half=True), engine)
    assert plan.size == size
    wide, high = size[0] / width, size[1] / height
    for frame in (1, 3):
        assert plan.loop.at("translation_x", frame) == pytest.approx(width / 50 * wide)
        assert plan.loop.at("translation_y", frame) == pytest.approx(-6 * high)
    if wide == high:
        scale = np.diag([wide, high, 1.0])
        expected = scale @ travel(whole, 0, 3) @ np.linalg.inv(scale)
        np.testing.assert_allclose(travel(plan.loop, 0, 3), expected, atol=1e-9)
        assert plan.loop.settings.mask_blur == whole.settings.mask_blur / 2


@pytest.mark.parametrize("kernel", [1, 3, 5, 7, 99])
def test_half_a_kernel_is_odd(quiet, kernel):
    plan = make_draft(quiet(width=128, height=128, sharpen_kernel=kernel), DraftOptions(half=True), ANY)
    assert plan.loop.at("sharpen_kernel", 1) % 2 == 1
    assert abs(plan.loop.at("sharpen_kernel", 1) - kernel / 2) <= 1


def test_going_on_from_a_state_of_a_trial(quiet, recorder):
    plan = make_draft(quiet(frames=20, angle=2, width=128, height=128), DraftOptions(every=4, half=True), ANY)
    whole = film(plan, recorder)
    assert whole[2].state.frame == 2
    rest = film(plan, recorder, state=whole[2].state)
    assert [event.index for event in rest] == [3, 4]
    np.testing.assert_array_equal(rest[-1].picture, whole[-1].picture)


def test_trials_have_fingerprints_of_their_own(quiet):
    plan = quiet(width=128, height=128, mode="Interpolation")
    trials = [
        DraftOptions(every=2),
        DraftOptions(every=3),
        DraftOptions(half=True),
        DraftOptions(only=1),
        DraftOptions(only=2),
    ]
    prints = {make_draft(plan, trial, ANY).fingerprint("e") for trial in trials} | {plan.fingerprint("e")}
    assert len(prints) == 6


@pytest.mark.parametrize(
    ("changes", "trial", "words"),
    [
        ({}, {"only": 6}, "frames 0 to 5"),
        ({"mode": "Interpolation"}, {"only": 6}, "frames 0 to 5"),
        ({"mode": "Interpolation"}, {"only": -1}, "frames 0 to 5"),
        ({}, {"half": True}, "64 × 64 has no half"),
        ({}, {"every": 0}, "1 or more"),
        ({}, {"every": 2, "only": 1}, "leave out --every"),
    ],
)
def test_what_cannot_be_tried_is_a_sentence(quiet, changes, trial, words):
    with pytest.raises(FlipbookError) as caught:
        make_draft(quiet(**changes), DraftOptions(**trial), ANY)
    assert words in str(caught.value)


def test_a_manifest_keeps_the_trial():
    trial = DraftOptions(every=3, half=True)
    assert draft_of({"trial": trial.as_json()}) == trial
    assert draft_of({}).whole
