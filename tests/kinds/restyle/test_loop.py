from __future__ import annotations

import threading

import numpy as np
import pytest

from lib_anim.engines.contract.requests import PromptTravel
from lib_anim.errors import FlipbookError
from lib_anim.kinds.base import Studio
from lib_anim.kinds.events import Finished, FrameDone, Warned
from lib_anim.kinds.restyle.loop import RestyleState, run, state_before
from tests.kinds.restyle.conftest import Recorder, Video, digest, frames_of

VIDEO, OTHER = frames_of(0), frames_of(1)


def picture(frame: np.ndarray) -> np.ndarray:
    return frame[..., :3].astype(np.float32) / np.float32(255)


def done(events) -> list[FrameDone]:
    return [event for event in events if isinstance(event, FrameDone)]


def film(plan, recorder, state=None, **sources) -> list[FrameDone]:
    events = list(run(plan, Studio(engine=recorder), {"video": VIDEO, **sources}, state))
    assert isinstance(events[-1], Finished)
    return done(events)


def test_every_frame_of_the_video_is_repainted_in_order_with_one_seed(quiet, recorder):
    frames = film(quiet(denoising="0:(0.3)"), recorder)
    assert [frame.index for frame in frames] == list(range(8))
    assert all(frame.painted for frame in frames)
    assert {request.seed for request in recorder.requests} == {5}
    for index, request in enumerate(recorder.requests):
        np.testing.assert_array_equal(request.init, picture(VIDEO[index]))
        assert request.denoising == 0.3


def test_one_frame_is_a_film(quiet, recorder, looks):
    looks.known["v.mp4"] = {"frames": 1}
    assert [frame.index for frame in film(quiet(), recorder)] == [0]


@pytest.mark.parametrize(
    ("behavior", "seeds"),
    [("fixed", [5] * 4), ("iter", [5, 6, 7, 8]), ("alternate", [5, 6, 5, 6]), ("ladder", [5, 7, 6, 8])],
)
def test_seeds_go_on_from_frame_to_frame(quiet, recorder, behavior, seeds):
    film(quiet(seed_behavior=behavior), recorder)
    assert [request.seed for request in recorder.requests][:4] == seeds


def test_prompts_follow_the_timeline(quiet, recorder):
    film(quiet(prompts={"0": "one --neg x", "50%": "two `t`"}, positive="oil,", negative="fog"), recorder)
    assert recorder.requests[0].prompt == "oil, one"
    assert recorder.requests[5].prompt == "oil, two 5"
    assert "fog" in recorder.requests[5].negative
    assert recorder.requests[0].negative.startswith("x")


@pytest.mark.parametrize("how", ["AND", "lerp", "slerp"])
def test_between_prompts_they_can_be_blended(quiet, recorder, how):
    film(quiet(prompts={"0": "a", "4": "b"}, prompt_blend=how), recorder)
    middle = recorder.requests[1]
    if how == "AND":
        assert middle.prompt == "a :0.7500 AND b :0.2500"
    else:
        assert middle.travel == PromptTravel(prompt="b", negative="", weight=0.25, how=how)


def test_the_frame_painted_last_can_be_the_source(quiet, recorder):
    frames = film(quiet(init="previous output"), recorder)
    np.testing.assert_array_equal(recorder.requests[0].init, picture(VIDEO[0]))
    for before, request in zip(frames, recorder.requests[1:], strict=False):
        np.testing.assert_array_equal(request.init, before.picture)


def test_the_frame_painted_last_can_be_a_part_of_the_source(quiet, recorder):
    frames = film(quiet(init="previous output", previous_weight="0:(0.25)"), recorder)
    expected = 0.75 * picture(VIDEO[3]) + 0.25 * frames[2].picture
    np.testing.assert_allclose(recorder.requests[3].init, expected, atol=1e-6)


def test_the_source_can_be_another_picture_film_or_folder(quiet, recorder, looks):
    film(quiet(init="other.mp4"), recorder, init=OTHER)
    np.testing.assert_array_equal(recorder.requests[6].init, picture(OTHER[6]))
    looks.known["still.png"] = {"frames": 1, "timed": False}
    film(quiet(init="still.png"), recorder, init=Video(OTHER.frames[:1]))
    np.testing.assert_array_equal(recorder.requests[-1].init, picture(OTHER[0]))


def test_a_constant_source_with_a_moving_unit(quiet, recorder, looks):
    looks.known["still.png"] = {"frames": 1, "timed": False}
    units = [{"model": "canny"}, {"model": "depth", "image": "init"}]
    film(quiet(init="still.png", units=units), recorder, init=Video(OTHER.frames[:1]))
    for index, hashes in enumerate(recorder.control):
        assert hashes == (digest(picture(VIDEO[index])), digest(picture(OTHER[0])))


def test_masks_come_from_films_alpha_and_the_previous_output(quiet, recorder, looks):
    film(quiet(mask="m.mp4"), recorder, mask=OTHER)
    luma = recorder.requests[4].mask
    red, green, blue = np.moveaxis(picture(OTHER[4]), 2, 0)
    np.testing.assert_allclose(luma, 0.299 * red + 0.587 * green + 0.114 * blue, atol=1e-5)
    looks.known["v.mp4"] = {"alpha": True}
    clear = frames_of(3, channels=4)
    recorder.requests.clear()
    list(run(quiet(mask="alpha", mask_invert=True), Studio(engine=recorder), {"video": clear}))
    np.testing.assert_allclose(recorder.requests[2].mask, 1 - clear[2][..., 3] / 255, atol=1e-6)
    looks.known["v.mp4"] = {}
    recorder.requests.clear()
    film(quiet(mask="previous output"), recorder)
    assert recorder.requests[0].mask is None
    assert recorder.requests[1].mask is not None


def test_an_empty_mask_keeps_the_frame_and_is_said_once(quiet, recorder):
    black = Video(np.zeros_like(OTHER.frames))
    events = list(run(quiet(mask="m.mp4"), Studio(engine=recorder), {"video": VIDEO, "mask": black}))
    assert not recorder.requests
    np.testing.assert_array_equal(done(events)[5].picture, picture(VIDEO[5]))
    assert [event.sentence for event in events if isinstance(event, Warned)] == [
        "mask: it is empty at frame 0, so it keeps its picture, as all such frames do"
    ]


@pytest.mark.parametrize("space", ["RGB", "HSV", "LAB"])
@pytest.mark.parametrize("reference", ["first frame", "video", "previous output", "c.png"])
def test_colours_go_to_the_reference(quiet, looks, space, reference):
    looks.known["c.png"] = {"frames": 1, "timed": False}
    bright = Video(np.full((1, 64, 64, 3), (250, 200, 180), np.uint8))
    plain = film(quiet(seed_behavior="iter"), Recorder())
    changed = film(
        quiet(seed_behavior="iter", color_coherence=space, color_reference=reference),
        Recorder(),
        **({"color_reference": bright} if reference == "c.png" else {}),
    )
    wanted = {
        "first frame": changed[0].picture,
        "video": picture(VIDEO[4]),
        "previous output": changed[3].picture,
        "c.png": picture(bright[0]),
    }[reference]
    if space == "RGB":
        np.testing.assert_allclose(changed[4].picture.mean((0, 1)), wanted.mean((0, 1)), atol=0.01)
    assert not np.array_equal(plain[4].picture, changed[4].picture)


def test_independent_frames_carry_no_state(quiet, recorder):
    assert all(frame.state is None for frame in film(quiet(), recorder))
    assert state_before(quiet(), 5, None).frame == 4


def test_frames_that_look_at_the_first_one_know_only_it(quiet, recorder):
    plan = quiet(color_coherence="RGB")
    frames = film(plan, recorder)
    assert [frame.state is not None for frame in frames] == [True] + [False] * 7
    assert frames[0].state.previous is None
    assert state_before(plan, 5, None) is None
    leapt = state_before(plan, 5, frames[0].state)
    assert leapt.frame == 4
    np.testing.assert_array_equal(film(plan, recorder, leapt)[0].picture, frames[5].picture)


@pytest.mark.parametrize(
    "changes",
    [
        {"init": "previous output"},
        {"mask": "previous output"},
        {"units": [{"model": "canny", "image": "previous output"}]},
        {"color_coherence": "LAB", "color_reference": "previous output"},
    ],
)
def test_films_that_feed_on_themselves_go_on_from_any_state(quiet, changes):
    plan = quiet(seed_behavior="iter", **changes)
    frames = film(plan, Recorder())
    assert state_before(plan, 5, frames[2].state) is None
    assert state_before(plan, 5, frames[4].state) is frames[4].state
    for frame in frames[:-1]:
        for other in film(plan, Recorder(), frame.state):
            np.testing.assert_array_equal(other.picture, frames[other.index].picture)


def test_a_units_frame_n_belongs_to_output_n_from_any_state_with_range_and_step(quiet, looks):
    looks.known["v.mp4"] = looks.known["pose"] = {"frames": 40}
    video, pose = frames_of(5, 40), frames_of(6, 40)
    plan = quiet(video_start=3, video_stop=33, video_every=3, units=[{"model": "canny", "image": "pose"}])
    for start in (None, RestyleState(frame=3), RestyleState(frame=8)):
        recorder = Recorder()
        list(run(plan, Studio(engine=recorder), {"video": video, "unit 0": pose}, start))
        first = 0 if start is None else start.frame + 1
        expected = [digest(picture(pose[3 + 3 * n])) for n in range(first, 10)]
        assert [hashes[0] for hashes in recorder.control] == expected
        assert [digest(r.init) for r in recorder.requests] == [
            digest(picture(video[3 + 3 * n])) for n in range(first, 10)
        ]


def test_a_units_own_mask_and_size(quiet, recorder, looks):
    looks.known["pose"] = looks.known["where"] = {"width": 32, "height": 48}
    pose = Video(np.random.default_rng(0).integers(0, 256, (8, 48, 32, 3), dtype=np.uint8))
    where = Video(np.full((8, 96, 64, 3), 255, np.uint8))
    units = [{"model": "canny", "image": "pose", "mask": "where"}]
    film(quiet(units=units), recorder, **{"unit 0": pose, "unit 0 mask": where})
    unit = recorder.requests[0].control[0]
    assert unit.image.shape == (48, 32, 3)
    assert unit.mask.shape == (48, 32)
    assert unit.mask.min() == 1


def test_frames_carry_what_made_them(quiet, recorder):
    plan = quiet(video_start=2, prompts={"0": "one", "3": "two --neg three"}, units=[{"model": "canny"}])
    frame = film(plan, recorder)[4]
    values = {name: frame.values[name] for name in ("prompt", "negative", "seed", "video picture")}
    assert values == {"prompt": "two", "negative": "three", "seed": 5, "video picture": 6}
    assert frame.values["unit 0 weight"] == 1


def test_what_a_source_repairs_is_said(quiet, recorder):
    class Damaged(Video):
        warnings = ("picture 3 is damaged and shows the one before",)

    events = list(run(quiet(), Studio(engine=recorder), {"video": Damaged(VIDEO.frames)}))
    assert [event.sentence for event in events if isinstance(event, Warned)] == [
        "video: picture 3 is damaged and shows the one before"
    ]


def test_the_next_frame_is_read_while_one_is_painted_and_nothing_runs_on_after_closing(quiet):
    read = [threading.Event() for _ in range(8)]

    class Watched(Video):
        def __getitem__(self, index: int) -> np.ndarray:
            read[index].set()
            return super().__getitem__(index)

    class Patient(Recorder):
        def still(self, request, on_step=None):
            number = len(self.requests)
            assert read[number + 1].wait(10), "the next frame is read only after this one is painted"
            return super().still(request, on_step)

    events = run(quiet(), Studio(engine=Patient()), {"video": Watched(VIDEO.frames)})
    for event in events:
        if isinstance(event, FrameDone) and event.index == 3:
            break
    events.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("flipbook-read")]
    assert not read[6].is_set()


def test_a_source_that_fails_ends_the_film_with_its_sentence(quiet, recorder):
    class Broken(Video):
        def __getitem__(self, index: int) -> np.ndarray:
            if index == 4:
                raise FlipbookError("picture 4 cannot be read")
            return super().__getitem__(index)

    events = run(quiet(), Studio(engine=recorder), {"video": Broken(VIDEO.frames)})
    frames: list[int] = []
    with pytest.raises(FlipbookError, match="picture 4"):
        frames.extend(event.index for event in events if isinstance(event, FrameDone))
    assert len(recorder.requests) == 4
