"""A clip is one request: what every setting becomes in it, and what comes out of the pipeline."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from lib_anim.engines.checker import CheckerEngine
from lib_anim.engines.contract.capabilities import Capabilities, ClipCapabilities, MotionChoice, Style
from lib_anim.engines.contract.engine import OnStep
from lib_anim.engines.contract.requests import ClipRequest
from lib_anim.kinds.base import Studio
from lib_anim.kinds.clip.inputs import ClipInputs
from lib_anim.kinds.clip.loop import ClipState, request_of, run
from lib_anim.kinds.clip.motion_settings import OUTPUT, SOURCE
from lib_anim.kinds.clip.plan import plan
from lib_anim.kinds.clip.settings import Clip
from lib_anim.kinds.events import Event, Finished, FrameDone, Warned
from lib_anim.kinds.needs import VideoNeed
from lib_anim.media.contract import SourceInfo
from lib_anim.settings.base import specs
from lib_anim.types import Picture

SMALL: dict[str, Any] = {
    "width": 64,
    "height": 64,
    "seed": 3,
    "frames": 20,
    "prompts": "a\n0: b\n10: c\nd --neg e",
}
CAN = Capabilities(
    samplers=("Euler a", "Euler"),
    schedulers=("Automatic", "Karras"),
    inpaint=True,
    subseed=True,
    travel=True,
    checkpoints=("other",),
    vaes=("soft",),
    scripts=("ADetailer",),
    styles={"ink": Style("{prompt}, ink", "colour")},
    clip=ClipCapabilities(motion_modules=(MotionChoice("one", "one", 32), MotionChoice("two", "two", 32))),
)


class Frames:
    """A source of grey frames, each lighter than the one before."""

    def __len__(self) -> int:
        return 24

    def __getitem__(self, index: int) -> np.ndarray:
        return np.full((64, 64, 3), 10 * index, np.uint8)


def probe(need: VideoNeed) -> SourceInfo:
    return SourceInfo(width=64, height=64, rate=Fraction(12), frames=24)


def flat(value: int) -> np.ndarray:
    return np.full((64, 64, 3), value, np.uint8)


def inputs_of(settings: Clip) -> ClipInputs:
    return ClipInputs(
        init=flat(128) if settings.init_image else None,
        last=flat(200) if settings.last_frame else None,
        video=Frames() if settings.video else None,  # type: ignore[arg-type]
        mask=flat(100) if settings.mask_path else None,
        scale_mask=flat(50) if settings.motion_scale_mask else None,
        effect_mask=flat(60) if settings.motion_effect_mask else None,
    )


def asked(**changes: Any) -> ClipRequest:
    planned = plan(Clip(**{**SMALL, **changes}), CAN, 0, probe)
    return request_of(planned, inputs_of(planned.settings))


def shown(request: ClipRequest) -> dict[str, Any]:
    """A request as values that can be compared, its pictures too."""
    found = {f.name: getattr(request, f.name) for f in fields(request)}
    steering = found.pop("motion")
    found |= {f"motion.{f.name}": getattr(steering, f.name) for f in fields(steering)}
    for name in ("init", "mask"):
        get = found[name]
        found[name] = None if get is None else [get(i).tobytes() for i in range(len(request.frames))]
    return {k: v.tobytes() if isinstance(v, np.ndarray) else v for k, v in found.items()}


IMG = {"init_image": "i.png"}
CHANGES: dict[str, tuple[dict[str, Any], Any, set[str]]] = {
    "module": ({}, "two", {"motion.module"}),
    "frames": ({}, 21, {"frames", "shown"}),
    "full_context": ({"frames": 4, "prompts": "a"}, False, {"frames"}),
    "context": ({}, 8, {"motion.context"}),
    "stride": ({}, 2, {"motion.stride"}),
    "overlap": ({}, 3, {"motion.overlap"}),
    "closed_loop": ({}, "A", {"motion.closed_loop", "frames"}),
    "context_schedule": ({}, "batched", {"motion.schedule"}),
    "fusion": ({}, "last", {"motion.fusion"}),
    "freeinit_enable": ({}, True, {"motion.freeinit"}),
    "freeinit_filter": ({"freeinit_enable": True}, "box", {"motion.freeinit"}),
    "freeinit_ds": ({"freeinit_enable": True}, 0.5, {"motion.freeinit"}),
    "freeinit_dt": ({"freeinit_enable": True}, 0.5, {"motion.freeinit"}),
    "freeinit_iters": ({"freeinit_enable": True}, 2, {"motion.freeinit"}),
    "noise_type": ({}, "shared", {"motion.noise"}),
    "noise_shared": ({"noise_type": "shared"}, 0.7, {"motion.noise_shared"}),
    "motion_scale": ({}, "0:(1), 9:(2)", {"motion.scale"}),
    "motion_effect": ({}, "0:(0.5)", {"motion.effect"}),
    "motion_scale_mask": ({}, "m.png", {"motion.scale_mask"}),
    "motion_effect_mask": ({}, "m.png", {"motion.effect_mask"}),
    "motion_scale_blocks": ({}, "up 1: 2", {"motion.scale_blocks"}),
    "motion_effect_blocks": ({}, "mid: 0", {"motion.effect_blocks"}),
    "motion_loras": ({}, "pan:0.5", {"motion.loras"}),
    "prompt_interpolation": ({}, "hold", {"frames"}),
    "latent_power": (IMG, 0.8, {"ramp"}),
    "latent_scale": (IMG, 64, {"ramp"}),
    "last_frame": (IMG, "l.png", {"last"}),
    "latent_power_last": ({**IMG, "last_frame": "l.png"}, 0.8, {"ramp"}),
    "latent_scale_last": ({**IMG, "last_frame": "l.png"}, 64, {"ramp"}),
    "denoising_ramp": (IMG, "0:(0.2), 9:(1)", {"frames", "ramp"}),
    "width": ({}, 128, {"width"}),
    "height": ({}, 128, {"height"}),
    "seed": ({}, 9, {"frames"}),
    "prompts": ({}, "x", {"frames"}),
    "positive": ({}, "oil", {"frames"}),
    "styles": ({}, ["ink"], {"frames"}),
    "negative": ({}, "blur", {"frames"}),
    "bpm": ({"motion_effect": "0:(clamp(beat, 0, 2))"}, 60, {"motion.effect"}),
    "fps": ({"motion_effect": "0:(clamp(sec, 0, 2))"}, 24, {"motion.effect"}),
    "init_image": ({}, "i.png", {"init", "frames", "ramp"}),
    "video_path": ({}, "v", {"init", "frames"}),
    "video_source": ({}, "v.mp4", {"init", "frames"}),
    "denoising": (IMG, 0.3, {"frames"}),
    "mask_path": (IMG, "m.png", {"mask"}),
    "mask_invert": ({**IMG, "mask_path": "m.png"}, True, {"mask"}),
    "mask_blur": ({**IMG, "mask_path": "m.png"}, 9, {"mask_blur"}),
    "mask_fill": ({**IMG, "mask_path": "m.png"}, "fill", {"fill"}),
    "mask_only": ({**IMG, "mask_path": "m.png"}, True, {"only_masked"}),
    "mask_padding": ({**IMG, "mask_path": "m.png"}, 5, {"only_masked_padding"}),
    "sampler": ({}, "euler", {"sampler"}),
    "scheduler": ({}, "karras", {"scheduler"}),
    "steps": ({}, 5, {"steps"}),
    "cfg_scale": ({}, "0:(3)", {"frames"}),
    "checkpoint": ({}, "other", {"checkpoint"}),
    "vae": ({}, "soft", {"vae"}),
    "clip_skip": ({}, 2, {"clip_skip"}),
    "eta": ({}, 0.5, {"eta"}),
    "noise_multiplier": ({}, 0.9, {"noise_multiplier"}),
    "subseed": ({}, 4, {"frames"}),
    "subseed_strength": ({}, 0.5, {"subseed_strength"}),
    "scripts": ({}, {"adetailer": [True]}, {"scripts"}),
}
"""Setting → (other settings, its new value, the parts of the request that change)."""

ELSEWHERE = {
    # Files: their readers and the look at them are tested where they are opened.
    "video_start",
    "video_stop",
    "video_every",
    "init_fit",
    "soundtrack",
    "upscale",
    "upscaler",
}


def test_every_setting_that_steers_pixels_is_here() -> None:
    output = {name for name, spec in specs(Clip).items() if spec.group == OUTPUT}
    assert set(CHANGES) == set(specs(Clip)) - output - ELSEWHERE
    assert {"video_path", "video_source"} <= {n for n, s in specs(Clip).items() if s.group == SOURCE}


@pytest.mark.parametrize("name", CHANGES)
def test_a_setting_changes_its_part_of_the_request(name: str) -> None:
    beside, value, parts = CHANGES[name]
    one, other = shown(asked(**beside)), shown(asked(**{**beside, name: value}))
    changed = {part for part in one if one[part] != other[part]}
    if name in ("width", "height"):
        changed -= {"init", "mask"}
    assert changed == parts


def test_frames_have_their_own_seeds_prompts_and_places() -> None:
    request = asked()
    assert [f.seed for f in request.frames] == list(range(3, 23))
    assert (request.frames[0].prompt, request.frames[0].negative) == ("a, b, d", "e")
    middle = request.frames[5].travel
    assert middle is not None
    assert (middle.prompt, middle.weight, middle.how) == ("a, c, d", 0.5, "slerp")
    assert request.frames[15].prompt == "a, c, d"
    assert asked(prompt_interpolation="hold").frames[9].travel is None


def test_a_videos_frame_belongs_to_the_clips_frame_of_its_number() -> None:
    request = asked(video_path="v", frames=0)
    assert len(request.frames) == 24
    assert request.init is not None
    assert [round(float(request.init(i)[0, 0, 0]) * 255) for i in (0, 7, 23)] == [0, 70, 230]
    assert request.ramp is None


def events(settings: Clip, state: ClipState | None = None) -> list[Event]:
    engine = CheckerEngine()
    planned = plan(settings, engine.capabilities, 0, probe)
    return list(run(planned, Studio(engine=engine), vars(inputs_of(planned.settings)), state))


def test_frames_come_in_order_with_what_made_them() -> None:
    found = events(Clip(**{**SMALL, "frames": 4, "prompt_interpolation": "hold"}))
    frames = [event for event in found if isinstance(event, FrameDone)]
    assert [frame.index for frame in frames] == [0, 1, 2, 3]
    assert [frame.values["seed"] for frame in frames] == [3, 4, 5, 6]
    assert frames[0].values["prompt"] == "a, b, d"
    assert frames[0].values["module"] == "checker"
    assert found[-1] == Finished(4)


def test_what_is_missing_is_denoised_again_and_said() -> None:
    settings = Clip(**{**SMALL, "prompts": "a"})
    whole = [event.picture for event in events(settings) if isinstance(event, FrameDone)]
    found = events(settings, ClipState(frame=16))
    rest = [event for event in found if isinstance(event, FrameDone)]
    assert [event.index for event in rest] == [17, 18, 19]
    assert all(np.array_equal(event.picture, whole[event.index]) for event in rest)
    assert any(isinstance(event, Warned) and "denoised again" in event.sentence for event in found)


def test_a_whole_clip_is_not_denoised_again() -> None:
    class Idle(CheckerEngine):
        def clip(self, request: ClipRequest, on_step: OnStep | None = None) -> Iterator[Picture]:
            raise AssertionError("nothing is missing")

    planned = plan(Clip(**{**SMALL, "prompts": "a"}), Idle().capabilities, 0, probe)
    assert list(run(planned, Studio(engine=Idle()), {}, ClipState(frame=19))) == [Finished(20)]


def test_closing_the_pipeline_closes_the_engines_clip() -> None:
    closed = []

    class Watched(CheckerEngine):
        def clip(self, request: ClipRequest, on_step: OnStep | None = None) -> Iterator[Picture]:
            try:
                yield from super().clip(request, on_step)
            finally:
                closed.append(True)

    engine = Watched()
    planned = plan(Clip(**{**SMALL, "prompts": "a"}), engine.capabilities, 0, probe)
    pipeline = run(planned, Studio(engine=engine), {})
    assert any(isinstance(next(pipeline), FrameDone) for _ in range(3))
    pipeline.close()  # type: ignore[attr-defined]
    assert closed == [True]
