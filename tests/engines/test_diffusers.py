"""The embedded engine against diffusers' own pipelines, and what it promises of a request."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import (
    EulerDiscreteScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
)
from safetensors.torch import load_file, save_file

from lib_anim.engines.contract.requests import StillRequest
from lib_anim.engines.diffusion import networks
from lib_anim.engines.diffusion import painter as painting
from lib_anim.engines.diffusion.engine import DiffusersEngine, open_engine
from lib_anim.engines.diffusion.painter import Painter
from lib_anim.engines.text import encoder as conditioning
from lib_anim.models.folders import ModelFolders

REQUEST = StillRequest(
    prompt="a red ball in snow",
    negative="blue",
    width=64,
    height=64,
    seed=11,
    steps=6,
    sampler="Euler",
    scheduler="Uniform",
)


def opened(path: Path, **options: Any) -> DiffusersEngine:
    engine = open_engine(path, device="cpu", **options)
    assert isinstance(engine, DiffusersEngine)
    return engine


def painter_of(engine: DiffusersEngine) -> Painter:
    return engine._painter(None)


@pytest.fixture(scope="module")
def engine(checkpoint: Path) -> DiffusersEngine:
    return opened(checkpoint)


def scheduler() -> EulerDiscreteScheduler:
    return EulerDiscreteScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        timestep_spacing="linspace",
        interpolation_type="linear",
    )


def unit_noise(seed: int, side: int = 8) -> torch.Tensor:
    return torch.randn(1, 4, side, side, generator=torch.Generator().manual_seed(seed))


def test_txt2img_equals_diffusers_pipeline(engine: DiffusersEngine) -> None:
    painter = painter_of(engine)
    codec = painter.codec(None)
    pipeline = StableDiffusionPipeline(
        vae=codec.vae,
        unet=painter.unet,
        text_encoder=painter.text._models[0],
        tokenizer=painter.text._tokenizer.inner,
        scheduler=scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    pipeline.tokenizer.model_max_length = 77
    euler = pipeline.scheduler
    euler.set_timesteps(REQUEST.steps)
    # The pipeline starts from noise·√(σ² + 1), the WebUI and this engine from noise·σ.
    noise = unit_noise(REQUEST.seed) * float(euler.sigmas[0] / euler.init_noise_sigma)
    theirs = pipeline(
        REQUEST.prompt,
        negative_prompt=REQUEST.negative,
        width=64,
        height=64,
        num_inference_steps=REQUEST.steps,
        guidance_scale=REQUEST.cfg_scale,
        latents=noise,
        output_type="np",
    ).images[0]
    ours = engine.still(REQUEST)
    # Their σ between trained steps are linear in σ, ours in ln σ: up to 0.1 % in the noise's level.
    assert np.abs(ours - theirs).mean() < 2e-3
    assert theirs.std() > 0.05


def test_sdxl_equals_diffusers_pipeline(maker: ModuleType, tmp_path: Path) -> None:
    engine = opened(maker.write_sdxl(tmp_path / "xl.safetensors"))
    painter = painter_of(engine)
    tokenizer = painter.text._tokenizer.inner
    tokenizer.model_max_length = 77
    second = opened(tmp_path / "xl.safetensors")
    second_tokenizer = painter_of(second).text._tokenizer.inner
    second_tokenizer.model_max_length = 77
    second_tokenizer.pad_token = "!"
    pipeline = StableDiffusionXLPipeline(
        vae=painter.codec(None).vae,
        unet=painter.unet,
        text_encoder=painter.text._models[0],
        text_encoder_2=painter.text._models[1],
        tokenizer=tokenizer,
        tokenizer_2=second_tokenizer,
        scheduler=scheduler(),
        add_watermarker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    euler = pipeline.scheduler
    euler.set_timesteps(REQUEST.steps)
    noise = unit_noise(REQUEST.seed) * float(euler.sigmas[0] / euler.init_noise_sigma)
    for negative in (REQUEST.negative, ""):
        theirs = pipeline(
            REQUEST.prompt,
            # Without a negative prompt the pipeline takes zeros, as this engine does for an empty one.
            negative_prompt=negative or None,
            width=64,
            height=64,
            num_inference_steps=REQUEST.steps,
            guidance_scale=REQUEST.cfg_scale,
            latents=noise,
            output_type="np",
        ).images[0]
        ours = engine.still(replace(REQUEST, negative=negative))
        assert np.abs(ours - theirs).mean() < 2e-3, negative


def test_a_thousand_frames_read_weights_once_and_each_prompt_once(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files: list[Path] = []
    read = networks.read_tensors

    def counted(path: Path) -> dict[str, torch.Tensor]:
        files.append(path)
        return read(path)

    monkeypatch.setattr(networks, "read_tensors", counted)
    engine = opened(checkpoint)
    painter = painter_of(engine)
    texts: list[int] = []
    encoder = painter.text._models[0]
    encode = encoder.forward
    monkeypatch.setattr(encoder, "forward", lambda *a, **k: texts.append(1) or encode(*a, **k))
    # What the frames look like is not the question: the networks that paint answer at once.
    unet, vae = painter.unet, painter.codec(None).vae
    monkeypatch.setattr(unet, "forward", lambda x, *a, **k: (x * 0.1,))
    picture = torch.zeros(1, 3, 64, 64)
    monkeypatch.setattr(vae, "decode", lambda latents, **k: (picture + latents.mean(),))
    # 400 prompts in a row, over and over, as a schedule of weights that sways.
    for frame in range(1000):
        weight = 0.5 + (frame % 400) / 1000
        engine.still(replace(REQUEST, prompt=f"a (red:{weight:.3f}) ball", seed=frame, steps=1))
    assert files == [checkpoint]
    assert len(texts) == 400 + 1, "and the negative prompt"


def test_embeddings_beyond_the_memory_are_forgotten_oldest_first(
    engine: DiffusersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = painter_of(engine).text
    text.encode(("first",))
    monkeypatch.setattr(conditioning, "MEMORY", text._held + 3 * 77 * 64 * 4)
    before = text.encoded
    for prompt in ("one", "two", "three", "one", "two", "three"):
        text.encode((prompt,))
    assert text.encoded == before + 3
    for number in range(300):
        text.encode((f"more {number}",))
    assert text._held <= conditioning.MEMORY
    text.encode(("one",))
    assert text.encoded == before + 3 + 300 + 1


def test_each_call_of_the_network_is_needed(engine: DiffusersEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    unet = painter_of(engine).unet
    forward = unet.forward
    monkeypatch.setattr(unet, "forward", lambda x, *a, **k: calls.append(len(x)) or forward(x, *a, **k))
    engine.still(REQUEST)
    assert calls == [2] * 6, "prompt and negative in one pass"
    calls.clear()
    engine.still(replace(REQUEST, cfg_scale=1.0))
    assert calls == [1] * 6, "nothing is guided away from"
    calls.clear()
    engine.still(replace(REQUEST, init=np.zeros((64, 64, 3), np.float32), denoising=0.5))
    assert calls == [2] * 4


def test_subseed_zero_and_one_are_the_ends(engine: DiffusersEngine) -> None:
    plain, other = engine.still(REQUEST), engine.still(replace(REQUEST, seed=12))
    assert np.array_equal(engine.still(replace(REQUEST, subseed=12, subseed_strength=0.0)), plain)
    assert np.abs(engine.still(replace(REQUEST, subseed=12, subseed_strength=1.0)) - other).max() < 1e-3


def test_tiled_pictures_fit_beside_themselves(engine: DiffusersEngine) -> None:
    plain, tiled = engine.still(REQUEST), engine.still(replace(REQUEST, tiling=True))
    assert not np.array_equal(plain, tiled)
    assert np.array_equal(engine.still(REQUEST), plain), "tiling leaves no trace"


def test_only_masked_paints_inside_its_area(engine: DiffusersEngine) -> None:
    init = np.full((64, 64, 3), 0.5, np.float32)
    mask = np.zeros((64, 64), np.float32)
    mask[8:24, 8:24] = 1
    request = replace(REQUEST, init=init, mask=mask, only_masked=True, only_masked_padding=4, denoising=0.8)
    result = engine.still(request)
    assert np.abs(result[32:] - 0.5).max() < 1e-6
    assert np.abs(result[8:24, 8:24] - 0.5).max() > 0.1


def test_only_masked_without_a_mask_says_so(checkpoint: Path) -> None:
    engine = opened(checkpoint)
    init = np.full((64, 64, 3), 0.5, np.float32)
    empty = np.zeros((64, 64), np.float32)
    masked = engine.still(replace(REQUEST, init=init, denoising=0.5, mask=empty, only_masked=True))
    assert np.array_equal(masked, engine.still(replace(REQUEST, init=init, denoising=0.5)))
    assert any("mask is empty" in w for w in engine.warnings)


@pytest.mark.parametrize("fill", ["fill", "original", "latent noise", "latent nothing"])
def test_fills_start_from_different_things(engine: DiffusersEngine, fill: str) -> None:
    init = np.random.default_rng(0).random((64, 64, 3), dtype=np.float32)
    mask = np.zeros((64, 64), np.float32)
    mask[16:48, 16:48] = 1
    request = replace(REQUEST, init=init, mask=mask, denoising=0.6, steps=2)
    result = engine.still(replace(request, fill=fill))  # type: ignore[arg-type]
    if fill != "original":
        assert not np.array_equal(result, engine.still(request))
    assert np.abs(result[:8] - init[:8]).max() < 1e-5


def test_checkpoints_beside_are_painted_with_by_name(maker: ModuleType, tmp_path: Path) -> None:
    one = maker.write_sd1(tmp_path / "one.safetensors")
    maker.write_sd1(tmp_path / "two.safetensors", seed=4)
    engine = opened(one)
    assert set(engine.capabilities.checkpoints) == {"one", "two"}
    plain, other = engine.still(REQUEST), engine.still(replace(REQUEST, checkpoint="two"))
    assert np.abs(plain - other).mean() > 0.02
    assert np.array_equal(engine.still(replace(REQUEST, checkpoint="one")), plain)


def test_ancestral_delta_changes_the_steps_noise_only(checkpoint: Path, engine: DiffusersEngine) -> None:
    shifted = opened(checkpoint, ancestral_delta=31337)
    assert np.array_equal(shifted.still(REQUEST), engine.still(REQUEST))
    ancestral = replace(REQUEST, sampler="Euler a")
    assert not np.array_equal(shifted.still(ancestral), engine.still(ancestral))


def test_requests_at_the_ends_of_what_is_allowed_paint(checkpoint: Path, engine: DiffusersEngine) -> None:
    init = np.full((64, 64, 3), 0.5, np.float32)
    few = replace(REQUEST, sampler="LCM", scheduler="DDIM", steps=60, init=init, denoising=0.0)
    assert np.isfinite(engine.still(few)).all()
    assert np.isfinite(engine.still(replace(REQUEST, prompt="[red:blue:1e999] [a:b:1.0e999]"))).all()
    below = opened(checkpoint, noise="nv", ancestral_delta=-5)
    assert np.isfinite(below.still(replace(REQUEST, sampler="Euler a", seed=1))).all()


def test_text_models_of_the_first_files_are_read(checkpoint: Path, tmp_path: Path) -> None:
    weights = {k.replace(".text_model.", "."): v for k, v in load_file(checkpoint).items()}
    save_file(weights, tmp_path / "merged.safetensors")
    difference = opened(tmp_path / "merged.safetensors").still(REQUEST) - opened(checkpoint).still(REQUEST)
    assert np.abs(difference).max() < 1e-4


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_files_in_half_precision_paint_nearly_the_same(
    maker: ModuleType, checkpoint: Path, tmp_path: Path, dtype: torch.dtype
) -> None:
    half = maker.write_sd1(tmp_path / "half.safetensors", text_layers=3, dtype=dtype)
    difference = opened(half).still(REQUEST) - opened(checkpoint).still(REQUEST)
    assert np.abs(difference).mean() < 0.03


def test_a_frame_searches_no_folder(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = opened(checkpoint, folders=ModelFolders(loras=(tmp_path,), vaes=(tmp_path,), motion=(tmp_path,)))
    engine.still(replace(REQUEST, steps=1))
    searched: list[Path] = []
    find = Path.rglob
    monkeypatch.setattr(Path, "rglob", lambda path, *a: searched.append(path) or find(path, *a))
    engine.still(replace(REQUEST, steps=1, seed=3))
    assert searched == []
    assert engine.capabilities.vaes == ()
    assert searched


def test_half_precision_paints_nearly_the_same(checkpoint: Path) -> None:
    """On the CPU: the types are a card's, its arithmetic is not."""
    engine = opened(checkpoint)
    warnings: list[str] = []
    half = Painter(
        engine._checkpoint,
        torch.device("cpu"),
        torch.float16,
        ModelFolders(),
        [],
        painting.EngineOptions(),
        warnings.append,
    )
    with torch.inference_mode():
        for sampler in ("Euler a", "DPM++ 2M SDE", "UniPC"):
            request = replace(
                REQUEST, sampler=sampler, scheduler="Automatic", prompt="a (red:1.2) ball AND snow", steps=4
            )
            found = half.paint(request, None, small=False)
            assert np.abs(found - engine.still(request)).mean() < 0.01, sampler
    assert warnings == []
