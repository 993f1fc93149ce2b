"""LoRAs, textual inversions and VAEs from a checkpoint's folders, in the embedded engine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from lib_anim.errors import FlipbookError, NotFound
from lib_anim.models.folders import ModelFolders
from lib_anim.models.lora.deltas import LowRank
from tests.engines.test_diffusers import REQUEST, opened, painter_of


def lora_file(path: Path, layer: str, out: int, into: int, seed: int = 0) -> None:
    generator = torch.Generator().manual_seed(seed)
    save_file(
        {
            f"{layer}.lora_down.weight": torch.randn(4, into, generator=generator),
            f"{layer}.lora_up.weight": torch.randn(out, 4, generator=generator),
            f"{layer}.alpha": torch.tensor(2.0),
        },
        path,
    )


TO_K = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"


def test_loras_come_and_go_without_a_trace(checkpoint: Path, tmp_path: Path) -> None:
    lora_file(tmp_path / "snow.safetensors", TO_K, 32, 64)
    engine = opened(checkpoint, folders=ModelFolders(loras=(tmp_path,)))
    weight = painter_of(engine)._loras._layers[TO_K].weight
    before = weight.detach().clone()
    plain = engine.still(REQUEST)
    with_lora = engine.still(replace(REQUEST, prompt=REQUEST.prompt + " <lora:snow:0.5>"))
    assert not np.array_equal(with_lora, plain)
    change = load_file(tmp_path / "snow.safetensors")
    delta = change[f"{TO_K}.lora_up.weight"] @ change[f"{TO_K}.lora_down.weight"] * (2.0 / 4) * 0.5
    assert torch.allclose(weight, before + delta, atol=1e-5)
    assert np.array_equal(engine.still(REQUEST), plain)
    assert torch.equal(weight, before)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_weights_below_loras_of_half_files_take_half_the_memory_and_come_back(
    maker: ModuleType, tmp_path: Path, dtype: torch.dtype
) -> None:
    half = maker.write_sd1(tmp_path / "half.safetensors", text_layers=3, dtype=dtype)
    lora_file(tmp_path / "snow.safetensors", TO_K, 32, 64)
    engine = opened(half, folders=ModelFolders(loras=(tmp_path,)))
    manager = painter_of(engine)._loras
    layer = manager._layers[TO_K]
    before = layer.weight.detach().clone()
    engine.still(replace(REQUEST, prompt=REQUEST.prompt + " <lora:snow:0.5>"))
    assert not torch.equal(layer.weight, before)
    assert [kept.element_size() for kept in manager._kept.values()] == [2]
    engine.still(REQUEST)
    assert torch.equal(layer.weight, before)


def test_loras_that_call_a_layer_by_two_names_come_off_together(checkpoint: Path, tmp_path: Path) -> None:
    lora_file(tmp_path / "diffusers.safetensors", TO_K, 32, 64)
    other = "lora_unet_input_blocks_1_1_transformer_blocks_0_attn2_to_k"
    lora_file(tmp_path / "original.safetensors", other, 32, 64, seed=1)
    engine = opened(checkpoint, folders=ModelFolders(loras=(tmp_path,)))
    layers = painter_of(engine)._loras._layers
    assert layers[TO_K] is layers[other]
    before, plain = layers[TO_K].weight.detach().clone(), engine.still(REQUEST)
    words = ("<lora:diffusers:0.5> <lora:original:1>", "<lora:original:0.5>", "<lora:diffusers:0.25>")
    for tags in words:
        assert not np.array_equal(engine.still(replace(REQUEST, prompt=f"{REQUEST.prompt} {tags}")), plain)
    change = load_file(tmp_path / "diffusers.safetensors")
    delta = change[f"{TO_K}.lora_up.weight"] @ change[f"{TO_K}.lora_down.weight"] * (2.0 / 4) * 0.25
    assert torch.allclose(layers[TO_K].weight, before + delta, atol=1e-5), "the last one alone"
    assert np.array_equal(engine.still(REQUEST), plain)
    assert torch.equal(layers[TO_K].weight, before)
    assert painter_of(engine)._loras._kept == {}, "no copies without LoRAs"


def test_what_fails_half_way_leaves_no_lora_behind(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lora_file(tmp_path / "snow.safetensors", TO_K, 32, 64)
    tensors = {k.replace("to_k", "to_v"): v for k, v in load_file(tmp_path / "snow.safetensors").items()}
    save_file({**load_file(tmp_path / "snow.safetensors"), **tensors}, tmp_path / "snow.safetensors")
    engine = opened(checkpoint, folders=ModelFolders(loras=(tmp_path,)))
    plain, delta, calls = engine.still(REQUEST), LowRank.delta, []

    def failing(self: LowRank, like: torch.Tensor) -> torch.Tensor:
        calls.append(like)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return delta(self, like)

    with_lora = replace(REQUEST, prompt=REQUEST.prompt + " <lora:snow:0.5>")
    with monkeypatch.context() as patch:
        patch.setattr(LowRank, "delta", failing)
        with pytest.raises(KeyboardInterrupt):
            engine.still(with_lora)
    assert np.array_equal(engine.still(REQUEST), plain)
    assert not np.array_equal(engine.still(with_lora), plain)


def test_a_lora_is_read_anew_when_its_file_has_changed(checkpoint: Path, tmp_path: Path) -> None:
    lora_file(tmp_path / "snow.safetensors", TO_K, 32, 64)
    folders = ModelFolders(loras=(tmp_path,))
    engine, with_lora = opened(checkpoint, folders=folders), replace(REQUEST, prompt="a ball <lora:snow:0.5>")
    first = engine.still(with_lora)
    lora_file(tmp_path / "new.safetensors", TO_K, 32, 64, seed=1)
    (tmp_path / "new.safetensors").replace(tmp_path / "snow.safetensors")
    second = engine.still(with_lora)
    assert not np.array_equal(second, first)
    assert np.array_equal(second, opened(checkpoint, folders=folders).still(with_lora))


ODD = {
    "ranks": {"lora_down.weight": (4, 64), "lora_up.weight": (32, 3)},
    "no rank": {"lora_down.weight": (0, 64), "lora_up.weight": (32, 0), "alpha": ()},
    "alphas": {"lora_down.weight": (4, 64), "lora_up.weight": (32, 4), "alpha": (2,)},
    "lengths": {"lora_down.weight": (4, 64), "lora_up.weight": (32, 4), "dora_scale": (5,)},
    "no axes": {"lora_down.weight": (4, 64), "lora_up.weight": ()},
    "blocks": {"oft_blocks": (4, 8, 7)},
    "axes": {"oft_blocks": (4, 8)},
    "switches": {"weight": (32,), "on_input": (2,)},
    "pairs": {"hada_w1_a": (32, 4), "hada_w1_b": (4, 64), "hada_w2_a": (32, 3), "hada_w2_b": (3, 60)},
}


@pytest.mark.parametrize("what", ODD)
def test_a_layer_that_does_not_fit_together_is_a_sentence(
    checkpoint: Path, tmp_path: Path, what: str
) -> None:
    lora_file(tmp_path / "snow.safetensors", TO_K.replace("to_k", "to_v"), 32, 64)
    odd = {f"{TO_K}.{part}": torch.ones(shape) for part, shape in ODD[what].items()}
    save_file({**load_file(tmp_path / "snow.safetensors"), **odd}, tmp_path / "snow.safetensors")
    engine = opened(checkpoint, folders=ModelFolders(loras=(tmp_path,)))
    plain = engine.still(REQUEST)
    with pytest.raises(FlipbookError, match=r"snow.* (damaged|another kind)"):
        engine.still(replace(REQUEST, prompt="<lora:snow:1>"))
    assert np.array_equal(engine.still(REQUEST), plain)


@pytest.mark.parametrize(("value", "strength"), [(float("nan"), 1), (1.0, 1e38)])
def test_what_makes_no_numbers_is_the_loras_fault(
    checkpoint: Path, tmp_path: Path, value: float, strength: float
) -> None:
    save_file({f"{TO_K}.diff": torch.full((32, 64), value * 100)}, tmp_path / "snow.safetensors")
    engine = opened(checkpoint, folders=ModelFolders(loras=(tmp_path,)))
    with pytest.raises(FlipbookError, match='LoRA "snow" gives NaN or infinite values'):
        engine.still(replace(REQUEST, prompt=f"<lora:snow:{strength}>"))


def test_a_broken_checkpoint_is_not_the_loras_fault(checkpoint: Path, tmp_path: Path) -> None:
    lora_file(tmp_path / "snow.safetensors", TO_K, 32, 64)
    engine = opened(checkpoint, folders=ModelFolders(loras=(tmp_path,)))
    painter_of(engine)._loras._layers[TO_K].weight.data[0, 0] = float("nan")
    with pytest.raises(FlipbookError, match=r"UNet of .* its weights are broken"):
        engine.still(replace(REQUEST, prompt="<lora:snow:1>"))


@pytest.mark.parametrize("strength", ["nan", "inf"])
def test_strengths_that_are_no_numbers_are_refused(checkpoint: Path, strength: str) -> None:
    with pytest.raises(FlipbookError, match="cannot be read"):
        opened(checkpoint).still(replace(REQUEST, prompt=f"<lora:snow:{strength}>"))


def test_a_lora_of_the_other_family_is_refused_whole(checkpoint: Path, tmp_path: Path) -> None:
    """Some layers have one size in both; those alone would be another picture than anybody has meant."""
    lora_file(tmp_path / "snow.safetensors", TO_K.replace("attn2", "attn1"), 32, 32)
    tensors = load_file(tmp_path / "snow.safetensors")
    wide = {f"{TO_K}.lora_down.weight": torch.ones(4, 128), f"{TO_K}.lora_up.weight": torch.ones(32, 4)}
    save_file({**tensors, **wide}, tmp_path / "snow.safetensors")
    engine = opened(checkpoint, folders=ModelFolders(loras=(tmp_path,)))
    with pytest.raises(FlipbookError, match=r"another kind of checkpoint: its layer .* has another size"):
        engine.still(replace(REQUEST, prompt="<lora:snow:1>"))


def test_damaged_inversions_are_passed_over(checkpoint: Path, tmp_path: Path) -> None:
    """One file of somebody's folder must not keep the engine from opening."""
    save_file({"emb_params": torch.ones(())}, tmp_path / "flat.safetensors")
    save_file({"emb_params": torch.ones(2, 0)}, tmp_path / "empty.safetensors")
    save_file({"emb_params": torch.ones(76, 64)}, tmp_path / "long.safetensors")
    save_file({"clip_l": torch.ones(2, 64), "clip_g": torch.ones(5, 64)}, tmp_path / "uneven.safetensors")
    torch.save({"string_to_param": 5}, tmp_path / "number.pt")
    (tmp_path / "broken.pt").write_bytes(b"\x80\x02}q\x00(X\x01")
    engine = opened(checkpoint, folders=ModelFolders(embeddings=(tmp_path,)))
    assert np.array_equal(engine.still(REQUEST), opened(checkpoint).still(REQUEST))
    assert sum("embedding was skipped" in warning for warning in engine.warnings) == 6


def test_a_lora_answers_to_its_trainers_name_too(checkpoint: Path, tmp_path: Path) -> None:
    lora_file(tmp_path / "snow_v2-000010.safetensors", TO_K, 32, 64)
    tensors = load_file(tmp_path / "snow_v2-000010.safetensors")
    save_file(tensors, tmp_path / "snow_v2-000010.safetensors", {"ss_output_name": "snow"})
    engine = opened(checkpoint, folders=ModelFolders(loras=(tmp_path,)))
    asked = [replace(REQUEST, prompt=f"a ball <lora:{name}:1>") for name in ("snow", "snow_v2-000010")]
    assert np.array_equal(*(engine.still(request) for request in asked))


def test_a_vae_of_another_family_is_refused(checkpoint: Path, maker: ModuleType, tmp_path: Path) -> None:
    maker.write_sd1(tmp_path / "other.safetensors")
    vae = {k: v for k, v in load_file(tmp_path / "other.safetensors").items() if k.startswith("first_stage")}
    root = "first_stage_model."
    for key, shape in (("quant_conv.weight", (32, 32, 1, 1)), ("post_quant_conv.weight", (16, 16, 1, 1))):
        vae[root + key] = torch.zeros(shape)
    vae[root + "quant_conv.bias"], vae[root + "post_quant_conv.bias"] = torch.zeros(32), torch.zeros(16)
    vae[root + "decoder.conv_in.weight"] = torch.zeros(32, 16, 3, 3)
    vae[root + "encoder.conv_out.weight"], vae[root + "encoder.conv_out.bias"] = (
        torch.zeros(32, 32, 3, 3),
        torch.zeros(32),
    )
    save_file(vae, tmp_path / "wide.safetensors")
    engine = opened(checkpoint, folders=ModelFolders(vaes=(tmp_path,)))
    with pytest.raises(FlipbookError, match=r"wide.safetensors has 16 latent channels"):
        engine.still(replace(REQUEST, vae="wide"))


def test_whole_matrices_biases_and_norms_come_and_go(checkpoint: Path, tmp_path: Path) -> None:
    norm = "lora_te_text_model_encoder_layers_0_layer_norm1"
    change = {
        f"{TO_K}.diff": torch.randn(32, 64) * 0.2,
        f"{TO_K}.diff_b": torch.randn(32) * 0.2,
        f"{norm}.w_norm": torch.randn(64) * 0.2,
        f"{norm}.b_norm": torch.randn(64) * 0.2,
    }
    save_file(change, tmp_path / "snow.safetensors")
    engine = opened(checkpoint, folders=ModelFolders(loras=(tmp_path,)))
    layers = painter_of(engine)._loras._layers
    before = [
        value.detach().clone() for value in (layers[TO_K].weight, layers[norm].weight, layers[norm].bias)
    ]
    plain = engine.still(REQUEST)
    with_lora = engine.still(replace(REQUEST, prompt=REQUEST.prompt + " <lora:snow:0.5>"))
    assert not np.array_equal(with_lora, plain)
    assert torch.allclose(layers[norm].bias, before[2] + change[f"{norm}.b_norm"] / 2, atol=1e-6)
    assert torch.allclose(layers[TO_K].bias, change[f"{TO_K}.diff_b"] / 2, atol=1e-6), "had none"
    assert np.array_equal(engine.still(REQUEST), plain)
    assert layers[TO_K].bias is None
    after = (layers[TO_K].weight, layers[norm].weight, layers[norm].bias)
    assert all(map(torch.equal, after, before))


def test_a_loras_own_textual_inversion_is_known_while_it_is_worn(checkpoint: Path, tmp_path: Path) -> None:
    lora_file(tmp_path / "snow.safetensors", TO_K, 32, 64)
    vectors = torch.randn(2, 64)
    tensors = load_file(tmp_path / "snow.safetensors")
    save_file({**tensors, "bundle_emb.snowtree.emb_params": vectors}, tmp_path / "words.safetensors")
    save_file({"emb_params": vectors}, tmp_path / "snowtree.safetensors")
    engine = opened(checkpoint, folders=ModelFolders(loras=(tmp_path,)))
    both = opened(checkpoint, folders=ModelFolders(loras=(tmp_path,), embeddings=(tmp_path,)))
    known, unknown = (replace(REQUEST, prompt=f"a snowtree <lora:{name}:0.5>") for name in ("words", "snow"))
    assert np.array_equal(engine.still(known), both.still(unknown))
    assert not np.array_equal(engine.still(unknown), both.still(unknown)), "inactive, not known"


def test_unknown_loras_are_named_with_what_there_is(checkpoint: Path, tmp_path: Path) -> None:
    lora_file(tmp_path / "snow.safetensors", TO_K, 32, 64)
    lora_file(tmp_path / "wide.safetensors", TO_K, 320, 768)
    engine = opened(checkpoint, folders=ModelFolders(loras=(tmp_path,)))
    plain = engine.still(REQUEST)
    with pytest.raises(NotFound, match="there: snow, wide"):
        engine.still(replace(REQUEST, prompt="<lora:rain:1>"))
    with pytest.raises(FlipbookError, match="another kind of checkpoint"):
        engine.still(replace(REQUEST, prompt="<lora:snow:1> <lora:wide:1>"))
    assert np.array_equal(engine.still(REQUEST), plain)


def test_textual_inversions_take_their_words_place(checkpoint: Path, tmp_path: Path) -> None:
    save_file({"emb_params": torch.randn(3, 64)}, tmp_path / "snowtree.safetensors")
    save_file({"emb_params": torch.randn(3, 768)}, tmp_path / "foreign.safetensors")
    with_, without = opened(checkpoint, folders=ModelFolders(embeddings=(tmp_path,))), opened(checkpoint)
    request = replace(REQUEST, prompt="a snowtree, red")
    assert not np.array_equal(with_.still(request), without.still(request))
    assert np.array_equal(with_.still(REQUEST), without.still(REQUEST))
    foreign = replace(REQUEST, prompt="foreign")
    assert np.array_equal(with_.still(foreign), without.still(foreign)), "of another width: a word like any"


def test_vaes_are_chosen_by_name(checkpoint: Path, maker: ModuleType, tmp_path: Path) -> None:
    weights = load_file(maker.write_sd1(tmp_path / "other.safetensors", seed=9))
    prefix = "first_stage_model."
    (tmp_path / "vae").mkdir()
    vae = {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
    save_file(vae, tmp_path / "vae" / "bright.safetensors")
    own = {k: v for k, v in load_file(checkpoint).items() if k.startswith(prefix)}
    save_file(own, tmp_path / "vae" / "own.safetensors")
    engine = opened(checkpoint, folders=ModelFolders(vaes=(tmp_path / "vae",)))
    plain = engine.still(REQUEST)
    assert np.array_equal(engine.still(replace(REQUEST, vae="own")), plain)
    assert np.abs(engine.still(replace(REQUEST, vae="bright")) - plain).mean() > 0.02
    assert np.array_equal(engine.still(REQUEST), plain)
    with pytest.raises(NotFound, match="bright, own"):
        engine.still(replace(REQUEST, vae="dark"))


def test_textual_inversions_in_torch_files_are_read(checkpoint: Path, tmp_path: Path) -> None:
    vectors = torch.randn(3, 64)
    (tmp_path / "safe").mkdir()
    (tmp_path / "torch").mkdir()
    save_file({"emb_params": vectors}, tmp_path / "safe" / "snowtree.safetensors")
    save_file({"emb_params": vectors[:1]}, tmp_path / "safe" / "redbird.safetensors")
    old = {
        "string_to_token": {"*": 265},
        "string_to_param": torch.nn.ParameterDict({"*": vectors}),
        "step": 9,
    }
    torch.save(old, tmp_path / "torch" / "snowtree.pt")
    torch.save({"<red-bird>": vectors[0]}, tmp_path / "torch" / "redbird.bin")
    torch.save({"a": 1}, tmp_path / "torch" / "strange.pt")
    one, other = (
        opened(checkpoint, folders=ModelFolders(embeddings=(tmp_path / name,))) for name in ("safe", "torch")
    )
    request = replace(REQUEST, prompt="a snowtree and a redbird", steps=2)
    assert np.array_equal(one.still(request), other.still(request))
    assert [w for w in other.warnings if "strange" in w]


def test_vaes_in_torch_files_are_read(checkpoint: Path, tmp_path: Path) -> None:
    prefix = "first_stage_model."
    weights = load_file(checkpoint)
    vae = {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
    torch.save({"state_dict": vae}, tmp_path / "bare.vae.pt")
    save_file({k: v for k, v in weights.items() if not k.startswith(prefix)}, tmp_path / "bare.safetensors")
    bare = opened(tmp_path / "bare.safetensors", folders=ModelFolders(vaes=(tmp_path,)))
    difference = bare.still(REQUEST) - opened(checkpoint).still(REQUEST)
    assert np.abs(difference).max() < 1e-4, "NAME.vae next to NAME"


def test_sdxl_inversions_take_both_encoders(maker: ModuleType, tmp_path: Path) -> None:
    path = maker.write_sdxl(tmp_path / "xl.safetensors")
    plain = opened(path)
    request = replace(REQUEST, prompt="a snowtree", steps=2)
    without = plain.still(request)
    parts = {"clip_l": torch.randn(2, 64), "clip_g": torch.randn(2, 128)}
    seen = []
    for changed in ("clip_l", "clip_g"):
        (tmp_path / changed).mkdir()
        save_file({**parts, changed: parts[changed] * 3}, tmp_path / changed / "snowtree.safetensors")
        seen.append(opened(path, folders=ModelFolders(embeddings=(tmp_path / changed,))).still(request))
    assert not np.array_equal(seen[0], seen[1])
    assert not np.array_equal(seen[0], without)


KINDS_OF_LORA: dict[str, dict[str, tuple[int, ...]]] = {
    "locon": {"lora_down.weight": (4, 32, 3, 3), "lora_up.weight": (32, 4, 1, 1), "alpha": ()},
    "dora": {"lora_down.weight": (4, 32, 3, 3), "lora_up.weight": (32, 4, 1, 1), "dora_scale": (1, 32, 1, 1)},
    "loha": {"hada_w1_a": (32, 4), "hada_w1_b": (4, 288), "hada_w2_a": (32, 4), "hada_w2_b": (4, 288)},
    "lokr": {"lokr_w1": (4, 8), "lokr_w2": (8, 4, 3, 3)},
}


@pytest.mark.parametrize("kind", KINDS_OF_LORA)
def test_a_loras_kin_changes_convolutions(checkpoint: Path, tmp_path: Path, kind: str) -> None:
    """kohya's names of the original layout, as SDXL files have them."""
    layer = "lora_unet_input_blocks_1_0_in_layers_2"
    generator = torch.Generator().manual_seed(1)
    tensors = {
        f"{layer}.{part}": torch.randn(shape, generator=generator)
        for part, shape in KINDS_OF_LORA[kind].items()
    }
    save_file(tensors, tmp_path / "snow.safetensors")
    engine = opened(checkpoint, folders=ModelFolders(loras=(tmp_path,)))
    plain = engine.still(REQUEST)
    with_lora = engine.still(replace(REQUEST, prompt=REQUEST.prompt + " <lora:snow:0.5>"))
    assert np.isfinite(with_lora).all()
    assert not np.array_equal(with_lora, plain)
    assert np.array_equal(engine.still(REQUEST), plain)
