"""The attention function: xformers' layout and scale against PyTorch's, in motion layers and in the UNet."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor2_0

from lib_anim.engines.diffusion.attention_processor import AttentionProcessor
from lib_anim.errors import FlipbookError
from lib_anim.motion.attention import attention_of, sdpa
from lib_anim.motion.transformer import TemporalTransformer


def memory_efficient_attention(query: Any, key: Any, value: Any, scale: float | None = None) -> Any:
    """xformers' function as documented: (batch, tokens, heads, width), softmax(scale · QKᵀ) · V."""
    assert query.ndim == 4
    logits = torch.einsum("bihw,bjhw->bhij", query, key) * scale
    return torch.einsum("bhij,bjhw->bihw", logits.softmax(-1), value)


@pytest.fixture
def fake_xformers(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """xformers without its kernels; collects the shapes that it is called with."""
    shapes: list[tuple[int, ...]] = []

    def called(query: Any, key: Any, value: Any, scale: float | None = None) -> Any:
        shapes.append(tuple(query.shape))
        return memory_efficient_attention(query, key, value, scale)

    ops: Any = ModuleType("xformers.ops")
    ops.memory_efficient_attention = called
    monkeypatch.setitem(sys.modules, "xformers", ModuleType("xformers"))
    monkeypatch.setitem(sys.modules, "xformers.ops", ops)
    return shapes


def test_both_backends_agree_for_any_scale(fake_xformers: list[tuple[int, ...]]) -> None:
    query, key, value = (torch.randn(2, 3, tokens, 8) for tokens in (5, 7, 7))
    for scale in (8**-0.5, 0.2, 1.7):
        ours = attention_of("xformers")(query, key, value, scale)
        assert ours.shape == (2, 3, 5, 8)
        torch.testing.assert_close(ours, sdpa(query, key, value, scale))
    assert fake_xformers[0] == (2, 5, 3, 8)


def test_a_motion_layer_gives_the_same_with_both(module_of: Any, fake_xformers: list[Any]) -> None:
    module = module_of("tiny")
    weights = next(iter(module.weights.values()))
    plain = TemporalTransformer(weights, module.facts.positions)
    other = TemporalTransformer(weights, module.facts.positions, attention_of("xformers"))
    x = torch.randn(4, plain.width, 3, 3)
    for scale in (1.0, 1.4, torch.rand(4, 1, 1) + 0.5):
        torch.testing.assert_close(other(x, 4, scale), plain(x, 4, scale), atol=1e-5, rtol=1e-4)
    assert fake_xformers


def test_the_processor_equals_diffusers_own() -> None:
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        block_out_channels=(32, 64),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=1,
        cross_attention_dim=16,
        attention_head_dim=4,
    ).eval()
    latents, context = torch.randn(2, 4, 8, 8), torch.randn(2, 9, 16)
    with torch.inference_mode():
        unet.set_attn_processor(AttnProcessor2_0())
        theirs = unet(latents, 10, context).sample
        unet.set_attn_processor(AttentionProcessor(sdpa))
        torch.testing.assert_close(unet(latents, 10, context).sample, theirs, atol=1e-6, rtol=1e-5)


def test_a_missing_package_is_a_sentence_with_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xformers.ops", None)
    with pytest.raises(FlipbookError) as missing:
        attention_of("xformers")
    (problem,) = missing.value.problems
    assert (problem.code, problem.field) == ("attention.not_installed", "attention")
    assert "sdpa" in problem.message
