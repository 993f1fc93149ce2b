"""Motion layers against diffusers' UNetMotionModel, corrected to AnimateDiff's own norms."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from diffusers import UNet2DConditionModel, UNetMotionModel

from lib_anim.models.motion import MotionModule
from lib_anim.motion.plan import ClipPlan
from lib_anim.motion.session import ClipSession
from lib_anim.motion.sites import sites_of_diffusers

FRAMES = 6
VERSIONS = ("v1", "v2", "v3", "AnimateLCM", "SDXL", "HotShot-XL")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_diffusers_unet_agrees(
    version: str,
    module_of: Callable[[str], MotionModule],
    unet_of: Callable[[str], UNet2DConditionModel],
    oracle: Callable[..., UNetMotionModel],
) -> None:
    module, unet = module_of(version), unet_of(version)
    torch.manual_seed(1)
    x = torch.randn(2 * FRAMES, 4, 8, 8)
    text = torch.randn(2, 5, 16).repeat_interleave(FRAMES, 0)
    wanted = (
        oracle(unet, module, FRAMES)(
            x.view(2, FRAMES, 4, 8, 8).transpose(1, 2), 500, encoder_hidden_states=text
        )
        .sample.transpose(1, 2)
        .reshape(x.shape)
    )
    plain = unet(x, 500, encoder_hidden_states=text).sample
    session = ClipSession(module, ClipPlan(frames=FRAMES))
    with session.installed(sites_of_diffusers(unet)):
        found = unet(x, 500, encoder_hidden_states=text).sample
    assert (found - plain).abs().max() > 0.1
    assert (found - wanted).abs().max() < 1e-5 * wanted.abs().max()
    assert torch.equal(unet(x, 500, encoder_hidden_states=text).sample, plain)
