"""Handles leave nothing behind: after faults anywhere, in either order with a neighbour, on both layouts."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn

from lib_anim.errors import FlipbookError
from lib_anim.models.motion.reader import MotionModule
from lib_anim.motion.plan import ClipPlan
from lib_anim.motion.session import ClipSession
from lib_anim.motion.sites import Sites, sites_of_diffusers, sites_of_ldm
from tests.motion.ldm import LdmUNet

FRAMES = 3


def given(rows: int = FRAMES) -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    return torch.randn(rows, 4, 4, 4), torch.randn(rows, 5, 16)


def picture(unet: UNet2DConditionModel, rows: int = FRAMES) -> Tensor:
    x, text = given(rows)
    return unet(x, 500, encoder_hidden_states=text).sample


def state(unet: nn.Module) -> list[tuple[Any, ...]]:
    """What hangs on every layer: hooks in their order, and instance attributes."""
    return [
        (
            tuple(layer._forward_hooks.items()),
            tuple(layer._forward_pre_hooks.items()),
            tuple(sorted(k for k in vars(layer) if not k.startswith("_"))),
            vars(layer).get("forward"),
        )
        for layer in unet.modules()
    ]


class Fault(Exception):
    """Thrown into a run by a test."""


def test_1000_faults_leave_no_trace(
    module_of: Callable[[str], MotionModule], unet_of: Callable[[str], UNet2DConditionModel]
) -> None:
    """Anywhere in the network, or while handles are put on; norms across frames have the most of them."""
    unet = unet_of("tiny across")
    before, clean = picture(unet, 1), state(unet)
    sites = sites_of_diffusers(unet)
    session = ClipSession(module_of("tiny across"), ClipPlan(frames=FRAMES))
    layers = [layer for layer in unet.modules() if not list(layer.children())]
    chance = random.Random(4)
    hit = 0
    x, text = given()

    def run() -> None:
        session.denoise(x, 0, lambda rows: unet(rows.of(x), 500, encoder_hidden_states=text).sample)

    for number in range(1000):
        layer = chance.choice(layers)

        def fail(*args: Any, **kwargs: Any) -> None:
            raise Fault

        if number % 5 == 0:
            broken = chance.choice([site.layer for site in sites.blocks] + list(sites.norms))
            name = chance.choice(["register_forward_hook", "register_forward_pre_hook"])
            object.__setattr__(broken, name, fail)
            undo = broken, name
        else:
            # As late or early as the layer comes; early ones make most runs short.
            object.__setattr__(layer, "forward", fail)
            undo = layer, "forward"
        try:
            with session.installed(sites):
                run()
        except Fault:
            hit += 1
        finally:
            object.__delattr__(*undo)
        assert state(unet) == clean
        assert session.sites is None
        assert session.window == (0, 1, 2)
    assert hit > 850
    assert torch.equal(picture(unet, 1), before)


Put = Callable[[], Any]


def replaced(unet: UNet2DConditionModel, layer: Any) -> Callable[[], None]:
    """A neighbour's replacement of `forward` on an instance, as ControlNet does; gives its removal."""
    former = layer.forward

    def forward(*args: Any, **kwargs: Any) -> Any:
        return former(*args, **kwargs)

    layer.forward = forward
    return lambda: vars(layer).pop("forward", None)


@pytest.mark.parametrize("first", ["ours", "neighbour"])
@pytest.mark.parametrize("out", ["ours", "neighbour"])
@pytest.mark.parametrize("whole", [True, False], ids=["whole network", "one layer"])
def test_either_order_with_a_neighbour(
    first: str,
    out: str,
    whole: bool,
    module_of: Callable[[str], MotionModule],
    unet_of: Callable[[str], UNet2DConditionModel],
) -> None:
    unet = unet_of("tiny across")
    plain, clean = picture(unet), state(unet)
    sites = sites_of_diffusers(unet)
    session = ClipSession(module_of("tiny across"), ClipPlan(frames=FRAMES))
    with session.installed(sites):
        wanted = picture(unet)
    assert not torch.equal(wanted, plain)

    layer = unet if whole else sites.blocks[2].layer
    ours = session.installed(sites)
    if first == "ours":
        ours.__enter__()
        remove = replaced(unet, layer)
    else:
        remove = replaced(unet, layer)
        ours.__enter__()
    assert torch.equal(picture(unet), wanted)
    if out == "ours":
        ours.__exit__(None, None, None)
        assert torch.equal(picture(unet), plain)
        remove()
    else:
        remove()
        assert torch.equal(picture(unet), wanted)
        ours.__exit__(None, None, None)
    assert torch.equal(picture(unet), plain)
    assert state(unet) == clean


def test_a_neighbours_hooks_stay(
    module_of: Callable[[str], MotionModule], unet_of: Callable[[str], UNet2DConditionModel]
) -> None:
    unet = unet_of("tiny")
    sites = sites_of_diffusers(unet)
    seen: list[str] = []
    layer = sites.blocks[0].layer
    before = layer.register_forward_hook(lambda *args: seen.append("before"))
    with ClipSession(module_of("tiny"), ClipPlan(frames=FRAMES)).installed(sites):
        layer.register_forward_hook(lambda *args: seen.append("after"))
        picture(unet)
    picture(unet)
    assert seen == ["before", "after"] * 2
    assert before.id in layer._forward_hooks


def test_moving_to_another_unet_leaves_the_first(
    module_of: Callable[[str], MotionModule], unet_of: Callable[[str], UNet2DConditionModel]
) -> None:
    """A refiner's change of checkpoint, and one to a UNet that does not fit."""
    one, two, other = unet_of("tiny"), unet_of("tiny"), unet_of("SDXL")
    plain, clean = picture(one), state(one)
    session = ClipSession(module_of("tiny"), ClipPlan(frames=FRAMES))
    with session.installed(sites_of_diffusers(one)):
        moved = picture(one)
        session.move(sites_of_diffusers(two))
        assert state(one) == clean
        assert torch.equal(picture(one), plain)
        assert torch.equal(picture(two), moved)
        with pytest.raises(FlipbookError):
            session.move(sites_of_diffusers(other))
        assert torch.equal(picture(two), moved)
    assert torch.equal(picture(two), plain)
    assert state(two) == state(unet_of("tiny"))


@pytest.mark.parametrize(("version", "other"), [("SDXL", "v3"), ("v3", "SDXL"), ("HotShot-XL", "v2")])
@pytest.mark.parametrize("layout", ["ldm", "diffusers"])
def test_a_module_for_another_base_is_refused(
    version: str,
    other: str,
    layout: str,
    module_of: Callable[[str], MotionModule],
    unet_of: Callable[[str], UNet2DConditionModel],
) -> None:
    unet = unet_of(other)
    clean = state(unet)
    sites: Sites = sites_of_ldm(LdmUNet(unet)) if layout == "ldm" else sites_of_diffusers(unet)
    session = ClipSession(module_of(version), ClipPlan(frames=FRAMES))
    with pytest.raises(FlipbookError) as caught, session.installed(sites):
        pytest.fail("installed")
    sentence = str(caught.value)
    assert f"{version}-3.safetensors" in sentence
    assert "does not fit this checkpoint: its layers are" in sentence
    assert caught.value.problems[0].field == "module"
    assert state(unet) == clean
