"""Clips under settings of a real WebUI that reach into its network: they run, stills stay as they were."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = [pytest.mark.webui, pytest.mark.timeout(900)]

HIRES = {"enable_hr": True, "hr_scale": 2, "hr_upscaler": "Latent", "denoising_strength": 0.7}


@pytest.fixture(scope="module")
def second(clip_host: Any) -> str:
    """Another checkpoint of the same shape."""
    import torch
    from safetensors.torch import load_file, save_file

    folder = clip_host.models / "Stable-diffusion"
    tensors = load_file(folder / "flipbook-tiny.safetensors")
    torch.manual_seed(5)
    for name, tensor in tensors.items():
        if name.startswith("model.diffusion_model") and tensor.ndim > 1:
            tensors[name] = (tensor + tensor.std() * torch.randn_like(tensor)).contiguous()
    save_file(tensors, folder / "second.safetensors")
    shutil.copy(folder / "flipbook-tiny.yaml", folder / "second.yaml")
    clip_host.request("/sdapi/v1/refresh-checkpoints", {})
    return "second"


@contextmanager
def options(host: Any, **changes: Any) -> Iterator[None]:
    """The host's options changed inside."""
    known = host.request("/sdapi/v1/options")[1]
    unknown = sorted(set(changes) - set(known))
    if unknown:
        # Hypertile's, for one, where another extension has kept it from loading.
        pytest.skip(f"this WebUI has no option {unknown[0]}")
    before = {name: known[name] for name in changes}
    host.request("/sdapi/v1/options", changes)
    try:
        yield
    finally:
        host.request("/sdapi/v1/options", before)


def clip(clips: Any, host: Any, mode: str = "txt2img", **changes: Any) -> np.ndarray:
    frames: np.ndarray = clips.made(host, {**clips.CLIP, "model": "v3.safetensors"}, mode, **changes)
    assert len({frame.tobytes() for frame in frames}) == len(frames)
    return frames.astype(int)


def difference(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one - other).mean())


def test_a_refiner_takes_over_with_the_motion_module(clips: Any, clip_host: Any, second: str) -> None:
    before = clips.still(clip_host)
    changes = {"steps": 4, "refiner_checkpoint": second, "refiner_switch_at": 0.5}
    refined = clip(clips, clip_host, **changes)
    assert clips.still(clip_host) == before
    assert difference(refined, clip(clips, clip_host, steps=4)) > 1
    # Its own motion layers move what it paints.
    off = {**clips.CLIP, "model": "v3.safetensors", "motion_effect": "0:(1), 3:(0)"}
    assert difference(refined, clips.made(clip_host, off, **changes).astype(int)) > 1
    assert np.array_equal(clip(clips, clip_host, **changes), refined)
    assert clips.still(clip_host) == before


def test_the_hires_pass_may_have_a_checkpoint_of_its_own(clips: Any, clip_host: Any, second: str) -> None:
    before = clips.still(clip_host)
    own = clip(clips, clip_host, **HIRES, hr_checkpoint_name=second)
    assert clips.still(clip_host) == before
    assert own.shape == (4, 128, 128, 3)
    assert difference(own, clip(clips, clip_host, **HIRES)) > 1
    assert clips.still(clip_host) == before


@pytest.mark.parametrize(
    ("changes", "visible"),
    [
        ({"token_merging_ratio": 0.5}, True),
        ({"hypertile_enable_unet": True, "hypertile_max_depth_unet": 3}, None),
        ({"upcast_attn": True}, False),
        ({"batch_cond_uncond": False}, False),
        ({"skip_early_cond": 0.5}, True),
        ({"emphasis": "No norm"}, None),
        ({"sd_vae_decode_method": "Approx NN"}, None),
    ],
    ids=str,
)
def test_settings_that_reach_into_the_network(
    clips: Any, clip_host: Any, changes: dict[str, Any], visible: bool | None
) -> None:
    """`visible`: whether the option changes the frames; None where this small network does not show it."""
    plain = clip(clips, clip_host)
    with options(clip_host, **changes):
        before = clips.still(clip_host)
        found = clip(clips, clip_host)
        assert clips.still(clip_host) == before
    if visible is not None:
        assert (difference(found, plain) > 0.5) == visible
    assert np.array_equal(clip(clips, clip_host), plain)


@pytest.mark.parametrize("name", ["pad_cond_uncond", "pad_cond_uncond_v0"])
def test_prompts_of_other_lengths_are_padded(clips: Any, clip_host: Any, name: str) -> None:
    long = "word " * 90
    apart = clip(clips, clip_host, prompt=long)
    with options(clip_host, **{name: True}):
        assert difference(clip(clips, clip_host, prompt=long), apart) < 30
        travelled = clip(clips, clip_host, prompt=f"0: {long}\n3: a house")
    assert difference(travelled, apart) > 1


@pytest.mark.slow
@pytest.mark.parametrize("flags", [("--medvram",), ("--lowvram",)], ids=str)
def test_hosts_with_little_memory(
    clips: Any, clip_host: Any, start_clip_webui: Callable[..., Any], tmp_path: Path, flags: tuple[str, ...]
) -> None:
    usual = clip(clips, clip_host)
    webui = start_clip_webui(tmp_path, "sd-webui-controlnet", *flags)
    try:
        before = clips.still(webui)
        assert difference(clip(clips, webui), usual) < 0.5
        assert clips.still(webui) == before == clips.still(clip_host)
        assert "*** Error" not in webui.log
    finally:
        webui.stop()
