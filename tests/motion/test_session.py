"""The session round a denoiser: windows, groups, fusion, strengths, short memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel
from torch import Tensor

from lib_anim.errors import FlipbookError
from lib_anim.models.motion.reader import MotionModule
from lib_anim.motion.plan import ClipPlan, Factor
from lib_anim.motion.rows import Rows
from lib_anim.motion.session import ClipSession
from lib_anim.motion.sites import sites_of_diffusers
from lib_anim.motion.transformer import PIECES, TemporalTransformer

Modules = Callable[[str], MotionModule]
UNets = Callable[[str], UNet2DConditionModel]


def clip(unet: UNet2DConditionModel, session: ClipSession, groups: int = 1, step: int = 0) -> Tensor:
    """One step of the clip in windows."""
    torch.manual_seed(1)
    frames = session.plan.frames
    x = torch.randn(frames, 4, 4, 4).repeat(groups, 1, 1, 1)
    text = torch.randn(groups, 5, 16).repeat_interleave(frames, 0)
    with session.installed(sites_of_diffusers(unet)):
        return session.denoise(
            x, step, lambda rows: unet(rows.of(x), 500, encoder_hidden_states=rows.of(text)).sample
        )


@pytest.mark.parametrize("version", ["tiny across", "tiny"])
def test_groups_together_or_one_by_one(version: str, module_of: Modules, unet_of: UNets) -> None:
    """Prompt and negative in one batch, or each alone, or with a third: the number is the tensor's."""
    unet, session = unet_of(version), ClipSession(module_of(version), ClipPlan(frames=5, context=3))
    torch.manual_seed(1)
    x, text = torch.randn(15, 4, 4, 4), torch.randn(3, 5, 16).repeat_interleave(5, 0)

    def run(rows: slice) -> Tensor:
        a, b = x[rows], text[rows]
        return session.denoise(a, 1, lambda r: unet(r.of(a), 500, encoder_hidden_states=r.of(b)).sample)

    with session.installed(sites_of_diffusers(unet)):
        together = run(slice(15))
        apart = torch.cat([run(slice(i, i + 5)) for i in (0, 5, 10)])
    assert (together - apart).abs().max() < 1e-4


def test_rows_that_are_no_multiple_are_refused(module_of: Modules, unet_of: UNets) -> None:
    unet, session = unet_of("tiny"), ClipSession(module_of("tiny"), ClipPlan(frames=5))
    x, text = torch.zeros(7, 4, 4, 4), torch.zeros(7, 5, 16)
    with session.installed(sites_of_diffusers(unet)):
        for run in (lambda: session.denoise(x, 0, lambda rows: x), lambda: unet(x, 1, text)):
            with pytest.raises(FlipbookError) as caught:
                run()
            assert "given 7 pictures" in str(caught.value)


@pytest.mark.parametrize("fusion", ["pyramid", "flat", "overlap-linear", "last"])
def test_what_is_the_same_in_all_windows_stays(fusion: Any, module_of: Modules) -> None:
    session = ClipSession(module_of("tiny"), ClipPlan(frames=40, context=8, fusion=fusion))
    x = torch.randn(80, 4, 2, 2)
    for step in range(5):
        assert (session.denoise(x, step, lambda rows: rows.of(x)) - x).abs().max() < 1e-5


def test_windows_are_averaged_by_their_weights(module_of: Modules) -> None:
    plan = ClipPlan(frames=6, context=4, overlap=2, schedule="standard static")
    session = ClipSession(module_of("tiny"), plan)
    assert session.windows(0) == ((0, 1, 2, 3), (2, 3, 4, 5))
    x = torch.zeros(6, 1, 1, 1)

    def number(rows: Rows) -> Tensor:
        return torch.full((4, 1, 1, 1), float(rows.window[0]))

    # Pyramid weights 1 2 2 1: frame 2 has 2 from the first window and 1 from the second.
    assert session.denoise(x, 0, number).flatten().tolist() == pytest.approx([0, 0, 2 / 3, 4 / 3, 2, 2])


def test_last_overwrites(module_of: Modules) -> None:
    plan = ClipPlan(frames=6, context=4, overlap=2, schedule="standard static", fusion="last")
    found = ClipSession(module_of("tiny"), plan).denoise(
        torch.zeros(6, 1, 1, 1), 0, lambda rows: torch.full((4, 1, 1, 1), float(rows.window[0]))
    )
    assert found.flatten().tolist() == [0, 0, 2, 2, 2, 2]


def test_one_window_is_one_pass_without_copies(module_of: Modules) -> None:
    session = ClipSession(module_of("tiny"), ClipPlan(frames=6, context=16))
    x = torch.randn(12, 4, 2, 2)
    cond = {"c_crossattn": [torch.randn(12, 5, 16)], "other": "text"}
    passes = []

    def inner(rows: Rows) -> Tensor:
        passes.append((rows.window, rows.groups, rows.first))
        assert rows.of(x) is x
        assert rows.of(cond) is cond
        return x

    assert session.denoise(x, 0, inner) is x
    assert passes == [((0, 1, 2, 3, 4, 5), 2, 0)]


def test_conditions_are_cut_with_the_rows(module_of: Modules) -> None:
    session = ClipSession(module_of("tiny"), ClipPlan(frames=6, context=4, schedule="batched"))
    x = torch.arange(12.0).view(12, 1, 1, 1)
    cond = {"c": [x.clone()], "vector": (x.clone(), torch.zeros(3)), "text": "as it is", "none": None}
    seen = []

    def inner(rows: Rows) -> Tensor:
        cut = rows.of(cond)
        assert cut["vector"][1] is cond["vector"][1]
        assert (cut["text"], cut["none"]) == ("as it is", None)
        assert torch.equal(cut["c"][0], rows.of(x))
        assert torch.equal(cut["vector"][0], rows.of(x))
        seen.append(rows.of(x).flatten().tolist())
        return rows.of(x)

    assert torch.equal(session.denoise(x, 0, inner), x)
    assert seen == [[0, 1, 2, 3, 6, 7, 8, 9], [4, 5, 10, 11]]


def test_effect_0_is_the_plain_unet_bit_for_bit(module_of: Modules, unet_of: UNets) -> None:
    unet, module = unet_of("tiny"), module_of("tiny")
    torch.manual_seed(1)
    x, text = torch.randn(4, 4, 4, 4), torch.randn(1, 5, 16).repeat_interleave(4, 0)
    plain = unet(x, 500, encoder_hidden_states=text).sample
    assert torch.equal(clip(unet, ClipSession(module, ClipPlan(frames=4, effect=Factor((0.0,))))), plain)
    everywhere = Factor(blocks={"down_blocks": 0, "up_blocks": 0.0, "mid_block": 0})
    assert torch.equal(clip(unet, ClipSession(module, ClipPlan(frames=4, effect=everywhere))), plain)


DIALS = {
    "a number": Factor((0.5,)),
    "a schedule": Factor((1.0, 0.5, 1.0, 1.0)),
    "a mask": Factor(mask=torch.tensor([[[1.0, 0.2], [1.0, 1.0]]])),
    "a mask by frame": Factor(mask=torch.rand(4, 3, 5)),
    "a block": Factor(blocks={"up_blocks.1": 0.3}),
    "a site": Factor(blocks={"down_blocks.0.motion_modules.1": 0.0}),
}


@pytest.mark.parametrize("which", ["scale", "effect"])
@pytest.mark.parametrize("name", DIALS)
def test_every_form_of_a_strength_changes_the_frames(
    which: str, name: str, module_of: Modules, unet_of: UNets
) -> None:
    unet, module = unet_of("tiny"), module_of("tiny")
    plain = clip(unet, ClipSession(module, ClipPlan(frames=4)))
    plan = ClipPlan(frames=4, **{which: DIALS[name]})
    assert (clip(unet, ClipSession(module, plan)) - plain).abs().max() > 1e-3


def test_a_strength_of_1_in_every_form_is_the_plain_motion(module_of: Modules, unet_of: UNets) -> None:
    unet, module = unet_of("tiny"), module_of("tiny")
    plain = clip(unet, ClipSession(module, ClipPlan(frames=4)))
    for dial in (Factor((1.0,) * 4), Factor(mask=torch.ones(1, 3, 3)), Factor(blocks={"up_blocks": 1.0})):
        found = clip(unet, ClipSession(module, ClipPlan(frames=4, scale=dial, effect=dial)))
        assert (found - plain).abs().max() < 1e-4


@pytest.mark.parametrize(
    ("module", "plan", "words"),
    [
        ("v3", {"frames": 64, "context": 64}, "64 frames are more than AnimateDiff v3 supports"),
        ("v1", {"frames": 32, "context": 32}, "24 positions); use at most 24"),
    ],
)
def test_the_context_is_guarded(module: str, plan: dict[str, int], words: str, module_of: Modules) -> None:
    with pytest.raises(FlipbookError) as caught:
        ClipSession(module_of(module), ClipPlan(**plan))
    assert words in str(caught.value)
    assert caught.value.problems[0].field == "context"


def test_lcm_knows_64_frames(module_of: Modules) -> None:
    ClipSession(module_of("AnimateLCM"), ClipPlan(frames=64, context=64))


@pytest.mark.parametrize(
    ("given", "field", "words"),
    [
        ({"frames": 0}, "frames", "0 frames are too few"),
        ({"frames": 20, "overlap": 16}, "overlap", "use at most 15, or −1"),
        ({"frames": 20, "overlap": -2}, "overlap", "-2 is out of range"),
        ({"frames": 20, "context": 0}, "context", "at least 1"),
        ({"frames": 20, "stride": 0}, "stride", "at least 1"),
        ({"frames": 20, "scale": Factor((1.0, 2.0))}, "motion_scale", "has 2 values for 20 frames"),
        ({"frames": 20, "effect": Factor(mask=torch.ones(2, 4, 4))}, "motion_effect", "(2, 4, 4)"),
    ],
)
def test_contradicting_plans_are_refused(given: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(FlipbookError) as caught:
        ClipPlan(**given)
    assert caught.value.problems[0].field == field
    assert words in str(caught.value)


@pytest.mark.parametrize("frames", [1, 2])
def test_the_shortest_clips(frames: int, module_of: Modules, unet_of: UNets) -> None:
    assert clip(unet_of("tiny"), ClipSession(module_of("tiny"), ClipPlan(frames=frames))).isfinite().all()


class Shortage(RuntimeError):
    """What torch says on the CPU."""

    def __init__(self) -> None:
        super().__init__("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")


def test_short_memory_halves_once_and_says_so(
    module_of: Modules, unet_of: UNets, monkeypatch: pytest.MonkeyPatch
) -> None:
    warned: list[str] = []
    unet = unet_of("tiny")
    plan = ClipPlan(frames=5, context=3)
    wanted = clip(unet, ClipSession(module_of("tiny"), plan), groups=2)
    session = ClipSession(module_of("tiny"), plan, warn=warned.append)
    limit = 3
    forward = unet.forward

    def small(sample: Tensor, *args: Any, **kwargs: Any) -> Any:
        if len(sample) > limit:
            raise Shortage
        return forward(sample, *args, **kwargs)

    unet.forward = small
    pieces: list[int] = []
    layer = TemporalTransformer.__call__

    def noted(self: TemporalTransformer, *args: Any) -> Tensor:
        pieces.append(args[4])
        return layer(self, *args)

    monkeypatch.setattr(TemporalTransformer, "__call__", noted)
    found = clip(unet, session, groups=2)
    assert (found - wanted).abs().max() < 1e-4
    assert warned == [
        "Memory ran out; motion attention continues in pieces half as large, with one prompt at a time."
    ]
    assert set(pieces) == {PIECES["cpu"] // 2}
    limit = 2
    with pytest.raises(Shortage):
        clip(unet, session, groups=2)
    assert len(warned) == 1
