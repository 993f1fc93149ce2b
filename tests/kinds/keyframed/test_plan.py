from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from lib_anim.engines.contract.capabilities import Capabilities, Style
from lib_anim.errors import FlipbookError
from lib_anim.kinds.keyframed.plan import painted_frames, plan
from lib_anim.kinds.keyframed.settings import Keyframed
from lib_anim.media.contract import SourceInfo
from lib_anim.timeline.prompts import FramePrompt

EIGHT = SourceInfo(width=64, height=64, rate=Fraction(12), frames=8)


def probe(need):
    return EIGHT


ENGINE = Capabilities(samplers=("Euler a",), schedulers=("Automatic",))


def sentences(**settings) -> str:
    with pytest.raises(FlipbookError) as caught:
        plan(Keyframed(**settings), ENGINE, 0, probe)
    return "\n".join(problem.sentence for problem in caught.value.problems)


def test_a_seed_is_drawn_once_and_kept():
    drawn = plan(Keyframed(), ENGINE, 77, probe)
    assert drawn.settings.seed == 77
    assert plan(drawn.settings, ENGINE, 99, probe).seeds == drawn.seeds


def test_schedules_see_the_drawn_seed():
    assert plan(Keyframed(cfg_scale="0:(s % 10)"), ENGINE, 77, probe).at("cfg_scale", 0) == 7


def test_a_value_outside_its_range_names_field_frame_and_range():
    text = sentences(strength="0:(0.5), 10:(1.5)", frames=20)
    assert text.startswith("strength: 1.1 at frame 6 is not allowed")
    assert "0 to 1" in text


def test_in_a_deforum_file_strength_is_clamped_with_a_warning():
    done = plan(Keyframed(strength="0:(0.5), 10:(1.5)", frames=20, dialect="deforum"), ENGINE, 0, probe)
    assert done.numbers["strength"].max() == 1
    assert any("strength" in sentence and "14 of 20" in sentence for sentence in done.warnings)


def test_all_problems_come_at_once():
    text = sentences(strength="0:(2)", cfg_scale="0:(-1)")
    assert "strength:" in text
    assert "cfg_scale:" in text


def test_a_sampler_that_the_engine_lacks_is_named_with_those_it_has():
    text = sentences(sampler='0:("Euler a"), 5:("DDIM")')
    assert '"DDIM" is not a sampler of this engine; it has Euler a' in text


def test_even_kernels_are_refused_where_they_would_be_used():
    assert "sharpen_kernel: 4 at frame 0 is even" in sentences(sharpen_kernel="0:(4)")
    plan(Keyframed(sharpen_kernel="0:(4)", sharpen_amount=0), ENGINE, 0, probe)


def test_whole_number_schedules_are_truncated():
    assert list(plan(Keyframed(steps="0:(10), 4:(12)", frames=5), ENGINE, 0, probe).numbers["steps"]) == [
        10,
        10,
        11,
        11,
        12,
    ]


def test_fingerprints_tell_settings_and_engines_apart():
    one = plan(Keyframed(seed=1), ENGINE, 0, probe)
    assert one.fingerprint("a") == plan(Keyframed(seed=1), ENGINE, 5, probe).fingerprint("a")
    assert one.fingerprint("a") != one.fingerprint("b")
    assert one.fingerprint("a") != plan(Keyframed(seed=2), ENGINE, 0, probe).fingerprint("a")


def test_styles_lie_round_the_prompts_and_their_texts_count_for_resuming():
    def planned(text):
        can = replace(ENGINE, styles={"ink": Style(text, "colour")})
        return plan(Keyframed(prompts="a fox", styles=["ink"]), can, 0, probe)

    before, after = planned("ink"), planned("brown ink")
    assert before.travel[0].before == FramePrompt("a fox, ink", "colour")
    assert before.settings.prompts == after.settings.prompts
    assert before.fingerprint("x") != after.fingerprint("x")
    assert '"oil" is not a style of this engine; it has none' in sentences(styles=["oil"])


def test_schedules_among_scripts_arguments_are_read_with_the_rest():
    can = replace(ENGINE, scripts=("Tint",))
    scripts = {"Tint": [{"schedule": "0:(0), 10:(1)"}]}
    done = plan(Keyframed(frames=11, scripts=scripts), can, 0, probe)
    assert done.scripts.at(5) == {"Tint": [0.5]}
    with pytest.raises(FlipbookError) as caught:
        plan(Keyframed(scripts={"Tint": [{"schedule": "0:(foo)"}]}, cfg_scale="0:(-1)"), can, 0, probe)
    assert [p.field for p in caught.value.problems] == ["cfg_scale", "scripts Tint 0"]


def test_painted_frames_end_with_the_last():
    assert painted_frames(10, 4) == (0, 4, 8, 9)
    assert painted_frames(1, 4) == (0,)


@pytest.mark.parametrize("mode", ["Interpolation", "Video Input"])
def test_modes_without_a_camera_paint_every_frame_and_say_so(mode):
    done = plan(Keyframed(mode=mode, video="v.mp4", frames=8, cadence=3), ENGINE, 0, probe)
    assert done.painted == tuple(range(8))
    assert any(sentence.startswith("cadence:") for sentence in done.warnings)


def test_zero_frames_take_all_of_the_video():
    done = plan(Keyframed(mode="Video Input", video="v.mp4", frames=0), ENGINE, 0, probe)
    assert done.frames == 8
    assert done.settings.frames == 8


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"mode": "Video Input", "video": "v.mp4", "frames": 9}, "video"),
        ({"mask_video": "m.mp4", "frames": 9}, "mask_video"),
    ],
)
def test_a_video_that_is_too_short_is_a_sentence(settings, field):
    assert sentences(**settings).startswith(f'{field}: "{settings.get(field)}" gives 8 frames for 9')


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"mode": "Video Input"}, "video"),
        ({"frames": 0}, "frames"),
        ({"mask_alpha": True}, "mask_alpha"),
        ({"mask_image": "m.png"}, "mask_image"),
        ({"checkpoint": "other"}, "checkpoint"),
        ({"vae": "other"}, "vae"),
        ({"mask_expression": "{init}"}, "mask_expression"),
        ({"mask_expression": "<sky>"}, "mask_expression"),
        ({"noise_mask_expression": "{human}"}, "noise_mask_expression"),
        ({"mode": "Interpolation", "prompt_blend": "slerp"}, "prompt_blend"),
    ],
)
def test_what_cannot_be_is_refused_by_name(settings, field):
    assert sentences(**settings).startswith(f"{field}: ")


def test_samplers_may_be_written_small():
    assert plan(Keyframed(sampler="euler a"), ENGINE, 0, probe).words["sampler"][0] == "Euler a"
