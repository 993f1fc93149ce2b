"""Clips are planned before a frame is painted: lengths, modules, prompts, and what an engine lacks."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from lib_anim.engines.checker import CheckerEngine
from lib_anim.engines.contract.capabilities import Capabilities, ClipCapabilities, MotionChoice
from lib_anim.errors import FlipbookError
from lib_anim.kinds.clip.plan import ClipFilmPlan, make_draft, plan
from lib_anim.kinds.clip.settings import Clip
from lib_anim.kinds.draft import DraftOptions
from lib_anim.kinds.needs import VideoNeed
from lib_anim.media.contract import SourceInfo

CAN = replace(
    CheckerEngine().capabilities,
    travel=True,
    subseed=True,
    clip=ClipCapabilities(
        motion_modules=(
            MotionChoice("hsxl", "HotShot-XL", 24, "hsxl is for SDXL, the checkpoint is SD 1.x"),
            MotionChoice("mm_sd_v14", "v1", 24),
            MotionChoice("v3/mm_sd15_v3", "v3", 32),
        )
    ),
)


def probe(need: VideoNeed) -> SourceInfo:
    """Every video of these tests has twenty frames."""
    frames = len(range(20)[need.start : need.stop : need.every])
    return SourceInfo(width=64, height=64, rate=Fraction(12), frames=frames)


def planned(can: Capabilities | None = CAN, **changes: Any) -> ClipFilmPlan:
    return plan(Clip(**{"width": 64, "height": 64, "seed": 3, **changes}), can, 77, probe)


def refused(can: Capabilities | None = CAN, **changes: Any) -> dict[str, str]:
    with pytest.raises(FlipbookError) as caught:
        planned(can, **changes)
    return {problem.field: problem.message for problem in caught.value.problems}


@pytest.mark.parametrize(
    ("changes", "frames", "denoised"),
    [
        ({}, 16, 16),
        ({"context": 8}, 8, 8),
        ({"frames": 5}, 5, 16),
        ({"frames": 5, "full_context": False}, 5, 5),
        ({"frames": 40}, 40, 40),
        ({"video_path": "v"}, 20, 20),
        ({"video_path": "v", "video_every": 3, "video_start": 2}, 6, 16),
        ({"video_path": "v", "frames": 7}, 7, 16),
    ],
)
def test_lengths(changes: dict[str, Any], frames: int, denoised: int) -> None:
    found = planned(**changes)
    assert (found.frames, found.denoised) == (frames, denoised)
    assert len(found.travel) == denoised
    assert {len(values) for values in found.numbers.values()} == {denoised}


def test_seed_is_drawn_and_the_module_named() -> None:
    found = planned(seed=-1)
    assert (found.settings.seed, found.settings.module) == (77, "mm_sd_v14")
    assert planned(module="mm_SD_v14.ckpt").settings.module == "mm_sd_v14"
    assert planned(module="v3/mm_sd15_v3.safetensors").settings.module == "v3/mm_sd15_v3"


def test_what_an_engine_lacks_is_said_at_once() -> None:
    found = refused(module="hsxl", sampler="Elder", width=72, mask_path="m.png", init_image="i.png")
    assert set(found) == {"module", "sampler"}
    assert found["module"] == "hsxl is for SDXL, the checkpoint is SD 1.x"
    assert "mm_sd_v14" in refused(module="nothing")["module"]
    assert refused(replace(CAN, clip=None)) == {"kind": "this engine cannot render clips; choose another"}
    assert (
        "no motion module fits"
        in refused(replace(CAN, clip=ClipCapabilities(motion_modules=CAN.clip.motion_modules[:1])))["module"]
    )
    assert "animatediff next to the checkpoint" in refused(replace(CAN, clip=ClipCapabilities()))["module"]
    assert '"ADetailer" is not a script of this engine' in refused(scripts={"ADetailer": [True]})["scripts"]
    blind = replace(CAN, inpaint=False, subseed=False)
    assert set(refused(blind, mask_path="m.png", init_image="i.png", subseed_strength=0.5)) == {
        "mask_path",
        "subseed_strength",
    }


def test_engines_that_mix_no_prompts_hold_them() -> None:
    prompts, plain = "0: a\n9: b", replace(CAN, travel=False)
    assert "hold works" in refused(plain, prompts=prompts)["prompt_interpolation"]
    assert planned(plain, prompts=prompts, prompt_interpolation="hold").frames == 16
    assert planned(plain, prompts="a").frames == 16


def test_a_context_beyond_the_modules_table_is_refused() -> None:
    assert "at most 24" in refused(context=32)["context"]
    assert planned(context=32, module="v3/mm_sd15_v3").denoised == 32
    assert planned(context=32, frames=12, full_context=False).denoised == 12


def test_a_video_too_short_is_refused() -> None:
    assert "gives 20 frames for 21" in refused(video_source="v.mp4", frames=21)["video_source"]
    assert "gives 20 frames for 24" in refused(init_image="i.png", mask_path="masks", frames=24)["mask_path"]
    assert planned(init_image="i.png", mask_path="m.png", frames=24).frames == 24


def test_prompts_close_with_the_windows() -> None:
    prompts = "0: a\n10: b"
    for loop, length, closes in (("R-P", 20, False), ("R+P", 20, True), ("A", 20, True), ("A", 16, False)):
        last = planned(prompts=prompts, closed_loop=loop, frames=length).travel[length - 1]
        assert (last.after.positive == "a") is closes, (loop, length)


def test_schedules_hold_beyond_the_film() -> None:
    found = planned(frames=4, motion_scale="0:(1), 3:(4)")
    assert list(found.numbers["motion_scale"]) == [1, 2, 3, *[4] * 13]


def test_settings_beside_which_others_do_nothing_are_named() -> None:
    assert "latent_power" in planned(latent_power=2).warnings[0]
    assert "latent_scale" in planned(latent_scale=9, init_image="i.png", denoising_ramp="0:(0.5)").warnings[0]
    assert planned(latent_power=2, init_image="i.png").warnings == ()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"last_frame": "l.png"}, "last_frame"),
        ({"mask_path": "m.png"}, "mask_path"),
        ({"denoising_ramp": "0:(1)"}, "denoising_ramp"),
        ({"video_path": "v", "init_image": "i.png"}, "init_image"),
        ({"formats": ["TXT"]}, "formats"),
        ({"overlap": 16}, "overlap"),
        ({"video_path": "v", "video_start": 3, "video_stop": 3}, "video_stop"),
        ({"fps": 120}, "fps"),
        ({"eta": -0.5}, "eta"),
        ({"motion_loras": "pan:strong"}, "motion_loras"),
    ],
)
def test_contradictions_are_refused_when_settings_are_built(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(FlipbookError) as caught:
        Clip(**changes)
    assert [problem.field for problem in caught.value.problems] == [field]


def test_motion_loras_have_weights() -> None:
    assert Clip(motion_loras="pan:0.8, dir/zoom , C:\\roll, tilt:-1").loras == (
        ("pan", 0.8),
        ("dir/zoom", 1.0),
        ("C:\\roll", 1.0),
        ("tilt", -1.0),
    )


def test_half_is_the_only_trial() -> None:
    half = make_draft(planned(width=256, height=192, mask_blur=8), DraftOptions(half=True), CAN)
    assert half.size == (128, 96)
    assert half.settings.mask_blur == 4
    for trial, field in ((DraftOptions(every=2), "every"), (DraftOptions(only=3), "only")):
        with pytest.raises(FlipbookError, match="denoised together") as caught:
            make_draft(planned(), trial, CAN)
        assert caught.value.problems[0].field == field
    with pytest.raises(FlipbookError, match="no half"):
        make_draft(planned(), DraftOptions(half=True), CAN)
