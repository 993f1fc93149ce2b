"""Motion layers against diffusers' UNetMotionModel, corrected to AnimateDiff's own norms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel, UNetMotionModel
from diffusers.pipelines.free_noise_utils import AnimateDiffFreeNoiseMixin
from torch import Tensor

from lib_anim.models.motion.reader import MotionModule
from lib_anim.motion.plan import ClipPlan
from lib_anim.motion.rows import Rows
from lib_anim.motion.session import ClipSession
from lib_anim.motion.sites import sites_of_diffusers, sites_of_ldm
from lib_anim.motion.transformer import TemporalTransformer
from tests.motion.ldm import LdmUNet

FRAMES = 6
VERSIONS = ("v1", "v2", "v3", "AnimateLCM", "SDXL", "HotShot-XL")


@pytest.mark.parametrize(
    ("version", "groups"), [*((version, 2) for version in VERSIONS), ("v1", 1), ("v1", 3), ("v3", 1)]
)
def test_both_layouts_agree(
    version: str,
    groups: int,
    module_of: Callable[[str], MotionModule],
    unet_of: Callable[[str], UNet2DConditionModel],
    oracle: Callable[..., UNetMotionModel],
) -> None:
    """In float64: norms over the two values that the smallest level leaves amplify rounding in float32."""
    module, unet = module_of(version), unet_of(version).double()
    torch.manual_seed(1)
    x = torch.randn(groups * FRAMES, 4, 8, 8).double()
    text = torch.randn(groups, 5, 16).double().repeat_interleave(FRAMES, 0)
    clip = x.view(groups, FRAMES, 4, 8, 8).transpose(1, 2)
    wanted = oracle(unet, module, FRAMES).double()(clip, 500, encoder_hidden_states=text).sample
    wanted = wanted.transpose(1, 2).reshape(x.shape)
    ldm = LdmUNet(unet)

    def diffusers() -> Tensor:
        return unet(x, 500, encoder_hidden_states=text).sample

    def original() -> Tensor:
        return ldm(x, torch.full((len(x),), 500), text)

    plain = diffusers()
    assert (original() - plain).abs().max() < 1e-9
    for sites, run in ((sites_of_diffusers(unet), diffusers), (sites_of_ldm(ldm), original)):
        assert tuple(s.key for s in sites.blocks if s.key in module.facts.sites) != ()
        before = run()
        with ClipSession(module, ClipPlan(frames=FRAMES)).installed(sites):
            found = run()
        assert (found - plain).abs().max() > 0.1
        assert (found - wanted).abs().max() < 1e-6
        assert torch.equal(run(), before)


def test_sites_are_those_of_the_original(unet_of: Callable[[str], UNet2DConditionModel]) -> None:
    """Input blocks 1, 2, 4, 5, 7, 8, 10, 11, output blocks 0 to 11, and the middle's transformer."""
    ldm = LdmUNet(unet_of("v2"))
    sites = {site.key: site.layer for site in sites_of_ldm(ldm).blocks}
    for k, number in enumerate((1, 2, 4, 5, 7, 8, 10, 11)):
        assert sites[f"down_blocks.{k // 2}.motion_modules.{k % 2}"] in list(ldm.input_blocks[number])
    for i in range(12):
        layer = sites[f"up_blocks.{i // 3}.motion_modules.{i % 3}"]
        block = list(ldm.output_blocks[i])
        assert layer in block
        # Before the layer that makes larger, where there is one.
        assert all(not hasattr(after, "in_layers") for after in block[block.index(layer) + 1 :])
    assert sites["mid_block.motion_modules.0"] is ldm.middle_block[1]
    assert len(sites) == 21
    assert len(sites_of_ldm(ldm).norms) == 2 * 22 + 1


def test_sdxls_sites(unet_of: Callable[[str], UNet2DConditionModel]) -> None:
    ldm = LdmUNet(unet_of("SDXL"))
    sites = {site.key: site.layer for site in sites_of_ldm(ldm).blocks}
    for k, number in enumerate((1, 2, 4, 5, 7, 8)):
        assert sites[f"down_blocks.{k // 2}.motion_modules.{k % 2}"] in list(ldm.input_blocks[number])
    for i in range(9):
        assert sites[f"up_blocks.{i // 3}.motion_modules.{i % 3}"] in list(ldm.output_blocks[i])
    assert len(sites) == 16


def test_a_module_that_adds_nothing_is_the_plain_unet(
    module_of: Callable[[str], MotionModule], unet_of: Callable[[str], UNet2DConditionModel]
) -> None:
    module, unet = module_of("v3"), unet_of("v3")
    for weights in module.weights.values():
        weights["proj_out.weight"].zero_()
        weights["proj_out.bias"].zero_()
    x, text = torch.randn(FRAMES, 4, 8, 8), torch.randn(FRAMES, 5, 16)
    plain = unet(x, 500, encoder_hidden_states=text).sample
    with ClipSession(module, ClipPlan(frames=FRAMES)).installed(sites_of_diffusers(unet)):
        assert torch.equal(unet(x, 500, encoder_hidden_states=text).sample, plain)


@pytest.mark.parametrize("version", ["v1", "v3", "AnimateLCM"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_one_layer_agrees(
    version: str,
    dtype: torch.dtype,
    module_of: Callable[[str], MotionModule],
    unet_of: Callable[[str], UNet2DConditionModel],
    oracle: Callable[..., UNetMotionModel],
) -> None:
    """In the types that clips are painted in; half precision is held to float32's result."""
    module = module_of(version)
    theirs = oracle(unet_of(version), module, FRAMES).down_blocks[1].motion_modules[0]
    site = "down_blocks.1.motion_modules.0"
    ours = TemporalTransformer(module.weights[site], module.facts.positions)
    ours.to(torch.device("cpu"), dtype)
    x = torch.randn(2 * FRAMES, 32, 5, 7)
    wanted = theirs(x, num_frames=FRAMES)
    difference = (ours(x.to(dtype), FRAMES).float() - wanted).abs().max()
    assert (wanted - x).abs().max() > 0.5
    assert difference < (1e-5 if dtype == torch.float32 else 0.15)


@pytest.mark.parametrize("closed_loop", ["N", "A"])
def test_views_are_diffusers_freenoise(
    closed_loop: Any,
    module_of: Callable[[str], MotionModule],
    unet_of: Callable[[str], UNet2DConditionModel],
    oracle: Callable[..., UNetMotionModel],
) -> None:
    """Its windows go from the first frame on and do not close; a clip that closes differs from them."""
    module, unet = module_of("tiny"), unet_of("tiny").double()
    frames, context, stride = 14, 6, 4
    model = oracle(unet, module, frames).double()
    pipe: Any = AnimateDiffFreeNoiseMixin()
    pipe.device, pipe.dtype = torch.device("cpu"), torch.float64
    pipe._free_noise_context_length = context
    pipe._free_noise_context_stride = stride
    pipe._free_noise_weighting_scheme = "pyramid"
    for block in (*model.down_blocks, *model.up_blocks):
        pipe._enable_free_noise_in_block(block)
    torch.manual_seed(1)
    x = torch.randn(frames, 4, 4, 4).double()
    text = torch.randn(1, 5, 16).double().repeat_interleave(frames, 0)
    wanted = model.double()(x.transpose(0, 1)[None], 500, encoder_hidden_states=text).sample
    plan = ClipPlan(
        frames=frames, context=context, overlap=context - stride, schedule="views", closed_loop=closed_loop
    )
    session = ClipSession(module, plan)
    passes = []

    def inner(rows: Rows) -> Tensor:
        passes.append(rows.window)
        return unet(rows.of(x), 500, encoder_hidden_states=rows.of(text)).sample

    with session.installed(sites_of_diffusers(unet)):
        found = session.denoise(x, 0, inner)
    assert passes == [tuple(range(frames))]
    difference = (found - wanted[0].transpose(0, 1)).abs().max()
    assert difference < 1e-6 if closed_loop == "N" else difference > 1e-3
