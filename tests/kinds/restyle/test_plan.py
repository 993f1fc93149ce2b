"""What is resolved and what is refused before a frame is painted: each mistake is a sentence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import pytest

from lib_anim.engines.contract.capabilities import Capabilities
from lib_anim.errors import FlipbookError
from lib_anim.kinds.restyle.plan import _fingerprint_text, plan
from lib_anim.kinds.restyle.png_info import PictureParameters
from lib_anim.kinds.restyle.settings import Restyle
from lib_anim.kinds.restyle.tracks import gap_warning
from tests.kinds.restyle.conftest import EVERYTHING, QUIET


def refused(looks, capabilities=EVERYTHING, **changes) -> list[tuple[str, str]]:
    with pytest.raises(FlipbookError) as caught:
        plan(Restyle(**{**QUIET, **changes}), capabilities, 0, looks)
    return [(problem.field, problem.message) for problem in caught.value.problems]


def test_nothing_optional_is_left(quiet):
    made = quiet(seed=-1)
    s = made.settings
    assert (s.seed, s.frames, s.fps, s.width, s.height) == (0, 8, 12, 64, 64)
    assert made.rate == 12
    assert plan(s, EVERYTHING, 99, lambda need: _info()).seeds == made.seeds


def _info():
    from lib_anim.media.contract import SourceInfo

    return SourceInfo(width=64, height=64, rate=Fraction(12), frames=8)


def test_without_a_video_there_is_nothing_to_do(looks):
    assert refused(looks, video="") == [("video", "is empty; give a film or a folder of pictures")]


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"video_start": 8}, "video_start", "8 is after the last frame, 7"),
        ({"video_stop": 9}, "video_stop", "9 is more than the 8 frames"),
        ({"video_start": 5, "video_stop": 5}, "video_stop", "5 leaves no frame from 5 on"),
    ],
)
def test_a_range_without_frames_is_a_sentence(looks, changes, field, words):
    ((where, sentence),) = refused(looks, **changes)
    assert where == field
    assert words in sentence


@pytest.mark.parametrize("source", [Fraction(24000, 1001), Fraction(30000, 1001), Fraction(50), Fraction(60)])
@pytest.mark.parametrize("rate", [8, 12, 20, 24, 30, 40])
@pytest.mark.parametrize("every", [1, 3])
def test_speed_is_exact_for_any_pair_of_rates(looks, source, rate, every):
    """mov2mov plays 30 → 20 frames/s one and a half times too slow."""
    looks.known["v.mp4"] = {"rate": source, "frames": 300}
    made = plan(Restyle(**QUIET, fps=rate, video_every=every), EVERYTHING, 0, looks)
    assert abs(made.frames / made.rate - 300 / source) <= max(1 / made.rate, every / source)
    for frame, pick in enumerate(made.picks["video"]):
        # What is shown at a moment is what the video shows then, within a frame of the slower of the two.
        assert abs(frame / made.rate - int(pick) / source) <= max(1 / made.rate, every / source)


def test_pictures_are_shown_as_fast_as_is_said(looks):
    looks.known["v.mp4"] = {
        "timed": False,
        "rate": Fraction(24),
        "names": tuple(f"{i}.png" for i in range(8)),
    }
    assert (plan(Restyle(**QUIET, fps=10), EVERYTHING, 0, looks).frames, 8) == (8, 8)
    assert plan(Restyle(**QUIET), EVERYTHING, 0, looks).rate == 24


def test_max_frames_is_at_most(quiet):
    assert quiet(frames=3).frames == 3
    assert quiet(frames=300).frames == 8


@pytest.mark.parametrize(
    ("video", "changes", "size"),
    [
        ((130, 98), {}, (128, 96)),
        ((720, 1280), {"width": 360}, (360, 640)),
        ((720, 1280), {"height": 640}, (360, 640)),
        ((200, 100), {"scale": 1.5}, (304, 152)),
        ((640, 360), {"width": 512, "height": 512}, (512, 512)),
    ],
)
def test_sizes_are_the_videos_and_multiples_of_8(looks, video, changes, size):
    looks.known["v.mp4"] = {"width": video[0], "height": video[1]}
    made = plan(Restyle(**QUIET, **changes), EVERYTHING, 0, looks)
    assert made.size == size
    rounded = not changes or "scale" in changes
    assert any("multiples of 8" in sentence for sentence in made.warnings) == rounded


def test_a_size_of_64s_is_met_where_an_engine_needs_it(looks):
    looks.known["v.mp4"] = {"width": 200, "height": 100}
    assert plan(Restyle(**QUIET), replace(EVERYTHING, multiple_of=64), 0, looks).size == (192, 128)
    assert refused(looks, replace(EVERYTHING, multiple_of=64), width=72, height=64)[0][0] == "width"


def test_a_tiny_video_is_told_how_to_grow(looks):
    looks.known["v.mp4"] = {"width": 32, "height": 32}
    assert [where for where, _ in refused(looks)] == ["width", "height"]
    assert "scale" in refused(looks)[0][1]


def test_what_an_engine_lacks_is_named_with_the_way_out(looks):
    poor = Capabilities(samplers=("Euler a",), schedulers=("Automatic",))
    found = dict(
        refused(
            looks,
            poor,
            mask="m.mp4",
            prompt_blend="slerp",
            restore_faces=True,
            tiling=True,
            sampler="Heun",
            checkpoint="gone",
            scripts={"ADetailer": [True]},
            units=[{"model": "canny"}],
        )
    )
    assert set(found) == {
        *("mask", "prompt_blend", "restore_faces", "tiling", "sampler", "checkpoint", "units 0", "scripts")
    }
    assert "sd-webui-controlnet" in found["units 0"]
    assert found["checkpoint"] == '"gone" is not a checkpoint of this engine; it has none to change to'


def test_a_missing_model_among_controlnets_own_arguments_is_named(looks):
    ((field, sentence),) = refused(looks, scripts={"ControlNet": [{"enabled": True, "model": "pose"}]})
    assert (field, sentence) == (
        "scripts",
        'there is no ControlNet model "pose" here; it has canny, depth',
    )


def test_a_missing_controlnet_model_is_named_with_those_that_are_there(looks):
    units = [{"model": "canny"}, {"model": '0:("canny"), 4:("pose")', "module": "hed"}]
    ((field, sentence),) = refused(looks, units=units)
    assert field == "units 1 model"
    assert sentence == '"pose" is not a ControlNet model here; it has canny, depth'


def test_a_units_schedules_are_checked_at_every_frame(looks):
    units = [
        {"model": "canny", "weight": "0:(1), 7:(3)"},
        {"model": "canny", "guidance_start": "0:(0.9)", "guidance_end": "0:(1), 7:(0.5)"},
    ]
    found = refused(looks, units=units)
    assert [field for field, _ in found] == ["units 0 weight", "units 1 guidance_start"]
    assert "2.14286 at frame 4" in found[0][1]
    assert "in frame 2" in found[1][1]


def test_alpha_that_is_not_there_is_a_sentence(looks):
    assert refused(looks, mask="alpha")[0] == (
        "mask",
        "the video has no alpha; give a picture, film or folder of masks",
    )


def test_every_problem_is_told_at_once(looks):
    looks.known["m"] = {"frames": 3}
    found = refused(looks, mask="m", denoising="0:(2)", units=[{"model": "canny", "weight": 2, "image": "m"}])
    assert [field for field, _ in found] == ["denoising", "mask", "units 0 image"]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["0001.png", "0002.png", "0004.png"], "0002.png to 0004.png"),
        (["a1.png", "a3.png", "a5.png"], ""),
        (
            ["f_10.png", "f_20.png", "f_50.png", "f_60.png", "f_80.png"],
            "f_20.png to f_50.png, and 1 times more",
        ),
        (["a.png", "b.png", "c.png"], ""),
        (["1.png", "2.png"], ""),
    ],
)
def test_a_folder_with_a_gap_is_said(names, told):
    sentences = gap_warning(names)
    assert bool(sentences) == bool(told)
    assert told in "".join(sentences)


def test_a_folder_with_a_gap_is_said_by_the_plan(looks):
    looks.known["v.mp4"] = {"timed": False, "names": tuple(f"{i}.png" for i in (0, 1, 2, 3, 5, 6, 7, 8))}
    made = plan(Restyle(**QUIET), EVERYTHING, 0, looks)
    assert made.frames == 8
    assert any("3.png to 5.png" in sentence for sentence in made.warnings)


def test_a_fingerprint_names_settings_and_engine(quiet):
    assert quiet().fingerprint("a") == quiet().fingerprint("a")
    assert quiet().fingerprint("a") != quiet().fingerprint("b")
    assert quiet().fingerprint("a") != quiet(steps=9).fingerprint("a")


def test_the_fingerprint_of_older_runs_with_png_info_stays() -> None:
    """The text that version 1 hashed: repr of a tuple of a dataclass called Said."""

    @dataclass(frozen=True, kw_only=True)
    class Said:
        prompt: str = ""
        negative: str = ""
        seed: int | None = None
        steps: int | None = None
        cfg_scale: float | None = None
        sampler: str | None = None
        scheduler: str | None = None
        checkpoint: str | None = None

    Said.__qualname__ = "Said"
    values = [{"prompt": "a 'b'", "seed": 3, "cfg_scale": 7.5}, {"sampler": "Euler a"}]
    for count in (0, 1, 2):
        old = tuple(Said(**value) for value in values[:count])
        now = tuple(PictureParameters(**value) for value in values[:count])
        assert _fingerprint_text(now) == repr(old)
