"""Clips on the embedded engine: against diffusers' pipeline, and every setting against its absence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AnimateDiffPipeline, EulerDiscreteScheduler
from safetensors.torch import save_file

from lib_anim.engines.contract.requests import (
    ClipFrame,
    ClipRequest,
    FreeInit,
    LatentRamp,
    PromptTravel,
    Steering,
    StillRequest,
)
from lib_anim.engines.diffusion.engine import DiffusersEngine, open_engine
from lib_anim.errors import FlipbookError
from lib_anim.types import Picture
from tests.models.random_checkpoint import write_sd1
from tests.motion.conftest import KINDS, WIDTHS, native, oracle  # noqa: F401 (a fixture)

COUNT = 5


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DiffusersEngine]:
    folder = tmp_path_factory.mktemp("models")
    path = write_sd1(folder / "narrow.safetensors")
    modules = folder / "animatediff"
    modules.mkdir()
    for version in ("v1", "v2", "v3", "AnimateLCM", "SDXL"):
        tensors = native(**({"widths": WIDTHS} | KINDS[version]))  # type: ignore[arg-type]
        save_file(tensors, modules / f"{version}.safetensors")
    save_file({"a": torch.zeros(1)}, modules / "no module.safetensors")
    (folder / "Lora").mkdir()
    for name, seed in (("pan", 1), ("zoom", 2)):
        save_file(motion_lora(seed), folder / "Lora" / f"{name}.safetensors")
    made = open_engine(path, device="cpu")
    assert isinstance(made, DiffusersEngine)
    yield made
    made.close()


def motion_lora(seed: int) -> dict[str, torch.Tensor]:
    """A native motion LoRA of rank 4 on every projection of the way down's first level."""
    generator = torch.Generator().manual_seed(seed)
    stem = "down_blocks.0.motion_modules.0.temporal_transformer.transformer_blocks.0.attention_blocks"
    return {
        f"{stem}.{i}.processor.to_{part}_lora.{way}.weight": torch.randn(shape, generator=generator)
        for i in (0, 1)
        for part in ("q", "k", "v", "out")
        for way, shape in (("down", (4, 32)), ("up", (32, 4)))
    }


def frames_of(count: int = COUNT, **changes: Any) -> tuple[ClipFrame, ...]:
    return tuple(
        ClipFrame(**{"prompt": "a red ball", "negative": "blue", "seed": 7 + i, **changes})
        for i in range(count)
    )


def request(**changes: Any) -> ClipRequest:
    asked: dict[str, Any] = {
        "frames": frames_of(),
        "motion": Steering(module="v3.safetensors"),
        "width": 64,
        "height": 64,
        "steps": 2,
        "sampler": "Euler",
    }
    asked |= changes
    return ClipRequest(
        shown=changes.get("shown", len(asked["frames"])), **{k: v for k, v in asked.items() if k != "shown"}
    )


def clip(engine: DiffusersEngine, **changes: Any) -> np.ndarray:
    return np.stack(list(engine.clip(request(**changes))))


def apart(one: np.ndarray, other: np.ndarray) -> float:
    """The mean difference of two clips."""
    return float(np.abs(one - other).mean())


def test_modules_are_found_and_told(engine: DiffusersEngine) -> None:
    choices = {choice.name: choice for choice in engine.capabilities.clip.motion_modules}
    assert set(choices) == {f"{v}.safetensors" for v in ("v1", "v2", "v3", "AnimateLCM", "SDXL")}
    assert choices["v1.safetensors"].most_frames == 24
    assert "AnimateDiff v3" in choices["v3.safetensors"].title
    assert "does not fit" in choices["SDXL.safetensors"].why_not
    assert choices["v3.safetensors"].why_not == ""
    with pytest.raises(FlipbookError, match="does not fit this checkpoint"):
        engine.clip(request(motion=Steering(module="SDXL.safetensors")))


@pytest.mark.parametrize("version", ["v1", "v2", "v3", "AnimateLCM"])
def test_a_clip_is_diffusers_clip(engine: DiffusersEngine, oracle: Any, version: str) -> None:  # noqa: F811
    """AnimateDiffPipeline with its norms corrected, on the same latents and conditionings."""
    ours = clip(engine, motion=Steering(module=f"{version}.safetensors"), scheduler="Uniform", steps=4)
    painter = engine._painter(None)
    module = engine._motion.module(f"{version}.safetensors")
    model = oracle(painter.unet, module, COUNT)
    stills = [request().still(i) for i in range(COUNT)]
    codec = painter.codec(None)
    with torch.no_grad():
        noise = torch.stack([painter.noise(still, codec).first() for still in stills], dim=1)[None]
        positive = painter.text.encode(("a red ball",))[0].tokens[None]
        negative = painter.text.encode(("blue",))[0].tokens[None]
        scheduler = EulerDiscreteScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="linear",
            timestep_spacing="linspace",
            interpolation_type="linear",
            steps_offset=0,
        )
        pipeline = AnimateDiffPipeline(
            vae=codec.vae,
            text_encoder=None,
            tokenizer=None,
            unet=model,
            motion_adapter=None,
            scheduler=scheduler,
        )
        pipeline.set_progress_bar_config(disable=True)
        theirs = pipeline(
            prompt_embeds=positive.clone(),
            negative_prompt_embeds=negative.clone(),
            latents=noise.clone(),
            num_frames=COUNT,
            height=64,
            width=64,
            num_inference_steps=4,
            guidance_scale=7.0,
            output_type="np",
        ).frames[0]
    # The scheduler's levels are float32 rounded otherwise than ours.
    assert np.abs(ours - theirs).max() < 2e-3
    assert np.abs(ours - theirs).mean() < 2e-4


def test_without_effect_frames_are_their_stills(engine: DiffusersEngine) -> None:
    """HotShot aside, modules bring their own noise schedule: the stills are painted at those levels too."""
    still = StillRequest(
        prompt="a red ball", negative="blue", width=64, height=64, seed=9, steps=2, sampler="Euler"
    )
    painter = engine._painter(None)
    before = painter.levels
    frame = clip(engine, motion=Steering(module="v3.safetensors", effect=(0.0,)))[2]
    own = engine.still(still)
    assert not np.array_equal(frame, own)
    try:
        from lib_anim.engines.diffusion.clip import levels_of

        painter.levels = levels_of(painter, engine._motion.module("v3.safetensors"), False)
        assert np.abs(frame - engine.still(still)).max() < 1e-4
    finally:
        painter.levels = before
    assert np.array_equal(engine.still(still), own)


GREY = np.full((64, 64, 3), 0.5, np.float32)
RAMP = np.linspace(0, 1, 64 * 64 * 3, dtype=np.float32).reshape(64, 64, 3)


def half_mask(index: int) -> np.ndarray:
    mask = np.zeros((64, 64), np.float32)
    mask[:, 32:] = 1
    return mask


def spot(index: int) -> np.ndarray:
    mask = np.zeros((64, 64), np.float32)
    mask[24:40, 20:36] = 1
    return mask


def two_prompts(how: str) -> tuple[ClipFrame, ...]:
    return tuple(
        replace(f, travel=PromptTravel(prompt="winter tree", negative="red", weight=i / COUNT, how=how))  # type: ignore[arg-type]
        for i, f in enumerate(frames_of())
    )


IMG: dict[str, Any] = {"init": lambda index: RAMP, "frames": frames_of(denoising=0.7), "steps": 3}
MASKED: dict[str, Any] = {**IMG, "mask": half_mask}
LONG: dict[str, Any] = {"context": 3, "overlap": 1}
STEER: dict[str, tuple[dict[str, Any], Any]] = {
    "module": ({}, "v2.safetensors"),
    "context": ({}, 3),
    "stride": (LONG, 2),
    "overlap": (LONG, 2),
    "closed_loop": (LONG, "A"),
    "schedule": (LONG, "batched"),
    "fusion": (LONG, "last"),
    "scale": ({}, (1.5,)),
    "effect": ({}, (0.5,)),
    "scale_mask": ({"scale": (2.0,)}, half_mask(0)),
    "effect_mask": ({}, half_mask(0)),
    "scale_blocks": ({}, {"down_blocks.0": 3.0}),
    "effect_blocks": ({}, {"up_blocks.1.motion_modules.0": 0.0}),
    "loras": ({}, (("pan", 0.8),)),
    "noise": (LONG, "FreeNoise"),
    "noise_shared": ({"noise": "shared"}, 0.9),
    "freeinit": ({}, FreeInit(iterations=2)),
}
"""Of the steering: what else is set, and the value that must change frames."""

ASKED: dict[str, tuple[dict[str, Any], Any]] = {
    "frames": ({}, frames_of(seed=3)),
    "shown": ({}, 2),
    "width": ({}, 128),
    "height": ({}, 128),
    "subseed_strength": ({}, 0.4),
    "steps": ({}, 3),
    "sampler": ({}, "Heun"),
    "scheduler": ({"steps": 3}, "Karras"),
    "eta": ({"sampler": "Euler a"}, 0.3),
    "clip_skip": ({}, 2),
    "noise_multiplier": (IMG, 0.8),
    "init": (IMG, lambda index: GREY),
    "mask": (IMG, half_mask),
    "mask_blur": (MASKED, 9.0),
    "fill": (MASKED, "latent noise"),
    "only_masked": (MASKED, True),
    "only_masked_padding": ({**MASKED, "mask": spot, "only_masked": True}, 4),
    "tiling": ({}, True),
    "ramp": (IMG, LatentRamp(scale=8)),
    "last": ({**IMG, "ramp": LatentRamp()}, GREY),
}
"""Of the request besides the steering."""

FRAME: dict[str, Any] = {
    "prompt": "winter tree",
    "negative": "red",
    "travel": PromptTravel(prompt="winter", negative="", weight=0.5, how="slerp"),
    "seed": 99,
    "cfg_scale": 3.0,
}
"""Of one frame; see below for its denoising and subseed."""

BY_FILE = {"checkpoint", "vae", "motion"}
OF_HOSTS = {"scripts"}
"""Refused here."""


def test_every_part_of_a_request_is_here() -> None:
    assert set(STEER) == {f.name for f in fields(Steering)}
    assert set(ASKED) | BY_FILE | OF_HOSTS == {f.name for f in fields(ClipRequest)}
    assert set(FRAME) | {"denoising", "subseed"} == {f.name for f in fields(ClipFrame)}


def test_a_hosts_scripts_are_refused(engine: DiffusersEngine) -> None:
    with pytest.raises(FlipbookError, match='there is no script "ADetailer" here; it has none'):
        clip(engine, scripts={"ADetailer": [True]})


@pytest.mark.parametrize("name", STEER)
def test_a_parameter_of_the_motion_changes_frames(engine: DiffusersEngine, name: str) -> None:
    extra, value = STEER[name]
    base = Steering(**{"module": "v3.safetensors", **extra})
    one, other = (clip(engine, motion=motion) for motion in (base, replace(base, **{name: value})))
    assert apart(one, other) > 1e-4


@pytest.mark.parametrize("name", ASKED)
def test_a_parameter_of_the_request_changes_frames(engine: DiffusersEngine, name: str) -> None:
    extra, value = ASKED[name]
    one, other = clip(engine, **extra), clip(engine, **{**extra, name: value})
    assert one.shape != other.shape or apart(one, other) > 1e-4


@pytest.mark.parametrize("name", FRAME)
def test_one_frames_own_words_change_that_frame_most(engine: DiffusersEngine, name: str) -> None:
    frames = list(frames_of())
    frames[3] = replace(frames[3], **{name: FRAME[name]})
    change = np.abs(clip(engine) - clip(engine, frames=tuple(frames))).mean(axis=(1, 2, 3))
    assert change.argmax() == 3
    assert change[3] > 1e-3


@pytest.mark.parametrize("how", ["slerp", "lerp"])
def test_prompts_are_mixed_on_the_way(engine: DiffusersEngine, how: str) -> None:
    plain, mixed = clip(engine), clip(engine, frames=two_prompts(how))
    change = np.abs(plain - mixed).mean(axis=(1, 2, 3))
    assert change[4] > change[1] > 0


def test_ways_of_mixing_differ(engine: DiffusersEngine) -> None:
    assert (
        np.abs(clip(engine, frames=two_prompts("slerp")) - clip(engine, frames=two_prompts("lerp"))).max()
        > 1e-4
    )


def through_vae(engine: DiffusersEngine, picture: np.ndarray, seed: int = 7) -> np.ndarray:
    """What the random VAE makes of a picture: as close to it as any frame can come."""
    codec = engine._painter(None).codec(None)
    with torch.inference_mode():
        return codec.decode(codec.encode(picture, seed))


def test_a_frame_with_less_denoising_stays_closer(engine: DiffusersEngine) -> None:
    ramp = (0.0, 0.25, 0.5, 0.75, 1.0)
    frames = tuple(replace(f, denoising=d) for f, d in zip(frames_of(), ramp, strict=True))
    found = clip(engine, init=lambda index: RAMP, frames=frames, steps=8)
    through = through_vae(engine, RAMP)
    gaps = [float(np.abs(frame - through).mean()) for frame in found]
    assert gaps[0] < 1e-4
    # The last ones are free enough for chance to order them.
    assert gaps[0] < gaps[1] < gaps[2] < min(gaps[3:])
    assert min(gaps[3:]) > 0.05


def test_equal_frames_elsewhere_do_not_meet(engine: DiffusersEngine) -> None:
    """Without motion every frame depends on its own words alone, whatever the window."""
    still = replace(Steering(module="v3.safetensors"), effect=(0.0,), context=4, overlap=1)
    frames = [replace(f, prompt="winter") if i == 2 else f for i, f in enumerate(frames_of())]
    plain, other = clip(engine, motion=still), clip(engine, motion=still, frames=tuple(frames))
    change = np.abs(plain - other).mean(axis=(1, 2, 3))
    assert change[2] > 1e-3
    assert np.delete(change, 2).max() < 1e-5


def test_masks_keep_what_they_do_not_repaint(engine: DiffusersEngine) -> None:
    for sampler in ("Euler", "DDIM"):
        found = clip(engine, **{**MASKED, "sampler": sampler})
        assert np.abs(found[:, :, :30] - RAMP[None, :, :30]).max() < 1e-5
        assert np.abs(found[:, :, 34:] - RAMP[None, :, 34:]).mean() > 0.02


@pytest.mark.parametrize(
    "sampler", ["Euler a", "DPM++ 2M", "DPM++ SDE", "DPM++ 2M SDE", "LCM", "DDIM", "UniPC"]
)
def test_every_sampler_paints_clips(engine: DiffusersEngine, sampler: str) -> None:
    for more in ({}, {"init": lambda index: GREY, "frames": frames_of(denoising=0.5)}):
        found = clip(engine, sampler=sampler, **more)
        assert np.isfinite(found).all()
        assert found.std() > 0.005


def test_and_prompt_editing_and_loras_reach_their_frames(engine: DiffusersEngine) -> None:
    plain = clip(engine)
    for prompt in ("a red ball AND snow :0.5", "[tree:a red ball:0.5]", "[tree|snow]", "a red ball " * 40):
        frames = list(frames_of())
        frames[1] = replace(frames[1], prompt=prompt)
        change = np.abs(clip(engine, frames=tuple(frames)) - plain).mean(axis=(1, 2, 3))
        assert change.argmax() == 1, prompt


def test_cfg_1_asks_no_negative(engine: DiffusersEngine) -> None:
    one = clip(engine, frames=frames_of(cfg_scale=1.0))
    other = clip(engine, frames=frames_of(cfg_scale=1.0, negative="winter tree"))
    assert np.array_equal(one, other)


def test_the_unet_is_as_it_was_after_errors_everywhere(engine: DiffusersEngine) -> None:
    still = StillRequest(prompt="a red ball", width=64, height=64, seed=9, steps=2)
    before = engine.still(still)
    unet = engine._painter(None).unet

    class Broken(RuntimeError):
        pass

    for at in (1, 2):
        countdown = iter(range(at - 1, -1, -1))

        def fail(module: Any, args: Any, countdown: Iterator[int] = countdown) -> None:
            if next(countdown, -1) == 0:
                raise Broken

        handle = unet.register_forward_pre_hook(fail)
        try:
            with pytest.raises(Broken):
                list(engine.clip(request()))
        finally:
            handle.remove()
        assert np.array_equal(engine.still(still), before)


def pictures(engine: DiffusersEngine, **changes: Any) -> list[Picture]:
    return list(engine.clip(request(**changes)))


def test_a_picture_for_all_frames_is_encoded_once(
    engine: DiffusersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    codec = engine._painter(None).codec(None)
    encoded = []
    whole = codec.encode
    monkeypatch.setattr(codec, "encode", lambda picture, seed: encoded.append(seed) or whole(picture, seed))
    pictures(engine, **IMG)
    assert len(encoded) == 1
    pictures(engine, **{**IMG, "init": lambda index: RAMP * np.float32(index / COUNT)})
    assert len(encoded) == 1 + COUNT


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("context", (3, 4)),
        ("stride", (1, 2)),
        ("closed_loop", ("N", "R-P", "A")),
        ("schedule", ("uniform", "standard static", "standard uniform", "batched", "views")),
        ("fusion", ("pyramid", "flat", "overlap-linear", "last")),
        ("noise", ("per frame", "shared", "repeated", "FreeNoise")),
    ],
)
def test_every_choice_differs_from_every_other(
    engine: DiffusersEngine, field: str, values: tuple[Any, ...]
) -> None:
    base = Steering(module="v3.safetensors", context=4, overlap=2)
    # Some schedules part only when they move.
    steps = 3 if field == "schedule" else 1
    found = [
        clip(engine, frames=frames_of(9), motion=replace(base, **{field: v}), steps=steps) for v in values
    ]
    for i, one in enumerate(found):
        for other in found[i + 1 :]:
            assert apart(one, other) > 1e-5


def test_freeinit_settings_each_count(engine: DiffusersEngine) -> None:
    base = FreeInit(iterations=2)
    found = [
        clip(engine, motion=Steering(module="v3.safetensors", freeinit=freeinit))
        for freeinit in (
            base,
            replace(base, filter="gaussian"),
            replace(base, filter="box"),
            replace(base, filter="ideal"),
            replace(base, spatial=0.5),
            replace(base, temporal=0.6),
            replace(base, iterations=3),
        )
    ]
    for i, one in enumerate(found):
        for other in found[i + 1 :]:
            assert apart(one, other) > 1e-6


def test_the_ramp_leads_from_the_first_to_the_last_picture(engine: DiffusersEngine) -> None:
    """Each of its four numbers changes frames, and the ends are their pictures' most."""
    asked = {
        **IMG,
        "frames": frames_of(denoising=0.3),
        "last": GREY,
        "motion": Steering(module="v3.safetensors", effect=(0.0,)),
    }
    found = clip(engine, ramp=LatentRamp(), **asked)
    first, last = through_vae(engine, RAMP), through_vae(engine, GREY, 7 + COUNT - 1)
    to_first, to_last = ([apart(frame, end) for frame in found] for end in (first, last))
    assert int(np.argmin(to_first)) == 0
    assert int(np.argmin(to_last)) == COUNT - 1
    for name, value in (("power", 2.0), ("scale", 4.0), ("power_last", 2.0), ("scale_last", 4.0)):
        assert np.abs(clip(engine, ramp=LatentRamp(**{name: value}), **asked) - found).mean() > 1e-4, name


def test_motion_loras_by_list_and_by_tag(engine: DiffusersEngine) -> None:
    plain = clip(engine)
    listed = clip(engine, motion=Steering(module="v3.safetensors", loras=(("pan", 0.8),)))
    tagged = clip(engine, frames=frames_of(prompt="a red ball <lora:pan:0.8>"))
    assert apart(listed, plain) > 1e-4
    assert np.array_equal(listed, tagged)
    assert np.array_equal(
        clip(engine, motion=Steering(module="v3.safetensors", loras=(("pan", 0.0),))), plain
    )
    both = clip(engine, motion=Steering(module="v3.safetensors", loras=(("pan", 0.8), ("zoom", 0.5))))
    assert apart(both, listed) > 1e-4
    with pytest.raises(FlipbookError, match='no motion LoRA "tilt"'):
        pictures(engine, motion=Steering(module="v3.safetensors", loras=(("tilt", 1.0),)))
    assert np.array_equal(clip(engine), plain)


def test_a_lora_of_some_frames_is_said_to_hold_for_all(engine: DiffusersEngine) -> None:
    frames = list(frames_of())
    frames[2] = replace(frames[2], prompt="a red ball <lora:pan:0.8>")
    clip(engine, frames=tuple(frames))
    assert any('"pan" has one weight in a clip' in sentence for sentence in engine.warnings)
