"""Checkpoints for inpainting: what they see is what diffusers' pipeline shows them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import EulerDiscreteScheduler, StableDiffusionInpaintPipeline
from PIL import Image
from safetensors.torch import load_file, save_file

from lib_anim.engines.contract.requests import ClipFrame, ClipRequest, Steering, StillRequest
from lib_anim.engines.diffusion.engine import DiffusersEngine, open_engine
from lib_anim.models.inspect import inspect
from tests.motion.conftest import WIDTHS, native

FIRST = "model.diffusion_model.input_blocks.0.0.weight"
RNG = np.random.default_rng(2)
INIT = (RNG.integers(0, 256, (64, 64, 3)) / 255).astype(np.float32)
HALF = np.zeros((64, 64), np.float32)
HALF[8:40, 24:] = 1
REQUEST = StillRequest(
    prompt="a red ball in snow",
    negative="blue",
    width=64,
    height=64,
    seed=5,
    steps=4,
    cfg_scale=3,
    sampler="Euler",
    scheduler="Uniform",
    init=INIT,
)


@pytest.fixture(scope="module")
def path(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The narrow checkpoint with five more channels and a VAE that encodes without chance."""
    weights = load_file(checkpoint)
    more = torch.randn(32, 5, 3, 3, generator=torch.Generator().manual_seed(1)) * 0.1
    weights[FIRST] = torch.cat([weights[FIRST], more], dim=1)
    weights["first_stage_model.quant_conv.weight"][4:] = 0
    weights["first_stage_model.quant_conv.bias"][4:] = -30
    folder = tmp_path_factory.mktemp("inpainting")
    written = folder / "narrow-inpainting.safetensors"
    save_file(weights, written)
    (folder / "animatediff").mkdir()
    save_file(native(WIDTHS, 32, mid=False), folder / "animatediff" / "v3.safetensors")
    return written


@pytest.fixture(scope="module")
def engine(path: Path) -> DiffusersEngine:
    engine = open_engine(path, device="cpu")
    assert isinstance(engine, DiffusersEngine)
    return engine


def inputs_of(unet: torch.nn.Module, seen: list[torch.Tensor]) -> torch.utils.hooks.RemovableHandle:
    return unet.register_forward_pre_hook(lambda _, given: seen.append(given[0].clone()))


def theirs(engine: DiffusersEngine) -> tuple[np.ndarray, list[torch.Tensor]]:
    """The picture of diffusers' pipeline, and what its UNet saw.

    For checkpoints of nine channels the pipeline does not hold what the mask keeps; the WebUI does. Here that
    is done in the callback after each Euler step x' = x + (x − D)·(σ' − σ)/σ, from which D follows.
    """
    painter = engine._painter(None)
    codec = painter.codec(None)
    scheduler = EulerDiscreteScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        timestep_spacing="linspace",
        steps_offset=1,
        interpolation_type="linear",
    )
    # The pipeline asks for it, the networks built here have no size of their own.
    painter.unet.register_to_config(sample_size=64)
    pipeline = StableDiffusionInpaintPipeline(
        vae=codec.vae,
        unet=painter.unet,
        text_encoder=painter.text._models[0],
        tokenizer=painter.text._tokenizer.inner,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    pipeline.tokenizer.model_max_length = 77
    scheduler.set_timesteps(REQUEST.steps)
    sigmas = scheduler.sigmas.tolist()
    with torch.no_grad():
        init = codec.encode(INIT, REQUEST.seed)
    noise = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(REQUEST.seed))
    schedule = [init + noise * sigmas[0]]
    repaint = torch.nn.functional.avg_pool2d(torch.from_numpy(HALF)[None, None], 8)

    def hold(_: object, step: int, __: object, given: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        here, there = sigmas[step], sigmas[step + 1]
        x = schedule[-1]
        guess = x - here * (given["latents"] - x) / (there - here)
        guess = guess * repaint + init * (1 - repaint)
        schedule.append(x + (x - guess) * (there - here) / here)
        return {"latents": schedule[-1]}

    seen: list[torch.Tensor] = []
    handle = inputs_of(painter.unet, seen)
    try:
        done = pipeline(
            REQUEST.prompt,
            negative_prompt=REQUEST.negative,
            image=Image.fromarray((INIT * 255).round().astype(np.uint8)),
            mask_image=Image.fromarray((HALF * 255).astype(np.uint8)),
            width=64,
            height=64,
            strength=1.0,
            num_inference_steps=REQUEST.steps,
            guidance_scale=REQUEST.cfg_scale,
            latents=schedule[0] / scheduler.init_noise_sigma,
            callback_on_step_end=hold,
            output_type="np",
        ).images[0]
    finally:
        handle.remove()
    return done, seen


def ours(engine: DiffusersEngine, request: StillRequest) -> tuple[np.ndarray, list[torch.Tensor]]:
    seen: list[torch.Tensor] = []
    handle = inputs_of(engine._painter(None).unet, seen)
    try:
        return engine.still(request), seen
    finally:
        handle.remove()


def test_pictures_and_what_the_network_sees_are_diffusers(engine: DiffusersEngine) -> None:
    wanted, saw = theirs(engine)
    got, seen = ours(engine, replace(REQUEST, mask=HALF, denoising=1.0))
    assert len(seen) == len(saw) == REQUEST.steps
    for mine, other in zip(seen, saw, strict=True):
        assert mine.shape[1] == 9
        # The pipeline puts the negative first.
        assert (mine - other.flip(0)).abs().max() < 5e-4, "rounding grows from step to step"
    assert saw[0][0, 4].sum() == 4 * 5, "32 by 40 pixels are 4 by 5 latents"
    assert np.abs(got - wanted)[HALF > 0].max() < 1e-4
    assert np.array_equal(got[HALF == 0], INIT[HALF == 0])


def test_without_a_picture_everything_is_repainted_from_grey(engine: DiffusersEngine) -> None:
    codec = engine._painter(None).codec(None)
    _, seen = ours(engine, replace(REQUEST, init=None, steps=1))
    with torch.inference_mode():
        grey = codec.vae.encode(torch.zeros(1, 3, 64, 64)).latent_dist.mean * codec.vae.config.scaling_factor
    assert bool((seen[0][:, 4] == 1).all())
    assert (seen[0][:1, 5:] - grey).abs().max() < 1e-5


def test_what_is_kept_steers_what_is_painted(engine: DiffusersEngine) -> None:
    """Another surrounding gives another picture where the mask lets it paint, though that starts alike."""
    request = replace(REQUEST, mask=HALF, denoising=1.0, fill="latent nothing")
    other = INIT.copy()
    other[HALF == 0] = 1 - other[HALF == 0]
    first, second = (engine.still(replace(request, init=init)) for init in (INIT, other))
    assert np.abs(first - second)[HALF > 0].max() > 1e-3


def test_img2img_without_a_mask_repaints_everything(engine: DiffusersEngine) -> None:
    _, seen = ours(engine, replace(REQUEST, denoising=0.5))
    assert bool((seen[0][:, 4] == 1).all())


def test_only_masked_shows_the_enlarged_mask(engine: DiffusersEngine) -> None:
    _, seen = ours(
        engine, replace(REQUEST, mask=HALF, only_masked=True, only_masked_padding=0, denoising=0.9)
    )
    assert seen[0][0, 4].sum() > 4 * 5


def test_clips_show_every_frame_its_own(engine: DiffusersEngine) -> None:
    masks = [np.roll(HALF, 8 * i, axis=1) for i in range(3)]
    clip = ClipRequest(
        frames=tuple(ClipFrame(prompt="a red ball", seed=REQUEST.seed, denoising=0.9) for _ in masks),
        motion=Steering(module="v3.safetensors"),
        width=64,
        height=64,
        shown=3,
        steps=2,
        sampler="Euler",
        init=lambda _: INIT,
        mask=masks.__getitem__,
    )
    seen: list[torch.Tensor] = []
    handle = inputs_of(engine._painter(None).unet, seen)
    try:
        frames = list(engine.clip(clip))
    finally:
        handle.remove()
    assert len(frames) == 3
    for index, mask in enumerate(masks):
        _, still = ours(engine, replace(REQUEST, mask=mask, steps=2, denoising=0.9))
        assert (seen[0][index, 4:] - still[0][0, 4:]).abs().max() < 1e-5


def test_inspect_names_it(path: Path) -> None:
    assert "checkpoint for inpainting" in inspect(path).sentence
