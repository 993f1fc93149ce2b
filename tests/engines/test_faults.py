"""The embedded engine when something is short, broken, or asked for in vain."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from lib_anim.engines.diffusion import painter as painting
from lib_anim.engines.diffusion.engine import DiffusersEngine, open_engine
from lib_anim.errors import FlipbookError
from tests.engines.test_diffusers import REQUEST, opened, painter_of


@pytest.fixture(scope="module")
def engine(checkpoint: Path) -> DiffusersEngine:
    return opened(checkpoint)


def test_a_vae_that_overflows_moves_to_float32(checkpoint: Path) -> None:
    engine = opened(checkpoint)
    vae = painter_of(engine).codec(None).vae
    plain = engine.still(REQUEST)
    vae.half()
    with torch.no_grad():
        # Past float16's 65,504 on the way, and scaled back behind it by the norm that follows.
        vae.decoder.conv_in.weight *= 60000
        vae.decoder.conv_in.bias *= 60000
    result = engine.still(REQUEST)
    assert np.isfinite(result).all()
    assert vae.dtype == torch.float32
    assert any("float32" in w for w in engine.warnings)
    assert result.shape == plain.shape


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("model.diffusion_model.out.2.weight", "the UNet of a.safetensors gave NaN or infinite values"),
        ("cond_stage_model.transformer.text_model.final_layer_norm.weight", "the text encoder gave"),
        ("first_stage_model.decoder.conv_out.weight", "decoding gave .* the VAE's weights are broken"),
    ],
)
def test_broken_weights_are_a_sentence(maker: ModuleType, tmp_path: Path, key: str, words: str) -> None:
    path = maker.write_sd1(tmp_path / "a.safetensors")
    weights = load_file(path)
    weights[key].view(-1)[0] = float("nan")
    save_file(weights, path)
    with pytest.raises(FlipbookError, match=words):
        opened(path).still(REQUEST)


def test_weights_beyond_all_numbers_are_a_sentence(engine: DiffusersEngine) -> None:
    with pytest.raises(FlipbookError, match="its weights"):
        engine.still(replace(REQUEST, prompt=f"(red:{10**40})"))


def test_pictures_that_hold_no_numbers_are_refused(engine: DiffusersEngine) -> None:
    init = np.full((64, 64, 3), 0.5, np.float32)
    init[3, 4, 1] = np.nan
    with pytest.raises(FlipbookError, match="init: has NaN or infinite values"):
        engine.still(replace(REQUEST, init=init))


def short_of_memory(unet: Any, times: int) -> Callable[..., Any]:
    forward = unet.forward
    left = [times]

    def failing(x: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        if len(x) > 1 or left[0] > 1:
            left[0] -= 1
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
        return forward(x, *args, **kwargs)

    return failing


def test_short_of_memory_it_tries_smaller_pieces(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = opened(checkpoint)
    plain = engine.still(REQUEST)
    unet = painter_of(engine).unet
    monkeypatch.setattr(unet, "forward", short_of_memory(unet, 1))
    assert np.abs(engine.still(REQUEST) - plain).max() < 1e-4
    assert any("smaller pieces" in w for w in engine.warnings)


def test_without_any_memory_it_says_so(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = opened(checkpoint)
    plain = engine.still(REQUEST)
    unet = painter_of(engine).unet
    with monkeypatch.context() as patch:
        patch.setattr(unet, "forward", short_of_memory(unet, 100))
        with pytest.raises(FlipbookError, match="64×64 does not fit"):
            engine.still(REQUEST)
    assert np.array_equal(engine.still(REQUEST), plain)


@pytest.mark.parametrize("failures", [1, 2])
def test_a_checkpoint_that_does_not_fit_beside_another_takes_its_place(
    maker: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    one = maker.write_sd1(tmp_path / "one.safetensors")
    maker.write_sd1(tmp_path / "two.safetensors", seed=4)
    engine = opened(one)
    load = painting.load_networks
    held: list[int] = []

    def failing(*given: Any) -> Any:
        held.append(len(engine._painters))
        if len(held) <= failures:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
        return load(*given)

    monkeypatch.setattr(painting, "load_networks", failing)
    if failures == 1:
        assert engine.still(replace(REQUEST, checkpoint="two")).std() > 0.01
    else:
        with pytest.raises(FlipbookError, match=r"two\.safetensors does not fit into memory"):
            engine.still(replace(REQUEST, checkpoint="two"))
    assert held == [1, 0], "the second try has all the memory"


def test_schedulers_without_meaning_are_a_warning(checkpoint: Path) -> None:
    engine = opened(checkpoint)
    engine.still(replace(REQUEST, sampler="DDIM", scheduler="Karras", steps=3))
    assert any("DDIM" in w and "Karras" in w for w in engine.warnings)


def test_more_clip_skip_than_layers_is_a_sentence(engine: DiffusersEngine) -> None:
    with pytest.raises(FlipbookError, match="text encoder has 3 layers") as caught:
        engine.still(replace(REQUEST, clip_skip=12))
    assert caught.value.problems[0].field == "clip_skip"


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("alphas_cumprod", torch.linspace(0.99, 0.01, 30), "noise schedule"),
        ("alphas_cumprod", torch.tensor(0.5), "noise schedule"),
        ("alphas_cumprod", torch.zeros(1000), "noise schedule"),
        ("model.diffusion_model.input_blocks.0.0.weight", torch.ones(32, 4, 3, 3, dtype=torch.int8), "as I8"),
    ],
)
def test_what_no_checkpoint_holds_is_a_sentence(
    checkpoint: Path, tmp_path: Path, key: str, value: torch.Tensor, words: str
) -> None:
    save_file({**load_file(checkpoint), key: value}, tmp_path / "odd.safetensors")
    with pytest.raises(FlipbookError, match=words):
        opened(tmp_path / "odd.safetensors").still(REQUEST)


def test_a_checkpoint_without_an_encoder_is_a_sentence(checkpoint: Path, tmp_path: Path) -> None:
    kept = {k: v for k, v in load_file(checkpoint).items() if "first_stage_model.encoder" not in k}
    save_file(kept, tmp_path / "half.safetensors")
    with pytest.raises(FlipbookError, match="its encoder"):
        opened(tmp_path / "half.safetensors")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("timesteps: 30", r"noise schedule \(the yaml next to it\)"),
        ("timesteps: [1]", "write a whole number above 0"),
        ("scale_factor: 0", "write a number above 0"),
        ("linear_start: wide", r"odd.yaml next to the weights says linear_start: wide"),
    ],
)
def test_a_yaml_with_wrong_numbers_is_a_sentence(
    checkpoint: Path, tmp_path: Path, line: str, words: str
) -> None:
    shutil.copy(checkpoint, tmp_path / "odd.safetensors")
    (tmp_path / "odd.yaml").write_text(f"model:\n  params:\n    {line}\n")
    with pytest.raises(FlipbookError, match=words):
        opened(tmp_path / "odd.safetensors").still(REQUEST)


def test_an_unknown_device_is_a_sentence(checkpoint: Path) -> None:
    with pytest.raises(FlipbookError, match=r'try "cpu"'):
        open_engine(checkpoint, device="abacus")


def test_a_checkpoint_with_other_channels_is_refused_by_name(checkpoint: Path, tmp_path: Path) -> None:
    weights = load_file(checkpoint)
    first = "model.diffusion_model.input_blocks.0.0.weight"
    weights[first] = torch.zeros(weights[first].shape[0], 8, 3, 3)
    save_file(weights, tmp_path / "instructed.safetensors")
    with pytest.raises(FlipbookError, match=r"instructed.safetensors takes 8 channels where 4 are latents"):
        opened(tmp_path / "instructed.safetensors")
