"""Motion LoRAs in every layout against W + s·BA by hand, and AnimateDiff's v3 adapter as an ordinary LoRA."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from lib_anim.errors import FlipbookError
from lib_anim.models.folders import TORCH, find_weights
from lib_anim.models.inspect import inspect
from lib_anim.models.lora.reader import read_lora
from lib_anim.models.motion.motion_lora import MotionLora, read_motion_lora, with_lora
from lib_anim.models.motion.reader import MotionModule
from lib_anim.motion.plan import ClipPlan
from lib_anim.motion.session import ClipSession

PROJECTIONS = ("to_q", "to_k", "to_v", "to_out.0")
Parts = dict[tuple[str, str], tuple[Tensor, Tensor]]
"""(site, weight) to (down, up)."""

ATTENTION = "transformer_blocks.0.attention_blocks"


def parts(module: MotionModule, rank: int = 4) -> Parts:
    torch.manual_seed(11)
    return {
        (site, f"{ATTENTION}.{i}.{name}"): (torch.randn(rank, width), torch.randn(width, rank) * 0.1)
        for site, width in module.facts.sites.items()
        for i in (0, 1)
        for name in PROJECTIONS
    }


def native(site: str, layer: str, way: str) -> str:
    """AnimateDiff's own files and MotionDirector's."""
    stem, name = layer.rsplit(".to_", 1)
    return f"{site}.temporal_transformer.{stem}.processor.to_{name.removesuffix('.0')}_lora.{way}.weight"


def diffusers(site: str, layer: str, way: str) -> str:
    """diffusers' conversion of them."""
    return "unet." + native(site, layer, way).replace(".temporal_transformer", "").replace(
        "attention_blocks.0", "attn1"
    ).replace("attention_blocks.1", "attn2")


def peft(site: str, layer: str, way: str) -> str:
    """What diffusers saves today."""
    short = layer.replace("attention_blocks.0", "attn1").replace("attention_blocks.1", "attn2")
    return f"unet.{site}.{short}.lora_{'A' if way == 'down' else 'B'}.weight"


def kohya(site: str, layer: str, way: str) -> str:
    """The WebUI's conversions: the native name with underscores."""
    return f"{site}.temporal_transformer.{layer}".replace(".", "_") + f".lora_{way}.weight"


def prefixed(site: str, layer: str, way: str) -> str:
    return "lora_unet_" + kohya(site, layer, way)


LAYOUTS = [native, diffusers, peft, kohya, prefixed]


def write(path: Path, made: Parts, name: Callable[[str, str, str], str], **extra: Tensor) -> MotionLora:
    tensors = {name(*place, way): value for place, pair in made.items()
               for way, value in zip(("down", "up"), pair, strict=True)}  # fmt: skip
    save_file(tensors | extra, path)
    return read_motion_lora(path)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_effect_is_w_plus_s_times_ba(
    layout: Callable[[str, str, str], str], module_of: Callable[[str], MotionModule], tmp_path: Path
) -> None:
    module = module_of("v2")
    made = parts(module)
    lora = write(tmp_path / "zoom.safetensors", made, layout)
    changed, unmatched = with_lora(module, lora, 0.7)
    assert unmatched == ()
    for (site, layer), (down, up) in made.items():
        name = f"{layer}.weight"
        assert torch.allclose(changed.weights[site][name], module.weights[site][name] + 0.7 * (up @ down))
    for site, weights in module.weights.items():
        for name, value in weights.items():
            if not any(name == f"{layer}.weight" for _, layer in made):
                assert changed.weights[site][name] is value


def test_weight_0_is_bit_equal(module_of: Callable[[str], MotionModule], tmp_path: Path) -> None:
    module = module_of("v3")
    lora = write(tmp_path / "zoom.safetensors", parts(module), native)
    assert with_lora(module, lora, 0)[0] is module


def test_alpha_scales_by_rank(module_of: Callable[[str], MotionModule], tmp_path: Path) -> None:
    module = module_of("v3")
    site, layer = next(iter(parts(module)))
    made = {(site, layer): parts(module)[site, layer]}
    stem = kohya(site, layer, "down").removesuffix(".lora_down.weight")
    lora = write(tmp_path / "a.safetensors", made, kohya, **{f"{stem}.alpha": torch.tensor(1.0)})
    changed, _ = with_lora(module, lora, 1.0)
    down, up = made[site, layer]
    name = f"{layer}.weight"
    assert torch.allclose(changed.weights[site][name], module.weights[site][name] + up @ down / 4)


def test_layers_that_do_not_exist_are_listed(
    module_of: Callable[[str], MotionModule], tmp_path: Path
) -> None:
    v2, v3 = module_of("v2"), module_of("v3")
    lora = write(tmp_path / "zoom.safetensors", parts(v2), native, **{"some.thing": torch.zeros(1)})
    changed, unmatched = with_lora(v3, lora, 1.0)
    assert len([name for name in unmatched if name.startswith("mid_block_motion_modules_0")]) == 8
    assert "some.thing" in unmatched
    assert changed is not v3
    warned: list[str] = []
    ClipSession(v3, ClipPlan(frames=4), [(lora, 0.5)], warn=warned.append)
    assert len(warned) == 1
    assert '9 of 169 layers of the motion LoRA "zoom" do not exist in v3-3.safetensors' in warned[0]


def test_one_for_other_widths_is_refused(module_of: Callable[[str], MotionModule], tmp_path: Path) -> None:
    made = {
        ("down_blocks.0.motion_modules.0", f"{ATTENTION}.0.to_q"): (torch.zeros(4, 999), torch.zeros(999, 4))
    }
    lora = write(tmp_path / "wide.safetensors", made, native)
    with pytest.raises(FlipbookError) as caught:
        ClipSession(module_of("v3"), ClipPlan(frames=4), [(lora, 1.0)])
    assert '"wide"' in str(caught.value)
    assert "v3-3.safetensors" in str(caught.value)


def test_other_files_are_refused(tmp_path: Path) -> None:
    save_file({"lora_unet_mid_block_attentions_0_proj_in.lora_down.weight": torch.zeros(4, 8)},
              tmp_path / "style.safetensors")  # fmt: skip
    with pytest.raises(FlipbookError) as caught:
        read_motion_lora(tmp_path / "style.safetensors")
    assert "style.safetensors is not a motion LoRA" in str(caught.value)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_inspect_names_them(
    layout: Callable[[str, str, str], str], module_of: Callable[[str], MotionModule], tmp_path: Path
) -> None:
    write(tmp_path / "zoom.safetensors", parts(module_of("v2"), rank=2), layout)
    found = inspect(tmp_path / "zoom.safetensors")
    assert found.kind == "lora"
    assert found.sentence == (
        "zoom.safetensors is a motion LoRA of rank 2 (168 layers, also in the middle block)."
    )


def test_motion_director_is_named(module_of: Callable[[str], MotionModule], tmp_path: Path) -> None:
    made = parts(module_of("v3"))
    tensors = {native(*place, "down"): pair[0] for place, pair in made.items()}
    save_file(tensors, tmp_path / "walk.safetensors", {"model_type": "motion_director", "rank": "4"})
    assert "MotionDirector" in inspect(tmp_path / "walk.safetensors").sentence


@pytest.mark.parametrize("wrapper", ["", "module.", "unet."])
@pytest.mark.parametrize("ending", ["safetensors", "ckpt"])
def test_the_v3_adapter_is_a_lora(wrapper: str, ending: str, tmp_path: Path) -> None:
    stem = "down_blocks.0.attentions.1.transformer_blocks.0.attn2.processor"
    tensors = {
        f"{wrapper}{stem}.to_k_lora.down.weight": torch.randn(4, 768),
        f"{wrapper}{stem}.to_k_lora.up.weight": torch.randn(320, 4),
        f"{wrapper}{stem}.to_out_lora.down.weight": torch.randn(4, 320),
        f"{wrapper}{stem}.to_out_lora.up.weight": torch.randn(320, 4),
    }
    path = tmp_path / f"v3_adapter.{ending}"
    if ending == "safetensors":
        save_file(tensors, path)
    else:
        torch.save({"state_dict": tensors}, path)
    assert find_weights("v3_adapter", (tmp_path,), "LoRA", "prompt", TORCH) == path
    lora = read_lora(path)
    layer = "lora_unet_down_blocks_0_attentions_1_transformer_blocks_0_attn2"
    assert set(lora.changes) == {f"{layer}_to_k", f"{layer}_to_out_0"}
    weight = torch.zeros(320, 768)
    wanted = (
        tensors[f"{wrapper}{stem}.to_k_lora.up.weight"] @ tensors[f"{wrapper}{stem}.to_k_lora.down.weight"]
    )
    assert torch.allclose(lora.changes[f"{layer}_to_k"].delta(weight), wanted, atol=1e-5)
    assert inspect(path).sentence == (
        f"v3_adapter.{ending} is a LoRA for SD 1.x of rank 4 that changes the UNet (2 layers)."
    )
