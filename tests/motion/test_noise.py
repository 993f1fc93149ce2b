"""Initial noise, FreeNoise and FreeInit compared with diffusers'."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler
from diffusers.pipelines.free_init_utils import FreeInitMixin
from diffusers.pipelines.free_noise_utils import AnimateDiffFreeNoiseMixin

from lib_anim.errors import FlipbookError
from lib_anim.motion.freeinit import low_pass, renewed
from lib_anim.motion.noise import clip_noise, shuffled
from lib_anim.motion.plan import ClipPlan

SHAPE = (22, 4, 8, 6)


def own() -> torch.Tensor:
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(5))


def test_per_frame_is_a_copy() -> None:
    noise = own()
    found = clip_noise(noise, "per frame", ClipPlan(frames=22), seed=1)
    assert torch.equal(found, noise)
    assert found.data_ptr() != noise.data_ptr()


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_shared_noise_has_its_share_and_unit_variance(share: float) -> None:
    noise = torch.randn(40, 4, 32, 32, generator=torch.Generator().manual_seed(5))
    found = clip_noise(noise, "shared", ClipPlan(frames=40), seed=2, shared=share).flatten(1).numpy()
    correlation = np.corrcoef(found)
    between = correlation[~np.eye(40, dtype=bool)].mean()
    assert between == pytest.approx(share, abs=0.03)
    assert found.std() == pytest.approx(1, abs=0.02)


def test_a_share_above_one_is_refused() -> None:
    with pytest.raises(FlipbookError) as caught:
        clip_noise(own(), "shared", ClipPlan(frames=22), seed=2, shared=1.5)
    assert "1.5" in str(caught.value)


def test_repeated_noise_is_the_first_windows() -> None:
    found = clip_noise(own(), "repeated", ClipPlan(frames=22, context=8), seed=1)
    assert torch.equal(found[8:16], own()[:8])
    assert torch.equal(found[16:], own()[:6])


def test_freenoise_shuffles_what_lies_a_context_before() -> None:
    plan = ClipPlan(frames=22, context=8, overlap=3)
    found = clip_noise(own(), "FreeNoise", plan, seed=1)
    assert torch.equal(found[:8], own()[:8])
    for start in range(8, 22, 5):
        block = {tuple(frame.flatten().tolist()) for frame in found[start : start + 5]}
        assert block <= {tuple(frame.flatten().tolist()) for frame in found[start - 8 : start - 3]}
    again = clip_noise(own(), "FreeNoise", plan, seed=1)
    assert torch.equal(found, again)
    assert not torch.equal(found, clip_noise(own(), "FreeNoise", plan, seed=2))


@pytest.mark.parametrize(("context", "stride"), [(8, 4), (8, 5), (16, 4)])
def test_freenoise_is_diffusers(context: int, stride: int) -> None:
    pipe: Any = SimpleNamespace(
        _free_noise_context_length=context,
        _free_noise_context_stride=stride,
        _free_noise_noise_type="shuffle_context",
        vae_scale_factor=8,
    )
    draws = torch.Generator().manual_seed(9)
    theirs = AnimateDiffFreeNoiseMixin._prepare_latents_free_noise(
        pipe, 1, 4, 22, 64, 48, torch.float32, torch.device("cpu"), draws
    )
    draws = torch.Generator().manual_seed(9)
    start = torch.randn((1, 4, 22, 8, 6), generator=draws)[0].transpose(0, 1)
    assert torch.equal(shuffled(start, context, stride, draws), theirs[0].transpose(0, 1))


FILTERS = ("butterworth", "gaussian", "ideal")


@pytest.mark.parametrize("kind", FILTERS)
@pytest.mark.parametrize(("spatial", "temporal"), [(0.25, 0.25), (0.5, 0.125), (1.0, 0.75), (0.0, 0.25)])
def test_filters_are_diffusers(kind: Any, spatial: float, temporal: float) -> None:
    theirs = FreeInitMixin()._get_free_init_freq_filter((1, 1, 9, 8, 6), "cpu", kind, 4, spatial, temporal)
    assert (low_pass((9, 8, 6), kind, spatial, temporal) - theirs[0, 0]).abs().max() < 1e-6


def test_box_keeps_a_block_in_the_middle() -> None:
    found = low_pass((16, 8, 8), "box", 0.5, 0.25)
    assert found.sum() == 4 * 4 * 4
    assert found[8, 4, 4] == 1


@pytest.mark.parametrize("kind", FILTERS)
def test_a_renewed_start_is_diffusers(kind: Any) -> None:
    scheduler = DDIMScheduler(beta_schedule="linear", beta_start=0.00085, beta_end=0.012)
    mixin: Any = FreeInitMixin()
    mixin.enable_free_init(num_iters=3, method=kind)
    mixin.scheduler = scheduler
    start, result = own().transpose(0, 1)[None], torch.randn(1, 4, 22, 8, 6)
    mixin._apply_free_init(start, 0, 4, "cpu", torch.float32, None)
    theirs, _ = mixin._apply_free_init(result, 1, 4, "cpu", torch.float32, torch.Generator().manual_seed(3))
    fresh = torch.randn((1, 4, 22, 8, 6), generator=torch.Generator().manual_seed(3))
    kept = low_pass((22, 8, 6), kind, 0.25, 0.25)
    ours = renewed(
        result[0].transpose(0, 1), own(), fresh[0].transpose(0, 1), float(scheduler.alphas_cumprod[-1]), kept
    )
    assert (ours - theirs[0].transpose(0, 1)).abs().max() < 1e-5
