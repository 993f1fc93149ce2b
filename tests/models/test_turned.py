"""What IA3, GLoRA, OFT and BOFT make of a weight, by the laws that they were made for."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from lib_anim.models.lora.multiplicative import Factors, Generalized, Rotated
from lib_anim.models.lora.reader import read_lora

DRAW = torch.Generator().manual_seed(5)


def normal(*shape: int) -> Tensor:
    return torch.randn(shape, generator=DRAW)


@pytest.mark.parametrize("shape", [(6, 10), (6, 10, 3, 3)])
def test_ia3_scales_what_comes_in_or_goes_out(shape: tuple[int, ...]) -> None:
    x, weight = normal(1, 10, 5, 5), normal(*shape)
    seen = weight if weight.ndim == 4 else weight[:, :, None, None]
    into, out = normal(10), normal(6, 1)
    before, after = Factors(values=into, on_input=True), Factors(values=out, on_input=False)
    assert before.fits(weight)
    assert after.fits(weight)
    assert not Factors(values=into, on_input=False).fits(weight)
    plain = F.conv2d(x, seen, padding="same")
    got = F.conv2d(x, seen + before.delta(weight).reshape(seen.shape), padding="same")
    assert torch.allclose(got, plain + F.conv2d(x * into[:, None, None], seen, padding="same"), atol=1e-4)
    got = F.conv2d(x, seen + after.delta(weight).reshape(seen.shape), padding="same")
    assert torch.allclose(got, plain * (1 + out[:, :, None]), atol=1e-4)


def test_glora_is_a_lora_beside_and_one_before_the_layer() -> None:
    x, weight = normal(3, 10), normal(6, 10)
    a1, a2, b1, b2 = normal(2, 10), normal(10, 2), normal(2, 10), normal(6, 2)
    change = Generalized(weight_side=(a2, a1), added=(b2, b1), alpha=4.0)
    assert change.fits(weight)
    assert not change.fits(normal(10, 6))
    before = F.linear(F.linear(x, a1), a2)
    want = F.linear(x, weight) + F.linear(before, weight) + F.linear(F.linear(x, b1), b2)
    assert torch.allclose(F.linear(x, weight + change.delta(weight)), want, atol=1e-4)


def turned(change: Rotated, weight: Tensor) -> Tensor:
    assert change.fits(weight)
    return weight + change.delta(weight)


@pytest.mark.parametrize("shape", [(12, 10), (12, 5, 3, 3)])
def test_oft_turns_blocks_of_outputs_and_keeps_lengths(shape: tuple[int, ...]) -> None:
    weight = normal(*shape)
    got = turned(Rotated(blocks=normal(3, 4, 4)), weight)
    assert not torch.allclose(got, weight, atol=0.1)
    for block in range(3):
        rows = slice(4 * block, 4 * block + 4)
        before, after = weight[rows].flatten(1), got[rows].flatten(1)
        assert torch.allclose(before.T @ before, after.T @ after, atol=1e-3), "angles and lengths"


def test_oft_turns_what_the_layer_gives() -> None:
    weight, x = normal(8, 10), normal(3, 10)
    turns = torch.linalg.qr(normal(2, 4, 4)).Q
    got = F.linear(x, turned(Rotated(blocks=turns, finished=True), weight))
    plain = F.linear(x, weight).reshape(3, 2, 4)
    assert torch.allclose(got, torch.einsum("xkn,knm->xkm", plain, turns).reshape(3, 8), atol=1e-4)


def test_cayleys_turn_is_that_of_its_angle() -> None:
    """In two dimensions Q = [[0, t], [−t, 0]] turns by 2·atan(t)."""
    blocks = torch.tensor([[[0.0, 0.3], [0.0, 0.0]]])
    got = turned(Rotated(blocks=blocks), torch.tensor([[1.0], [0.0]]))
    angle = 2 * torch.atan(torch.tensor(0.3))
    assert torch.allclose(got[:, 0], torch.stack([angle.cos(), angle.sin()]), atol=1e-5)


def test_alpha_bounds_how_far_all_blocks_turn_together() -> None:
    weight, blocks = normal(8, 10), normal(2, 4, 4)
    skew = blocks - blocks.transpose(1, 2)
    near = blocks * (0.01 * 8 / float(skew.norm()))
    bounded = turned(Rotated(blocks=blocks, alpha=0.01), weight)
    assert torch.allclose(bounded, turned(Rotated(blocks=near), weight), atol=1e-5)
    wide = turned(Rotated(blocks=blocks, alpha=1e6), weight)
    assert torch.allclose(wide, turned(Rotated(blocks=blocks), weight), atol=1e-4)


def test_rescale_lengthens_what_was_turned() -> None:
    weight, lengths = normal(8, 10), normal(8, 1)
    plain = turned(Rotated(blocks=normal(2, 4, 4)), weight)
    still = turned(Rotated(blocks=torch.zeros(2, 4, 4), rescale=lengths), weight)
    assert torch.allclose(still, weight * lengths, atol=1e-5)
    assert torch.allclose(plain.norm(), weight.norm(), atol=1e-3)


def test_a_boft_mixes_every_output_with_every_other() -> None:
    change = Rotated(blocks=normal(3, 4, 2, 2))
    got = turned(change, torch.eye(8))
    assert torch.allclose(got @ got.T, torch.eye(8), atol=1e-4), "a rotation"
    assert bool((got.abs() > 1e-6).all()), "three rounds of pairs reach all eight"
    first = turned(Rotated(blocks=change.blocks[:1]), torch.eye(8))
    assert int((first.abs() > 1e-6).sum()) == 16, "the first round turns neighbours"
    assert not Rotated(blocks=normal(4, 4, 2, 2)).fits(torch.eye(8)), "a round more than eight outputs have"


def test_kohyas_oft_names_layers_in_its_own_way(tmp_path: Path) -> None:
    path = tmp_path / "snow.safetensors"
    save_file({"oft_unet_mid_block_1_proj_in.oft_blocks": normal(2, 4, 4)}, path)
    assert list(read_lora(path).changes) == ["lora_unet_mid_block_1_proj_in"]
