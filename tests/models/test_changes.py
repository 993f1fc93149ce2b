"""What LoRAs and their kin add to a weight, against the networks that they were trained as."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from lib_anim.errors import FlipbookError
from lib_anim.models.inspect import inspect
from lib_anim.models.lora.deltas import Hadamard, Kronecker, LowRank
from lib_anim.models.lora.reader import read_lora

DRAW = torch.Generator().manual_seed(3)


def normal(*shape: int) -> Tensor:
    return torch.randn(shape, generator=DRAW)


def test_a_convolutions_change_is_two_convolutions_in_a_row() -> None:
    x, weight = normal(1, 5, 8, 8), normal(7, 5, 3, 3)
    change = LowRank(down=normal(4, 5, 3, 3), up=normal(7, 4, 1, 1), alpha=2.0)
    assert change.fits(weight)
    want = F.conv2d(F.conv2d(x, change.down, padding=1), change.up) * (2 / 4)
    assert torch.allclose(F.conv2d(x, change.delta(weight), padding=1), want, atol=1e-4)


def test_a_change_in_tucker_form_is_three_convolutions_in_a_row() -> None:
    x, weight = normal(1, 5, 8, 8), normal(7, 5, 3, 3)
    change = LowRank(down=normal(4, 5, 1, 1), up=normal(7, 4, 1, 1), mid=normal(4, 4, 3, 3))
    assert change.fits(weight)
    assert change.mid is not None
    want = F.conv2d(F.conv2d(F.conv2d(x, change.down), change.mid, padding=1), change.up)
    assert torch.allclose(F.conv2d(x, change.delta(weight), padding=1), want, atol=1e-4)


@pytest.mark.parametrize("shape", [(6, 10), (6, 10, 3, 3), (6, 6)])
@pytest.mark.parametrize("kept", [0, 1])
def test_dora_keeps_directions_and_sets_lengths(shape: tuple[int, ...], kept: int) -> None:
    weight = normal(*shape)
    flat = weight.flatten(1).shape[1]
    lengths = torch.rand(shape[kept], generator=DRAW) + 0.5
    told = lengths.reshape(
        [shape[0], *[1] * (len(shape) - 1)] if kept == 0 else [1, shape[1], *[1] * (len(shape) - 2)]
    )
    down = normal(2, flat).reshape(2, *shape[1:])
    plain = LowRank(down=down, up=normal(shape[0], 2), alpha=1.0)
    change = LowRank(down=down, up=plain.up, alpha=1.0, magnitude=told)
    changed, moved = weight + change.delta(weight), weight + plain.delta(weight)
    rows = changed.transpose(0, kept).flatten(1), moved.transpose(0, kept).flatten(1)
    assert torch.allclose(rows[0].norm(dim=1), lengths, atol=1e-5)
    assert torch.allclose(F.cosine_similarity(*rows), torch.ones(shape[kept]), atol=1e-5)


def test_diffusers_dora_has_a_length_per_output() -> None:
    weight, lengths = normal(6, 6), torch.rand(6, generator=DRAW) + 0.5
    change = LowRank(down=normal(2, 6), up=normal(6, 2), magnitude=lengths)
    assert torch.allclose((weight + change.delta(weight)).norm(dim=1), lengths, atol=1e-5)


def test_a_loha_is_the_product_of_two_loras() -> None:
    one, other = LowRank(down=normal(3, 10), up=normal(6, 3)), LowRank(down=normal(3, 10), up=normal(6, 3))
    both = Hadamard(ups=(one.up, other.up), downs=(one.down, other.down), alpha=1.5)
    weight = normal(6, 10)
    assert both.fits(weight)
    assert torch.allclose(both.delta(weight), one.delta(weight) * other.delta(weight) * 0.5, atol=1e-5)


def test_a_loha_in_tucker_form_is_the_product_of_two_tucker_loras() -> None:
    parts = [(normal(3, 3, 3, 3), normal(3, 7), normal(3, 5)) for _ in range(2)]
    # LyCORIS keeps the way up the other way round.
    singles = [
        LowRank(down=down[:, :, None, None], up=up.T[:, :, None, None], mid=core) for core, up, down in parts
    ]
    weight = normal(7, 5, 3, 3)
    both = Hadamard(
        ups=(parts[0][1], parts[1][1]), downs=(parts[0][2], parts[1][2]), cores=(parts[0][0], parts[1][0])
    )
    assert both.fits(weight)
    want = singles[0].delta(weight) * singles[1].delta(weight)
    assert torch.allclose(both.delta(weight), want, atol=1e-4)


def blocks(first: Tensor, second: Tensor) -> Tensor:
    """The Kronecker product by its definition: every value of the first times the whole second."""
    rows = [torch.cat([value * second for value in row], dim=1) for row in first]
    return torch.cat(rows, dim=0)


def test_a_lokr_is_a_kronecker_product() -> None:
    first, second, weight = normal(2, 3), normal(4, 5), normal(8, 15)
    change = Kronecker(first=(first,), second=(second,), alpha=7.0)
    assert change.fits(weight)
    # Without a narrow middle there is no rank, and alpha says nothing.
    assert torch.allclose(change.delta(weight), blocks(first, second), atol=1e-6)
    a, b = normal(4, 2), normal(2, 5)
    low = Kronecker(first=(first,), second=(a, b), alpha=1.0)
    assert low.fits(weight)
    assert torch.allclose(low.delta(weight), blocks(first, a @ b) / 2, atol=1e-6)


def test_a_lokrs_kernel_belongs_to_the_second_factor() -> None:
    first, second, weight = normal(2, 3), normal(4, 5, 3, 3), normal(8, 15, 3, 3)
    change = Kronecker(first=(first,), second=(second,))
    assert change.fits(weight)
    for y, x in ((0, 0), (1, 2)):
        want = blocks(first, second[:, :, y, x])
        assert torch.allclose(change.delta(weight)[:, :, y, x], want, atol=1e-6)
    core, up, down = normal(2, 2, 3, 3), normal(2, 4), normal(2, 5)
    tucker = Kronecker(first=(first,), second=(up, down, core))
    assert tucker.fits(weight)
    plain = LowRank(down=down[:, :, None, None], up=up.T[:, :, None, None], mid=core).delta(second)
    assert torch.allclose(tucker.delta(weight)[:, :, 1, 1], blocks(first, plain[:, :, 1, 1]), atol=1e-5)


def test_a_change_fits_no_other_weight() -> None:
    change = LowRank(down=normal(4, 5, 3, 3), up=normal(7, 4, 1, 1))
    assert not change.fits(normal(7, 5))
    assert not change.fits(normal(5, 7, 3, 3))
    assert LowRank(down=normal(4, 5), up=normal(7, 4)).fits(normal(7, 5, 1, 1)), "a convolution of one pixel"


LAYER = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
KINDS = {
    "a LoRA": {"lora_down.weight": (4, 64), "lora_up.weight": (32, 4), "alpha": ()},
    "a DoRA": {"lora_down.weight": (4, 64), "lora_up.weight": (32, 4), "dora_scale": (1, 64)},
    "a LoHa": {"hada_w1_a": (32, 4), "hada_w1_b": (4, 64), "hada_w2_a": (32, 4), "hada_w2_b": (4, 64)},
    "a LoKr": {"lokr_w1": (4, 8), "lokr_w2_a": (8, 2), "lokr_w2_b": (2, 8), "alpha": ()},
    "an IA3": {"weight": (32, 1), "on_input": ()},
    "a GLoRA": {"a1.weight": (4, 64), "a2.weight": (64, 4), "b1.weight": (4, 64), "b2.weight": (32, 4)},
    "an OFT": {"oft_blocks": (4, 8, 8), "alpha": (), "rescale": (32, 1)},
    "a LyCORIS of whole matrices": {"diff": (32, 64), "diff_b": (32,)},
}


@pytest.mark.parametrize("kind", KINDS)
def test_files_are_read_and_named_by_kind(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "snow.safetensors"
    tensors = {f"{LAYER}.{part}": normal(*shape) for part, shape in KINDS[kind].items()}
    if f"{LAYER}.on_input" in tensors:
        tensors[f"{LAYER}.on_input"] = torch.tensor(0)
    save_file(tensors, path)
    found = inspect(path)
    assert found.kind == "lora"
    assert f"is {kind} " in found.sentence
    assert read_lora(path).changes[LAYER].delta(normal(32, 64)).isfinite().all()


@pytest.mark.parametrize("part", ["string_to_param.*", "emb_params"])
def test_textual_inversions_inside_a_lora_are_read(tmp_path: Path, part: str) -> None:
    tensors = {f"{LAYER}.{part}": normal(*shape) for part, shape in KINDS["a LoRA"].items()}
    path, vectors = tmp_path / "snow.safetensors", normal(2, 64)
    save_file({**tensors, f"bundle_emb.snowtree.{part}": vectors}, path)
    (word,) = read_lora(path).embeddings
    assert word.name == "snowtree"
    assert torch.equal(word.vectors[0], vectors)


def test_sdxls_textual_inversions_inside_a_lora_are_read(tmp_path: Path) -> None:
    tensors = {f"{LAYER}.{part}": normal(*shape) for part, shape in KINDS["a LoRA"].items()}
    path, vectors = tmp_path / "snow.safetensors", (normal(2, 64), normal(2, 128))
    for part, both in zip(("clip_l", "clip_g"), vectors, strict=True):
        tensors[f"bundle_emb.snowtree.{part}"] = both
    save_file(tensors, path)
    (word,) = read_lora(path).embeddings
    assert all(map(torch.equal, word.vectors, vectors))


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ({"lora_down.weight": (4, 64), "lora_up.weight": (32, 4), "gate": (32,)}, "not supported.*gate"),
        ({"lora_down.weight": (4, 64), "weight": (32,)}, "not supported.*weight"),
        ({"on_input": ()}, "lacks its part 'factors'"),
        ({"a1.weight": (4, 64), "a2.weight": (64, 4), "b1.weight": (4, 64)}, "lacks its part 'glora_b2'"),
        ({"lora_down.weight": (4, 64)}, "lacks its part 'up'"),
        ({"lora_up.weight": (32, 4), "hada_w1_b": (4, 64)}, "lacks its part 'hada1a'"),
    ],
)
def test_what_would_paint_another_picture_is_refused(
    tmp_path: Path, tensors: dict[str, tuple[int, ...]], words: str
) -> None:
    path = tmp_path / "snow.safetensors"
    save_file({f"{LAYER}.{part}": normal(*shape) for part, shape in tensors.items()}, path)
    with pytest.raises(FlipbookError, match=words):
        read_lora(path)


def test_other_weights_are_named(tmp_path: Path) -> None:
    save_file({"decoder.conv_in.weight": normal(2)}, tmp_path / "bright.safetensors")
    with pytest.raises(FlipbookError, match="not a LoRA: it is a VAE"):
        read_lora(tmp_path / "bright.safetensors")
