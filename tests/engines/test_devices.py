"""The way from a request to latents and pixels on another device in half precision, on a machine without one.

torch's FakeTensor knows device, type and shape of every tensor and no values: a tensor that was left on the
CPU, or has another type than the networks, fails here as it would on a card. Values, kernels and memory of a
card are not shown by this. The device is called `meta`: builds of torch for the CPU know no other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode, unset_fake_temporarily

from lib_anim.engines.contract.requests import PromptTravel, StillRequest
from lib_anim.engines.diffusion import inpaint
from lib_anim.engines.diffusion.engine import open_engine
from lib_anim.engines.diffusion.lora_manager import extract_loras
from lib_anim.engines.diffusion.painter import Painter
from lib_anim.engines.sampling import unipc
from lib_anim.engines.sampling.noise_levels import ConsistencyLevels, NoiseLevels
from lib_anim.engines.sampling.samplers import SAMPLERS
from lib_anim.models.folders import ModelFolders

CARD = torch.device("meta")
REQUEST = StillRequest(
    prompt="a (red:1.2) snowtree AND [ball|snow] :0.5", negative="blue", width=64, height=64, seed=1, steps=2
)


def moved(network: nn.Module, mode: FakeTensorMode) -> None:
    """Puts the network onto the card in half precision."""
    for layer in network.modules():
        for name, weight in [*layer._parameters.items(), *layer._buffers.items()]:
            if weight is None:
                continue
            kind = torch.float16 if weight.is_floating_point() else weight.dtype
            with mode:
                there = torch.empty(weight.shape, dtype=kind, device=CARD)
            if name in layer._parameters:
                layer._parameters[name] = nn.Parameter(there, requires_grad=False)
            else:
                layer._buffers[name] = there


def apart(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` with real tensors: it works out a few numbers on the CPU, whose values are needed."""

    @wraps(function)
    def real(*given: Any, **named: Any) -> Any:
        with unset_fake_temporarily():
            return function(*given, **named)

    return real


@pytest.fixture
def mode(monkeypatch: pytest.MonkeyPatch) -> FakeTensorMode:
    # The checks for numbers that are none.
    monkeypatch.setattr(FakeTensor, "__bool__", lambda self: True, raising=False)
    monkeypatch.setattr(unipc, "_shares", apart(unipc._shares))
    for levels in (NoiseLevels, ConsistencyLevels):
        monkeypatch.setattr(levels, "time", lambda self, sigma: 500.0)
    return FakeTensorMode(allow_non_fake_inputs=True)


def on_card(path: Path, folder: Path, mode: FakeTensorMode) -> Painter:
    engine: Any = open_engine(path, device="cpu", folders=ModelFolders(embeddings=(folder,), loras=(folder,)))
    painter: Painter = engine._painter(None)
    for network in (painter.unet, painter.codec(None).vae, *painter.text._models):
        moved(network, mode)
    painter.device = painter.text._device = CARD
    painter.sigma_schedule = apart(painter.sigma_schedule)  # type: ignore[method-assign]
    painter._loras._lora = apart(painter._loras._lora)  # type: ignore[method-assign]
    return painter


def painted(painter: Painter, request: StillRequest, mode: FakeTensorMode) -> Tensor:
    """Pixels, not yet taken back from the card."""
    codec = painter.codec(None)
    pixels: list[Tensor] = []

    def kept(run: Callable[[], Tensor], what: str) -> Tensor:
        result = run()
        pixels.append(result)
        return result

    codec._finite = kept  # type: ignore[method-assign]
    prompt, uses = extract_loras(request.prompt)
    plan = inpaint.prepare(request, codec.factor) if request.mask is not None else None
    with torch.no_grad(), mode:
        painter.apply(uses)
        latents = painter._sample(request, prompt, codec, plan, None, small=False)
        assert latents.device == CARD
        assert latents.dtype == torch.float32
        # Decoding itself; what follows copies to the CPU and to numpy.
        with pytest.raises((RuntimeError, TypeError, AttributeError)):
            codec.decode(latents)
    return pixels[-1]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("folders")
    save_file({"emb_params": torch.randn(2, 64)}, folder / "snowtree.safetensors")
    layer = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
    save_file(
        {
            f"{layer}.lora_down.weight": torch.randn(4, 64),
            f"{layer}.lora_up.weight": torch.randn(32, 4),
            f"{layer}.dora_scale": torch.rand(1, 64),
        },
        folder / "winter.safetensors",
    )
    return folder


def test_every_sampler_stays_on_the_card(checkpoint: Path, files: Path, mode: FakeTensorMode) -> None:
    painter = on_card(checkpoint, files, mode)
    for name in SAMPLERS:
        pixels = painted(painter, replace(REQUEST, sampler=name), mode)
        assert (pixels.device, pixels.shape) == (CARD, (1, 3, 64, 64)), name


def test_img2img_masks_and_loras_stay_on_the_card(
    checkpoint: Path, files: Path, mode: FakeTensorMode
) -> None:
    painter = on_card(checkpoint, files, mode)
    init, mask = np.full((64, 64, 3), 0.5, np.float32), np.zeros((64, 64), np.float32)
    mask[16:32, 16:48] = 1
    travel = PromptTravel(prompt="snow", negative="", weight=0.4, how="slerp")
    for changed in (
        {"init": init, "denoising": 0.7},
        {"init": init, "denoising": 0.7, "mask": mask, "fill": "latent noise"},
        {"init": init, "denoising": 0.7, "mask": mask, "sampler": "DDIM", "only_masked": True},
        {"prompt": "a ball <lora:winter:0.5>"},
        {"prompt": "a ball", "travel": travel},
        {"tiling": True, "seed_resize_from": (96, 48)},
    ):
        assert painted(painter, replace(REQUEST, **changed), mode).device == CARD  # type: ignore[arg-type]


def test_sdxl_stays_on_the_card(maker: ModuleType, tmp_path: Path, mode: FakeTensorMode) -> None:
    painter = on_card(maker.write_sdxl(tmp_path / "xl.safetensors"), tmp_path, mode)
    assert painted(painter, replace(REQUEST, negative=""), mode).device == CARD


def test_what_is_left_behind_is_found(checkpoint: Path, files: Path, mode: FakeTensorMode) -> None:
    painter = on_card(checkpoint, files, mode)
    painter.text._device = torch.device("cpu")
    with pytest.raises(RuntimeError, match="device"):
        painted(painter, REQUEST, mode)
