"""What a step costs in addition to the network: copies, waits for the device, memory; counted, not timed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from diffusers import UNet2DConditionModel, UNetMotionModel
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from lib_anim.models.motion.reader import MotionModule
from lib_anim.motion import transformer
from lib_anim.motion.plan import ClipPlan, Factor
from lib_anim.motion.session import ClipSession
from lib_anim.motion.sites import sites_of_diffusers
from lib_anim.motion.transformer import ROWS, TemporalTransformer

COPIES = {
    "clone",
    "copy_",
    "_to_copy",
    "contiguous",
    "cat",
    "stack",
    "index",
    "repeat",
    "index_add_",
    "zeros",
}
WAITS = {"_local_scalar_dense", "item", "nonzero", "equal", "is_nonzero"}
"""Operations that make the processor wait for the device."""
SITE = "down_blocks.1.motion_modules.0"


class Counted(TorchDispatchMode):
    """Counts operations by name, and the values that copies write."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()
        self.copied = 0
        self.largest = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = func._schema.name.removeprefix("aten::")
        self.calls[name] += 1
        if isinstance(result, Tensor):
            # `t` turns weights.
            self.largest = max(self.largest, 0 if name == "t" else result.numel())
            if name in COPIES:
                self.copied += result.numel()
        return result

    def total(self, names: set[str]) -> int:
        return sum(self.calls[name] for name in names)


def layer_of(module: MotionModule) -> TemporalTransformer:
    return TemporalTransformer(module.weights[SITE], module.facts.positions)


@pytest.mark.parametrize("dial", [Factor(), Factor((0.5,) * 5 + (1.0,)), Factor(mask=torch.rand(6, 3, 3))])
def test_a_step_waits_for_nothing_and_copies_no_more_than_its_latents(
    dial: Factor, module_of: Callable[[str], MotionModule], unet_of: Callable[[str], UNet2DConditionModel]
) -> None:
    """The session's own work, the network's and the motion layers' taken off: a few rows of latents."""
    plan = ClipPlan(frames=6, context=4, overlap=2, schedule="standard static", scale=dial, effect=dial)
    session, unet = ClipSession(module_of("tiny"), plan), unet_of("tiny")
    x, text = torch.randn(12, 4, 4, 4), torch.randn(12, 5, 16)
    with session.installed(sites_of_diffusers(unet)):
        for step in range(2):
            with Counted() as whole:
                session.denoise(
                    x, step, lambda r: unet(r.of(x), 500, encoder_hidden_states=r.of(text)).sample
                )
    assert whole.total(WAITS) == 0
    with Counted() as own:
        session.denoise(x, 3, lambda rows: rows.of(x))
    # Cut in each of two windows, zeros, and weighed sums in float32.
    assert own.calls == Counter({"index": 2, "zeros": 1, "mul": 2, "index_add_": 2})
    assert own.total(WAITS) == 0


def test_one_window_costs_nothing(module_of: Callable[[str], MotionModule]) -> None:
    session = ClipSession(module_of("tiny"), ClipPlan(frames=6))
    x = torch.randn(12, 4, 4, 4)
    session.denoise(x, 0, lambda rows: rows.of(x))
    with Counted() as own:
        session.denoise(x, 1, lambda rows: rows.of(x))
    assert not own.calls


def test_a_motion_layer_copies_less_than_diffusers(
    module_of: Callable[[str], MotionModule],
    unet_of: Callable[[str], UNet2DConditionModel],
    oracle: Callable[..., UNetMotionModel],
) -> None:
    module = module_of("v3")
    theirs = oracle(unet_of("v3"), module, 6).down_blocks[1].motion_modules[0]
    x = torch.randn(12, 32, 8, 8)
    ours = layer_of(module)
    with Counted() as mine:
        ours(x, 6)
    with Counted() as other:
        theirs(x, num_frames=6)
    assert mine.total(WAITS) == 0
    # Into time's order and, behind each of two attentions, the heads together again.
    assert mine.total(COPIES) <= 3
    assert mine.copied <= 3 * x.numel()
    assert mine.copied < other.copied


@pytest.mark.parametrize("form", ["numbers", "per frame", "per pixel"])
def test_pieces_are_the_whole(form: str, module_of: Callable[[str], MotionModule]) -> None:
    layer = layer_of(module_of("v3"))
    x = torch.randn(2 * 3, 32, 5, 7)
    dials: dict[str, float | Tensor] = {
        "numbers": 0.7, "per frame": torch.rand(3, 1, 1), "per pixel": torch.rand(3, 5, 7)
    }  # fmt: skip
    whole = layer(x, 3, dials[form], dials[form])
    with Counted() as wide:
        layer(x, 3)
    with Counted() as narrow:
        found = layer(x, 3, dials[form], dials[form], 2 * 3 * 32 * 8 * 4)
    assert (found - whole).abs().max() < 1e-5
    # Four places of 35 at a time: the widest tensor is the residual stream itself.
    assert wide.largest == x.numel() * 8
    assert narrow.largest == x.numel()


def test_no_attention_call_has_more_rows_than_kernels_number(
    module_of: Callable[[str], MotionModule], monkeypatch: pytest.MonkeyPatch
) -> None:
    """90,000 places: attention kernels count sequences with 16 bits."""
    rows: list[int] = []
    attention = F.scaled_dot_product_attention

    def noted(query: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        rows.append(len(query))
        return attention(query, *args, **kwargs)

    monkeypatch.setattr(transformer.F, "scaled_dot_product_attention", noted)
    layer = layer_of(module_of("v3"))
    x = torch.randn(2, 32, 300, 300)
    found = layer(x, 2, piece=1 << 40)
    assert sum(rows) == 2 * 300 * 300
    assert max(rows) <= ROWS < 65_536
    # Behind the norm every place is by itself: the last row alone, with the same statistics.
    assert found.isfinite().all()
    assert (layer(x, 2, piece=1 << 16) - found).abs().max() < 1e-5


def test_lean_weights_stay_where_they_are(
    module_of: Callable[[str], MotionModule], unet_of: Callable[[str], UNet2DConditionModel]
) -> None:
    """Seen on the meta device, which stands for one of its own; values are of no account here."""
    unet, device = unet_of("tiny").to("meta"), torch.device("meta")
    x, text = torch.zeros(3, 4, 4, 4, device=device), torch.zeros(3, 5, 16, device=device)
    for lean in (True, False):
        session = ClipSession(module_of("tiny"), ClipPlan(frames=3), lean=lean)
        with session.installed(sites_of_diffusers(unet)):
            session.denoise(x, 0, lambda rows: unet(rows.of(x), 5, encoder_hidden_states=text).sample)
        kept = {layer.device.type for layer in session._layers.values()}
        assert kept == ({"cpu"} if lean else {"meta"})
