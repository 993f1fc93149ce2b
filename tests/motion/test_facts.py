"""Which motion module a file is, from names and shapes: the published ones, every layout, and strangers."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import MotionAdapter
from safetensors.torch import save_file
from torch import Tensor

from lib_anim.errors import FlipbookError
from lib_anim.models.inspect import inspect
from lib_anim.models.motion.facts import Betas, motion_facts
from lib_anim.models.motion.reader import MotionModule, read_motion_module
from lib_anim.models.table import Table
from lib_anim.motion.betas import alphas_cumprod

Shapes = dict[str, tuple[int, ...]]
SD1, SDXL = (320, 640, 1280, 1280), (320, 640, 1280)


def published(widths: tuple[int, ...], positions: int | None, mid: bool) -> Shapes:
    """Norms and position tables of a published module, which is all that recognition reads."""
    sites = {f"down_blocks.{d}.motion_modules.{m}": w for d, w in enumerate(widths) for m in (0, 1)}
    sites |= {f"up_blocks.{u}.motion_modules.{m}": w for u, w in enumerate(widths[::-1]) for m in (0, 1, 2)}
    sites |= {"mid_block.motion_modules.0": widths[-1]} if mid else {}
    shapes: Shapes = {}
    for site, width in sites.items():
        stem = f"{site}.temporal_transformer"
        shapes[f"{stem}.norm.weight"] = (width,)
        shapes[f"{stem}.transformer_blocks.0.attention_blocks.0.to_q.weight"] = (width, width)
        if positions:
            shapes[f"{stem}.transformer_blocks.0.attention_blocks.0.pos_encoder.pe"] = (1, positions, width)
    return shapes


LINEAR = Betas("linear", 0.00085, 0.012)


@pytest.mark.parametrize(
    ("name", "shapes", "version", "base", "positions", "across", "betas"),
    [
        ("mm_sd_v15.ckpt", published(SD1, 24, False), "v1", "sd1", 24, True, LINEAR),
        ("mm_sd_v15_v2.ckpt", published(SD1, 32, True), "v2", "sd1", 32, False, LINEAR),
        ("v3_sd15_mm.ckpt", published(SD1, 32, False), "v3", "sd1", 32, False, LINEAR),
        ("AnimateLCM_sd15_t2v.ckpt", published(SD1, None, True), "AnimateLCM", "sd1", 64, False, LINEAR),
        (
            "mm_sdxl_v10_beta.ckpt", published(SDXL, 32, False), "SDXL", "sdxl", 32, False,
            Betas("scaled linear", 0.00085, 0.020),
        ),
        ("mm_sdxl_hs.safetensors", published(SDXL, 24, False), "HotShot-XL", "sdxl", 24, True, None),
    ],
)  # fmt: skip
def test_published_modules(
    name: str, shapes: Shapes, version: str, base: str, positions: int, across: bool, betas: Betas | None
) -> None:
    facts = motion_facts(Table(name, shapes))
    assert (facts.version, facts.base, facts.positions) == (version, base, positions)
    assert facts.norms_across_frames is across
    assert facts.betas == betas
    assert facts.sentence.startswith(f"{name} is a motion module, ")
    assert f"{positions} positions" in facts.sentence
    assert facts.lightning is None


@pytest.mark.parametrize(
    ("name", "steps"), [("animatediff_lightning_4step_comfyui", 4), ("Lightning-mm", 0), ("mm_sd15_v2", None)]
)
def test_lightning_is_known_by_its_name(name: str, steps: int | None) -> None:
    facts = motion_facts(Table(f"{name}.safetensors", published(SD1, 32, True)))
    assert (facts.version, facts.lightning) == ("v2", steps)
    assert ("Lightning" in facts.title) is (steps is not None)


def test_beta_tables_are_the_schedulers() -> None:
    from diffusers import DDIMScheduler

    for betas, theirs in (
        (LINEAR, {"beta_schedule": "linear", "beta_end": 0.012}),
        (Betas("scaled linear", 0.00085, 0.020), {"beta_schedule": "scaled_linear", "beta_end": 0.020}),
    ):
        known = DDIMScheduler(beta_start=0.00085, **theirs).alphas_cumprod
        assert (alphas_cumprod(betas) - known).abs().max() < 1e-5


def hotshot(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """HotShot-XL's own names."""
    return {
        key.replace("motion_modules.", "temporal_attentions.")
        .replace(".temporal_transformer", "")
        .replace("pos_encoder.pe", "pos_encoder.positional_encoding"): value
        for key, value in tensors.items()
    }


def wrapped(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """As distributed training saves them, among the UNet's own weights."""
    return {f"module.unet.{key}": value for key, value in tensors.items()} | {
        "module.unet.conv_in.weight": torch.zeros(32, 4, 3, 3)
    }


@pytest.mark.parametrize(
    ("version", "rename", "layout"),
    [
        ("HotShot-XL", hotshot, "HotShot-XL's own"),
        ("v2", wrapped, "native"),
        ("v3", lambda tensors: {f"module.{k}": v for k, v in tensors.items()}, "native"),
    ],
)
def test_renamed_layouts_are_the_same_module(
    version: str,
    rename: Callable[[dict[str, Tensor]], dict[str, Tensor]],
    layout: str,
    tensors_of: Callable[[str], dict[str, Tensor]],
    module_of: Callable[[str], MotionModule],
    tmp_path: Path,
) -> None:
    save_file(rename(tensors_of(version)), tmp_path / "other.safetensors")
    same(read_motion_module(tmp_path / "other.safetensors"), module_of(version))
    assert layout in inspect(tmp_path / "other.safetensors").sentence


def same(found: MotionModule, wanted: MotionModule) -> None:
    assert found.facts.version == wanted.facts.version
    assert found.facts.sites == wanted.facts.sites
    for site, weights in wanted.weights.items():
        assert found.weights[site].keys() == weights.keys()
        for name, value in weights.items():
            assert torch.equal(found.weights[site][name], value), (site, name)


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
def test_diffusers_adapters_are_read(version: str, tmp_path: Path) -> None:
    """The file that diffusers itself writes."""
    torch.manual_seed(2)
    adapter = MotionAdapter(
        block_out_channels=(32, 32, 64, 64),
        motion_num_attention_heads=8,
        motion_max_seq_length=24 if version == "v1" else 32,
        use_motion_mid_block=version == "v2",
    )
    adapter.save_pretrained(tmp_path)
    found = read_motion_module(tmp_path / "diffusion_pytorch_model.safetensors")
    assert (found.facts.version, found.facts.layout) == (version, "diffusers")
    theirs = adapter.state_dict()
    stem = "down_blocks.1.motion_modules.0"
    ours = found.weights[stem]
    for mine, other in {
        "norm.weight": "norm.weight",
        "transformer_blocks.0.attention_blocks.0.to_k.weight": "transformer_blocks.0.attn1.to_k.weight",
        "transformer_blocks.0.attention_blocks.1.to_out.0.bias": "transformer_blocks.0.attn2.to_out.0.bias",
        "transformer_blocks.0.norms.1.bias": "transformer_blocks.0.norm2.bias",
        "transformer_blocks.0.ff_norm.weight": "transformer_blocks.0.norm3.weight",
        "transformer_blocks.0.ff.net.2.weight": "transformer_blocks.0.ff.net.2.weight",
        "transformer_blocks.0.attention_blocks.1.pos_encoder.pe": "transformer_blocks.0.pos_embed.pe",
    }.items():
        assert torch.equal(ours[mine], theirs[f"{stem}.{other}"]), mine


@pytest.mark.parametrize("wrap", [lambda t: t, lambda t: {"state_dict": t, "epoch": 3}])
def test_torch_files_are_read(
    wrap: Callable[[dict[str, Tensor]], object],
    tensors_of: Callable[[str], dict[str, Tensor]],
    module_of: Callable[[str], MotionModule],
    tmp_path: Path,
) -> None:
    torch.save(wrap(tensors_of("v3")), tmp_path / "v3.ckpt")
    same(read_motion_module(tmp_path / "v3.ckpt"), module_of("v3"))
    assert "AnimateDiff v3" in inspect(tmp_path / "v3.ckpt").sentence


class _Trap:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (open, (str(Path(__file__).with_name("sprung")), "w")) if self.armed else (str, ("",))

    armed = True


def test_a_torch_file_with_code_is_refused_unrun(tmp_path: Path) -> None:
    torch.save({"state_dict": {"a": torch.zeros(1)}, "trap": _Trap()}, tmp_path / "bad.ckpt")
    with pytest.raises(FlipbookError) as caught:
        read_motion_module(tmp_path / "bad.ckpt")
    assert "not opened" in str(caught.value)
    assert not Path(__file__).with_name("sprung").exists()
    (tmp_path / "old.ckpt").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(FlipbookError):
        read_motion_module(tmp_path / "old.ckpt")


V2, V3 = published(SD1, 32, True), published(SD1, 32, False)
LCM = published(SD1, None, True)
QKV = "down_blocks.0.motion_modules.0.temporal_transformer.qkv_merge.weight"
POSES: Shapes = {
    "encoder_conv_in.weight": (320, 384, 3, 3),
    "encoder_down_conv_blocks.0.0.conv.weight": (1, 1),
}
NINE: Shapes = {"conv_in.weight": (320, 9, 3, 3)}
STRANGERS: list[tuple[str, Shapes]] = [
    ("PIA", V2 | NINE),
    ("AnimateLCM-I2V", LCM | {"img_encoder.conv.weight": (1, 1)}),
    ("FancyVideo", V2 | NINE | {"fps_embedding.linear.weight": (1, 1)}),
    ("CameraCtrl", V3 | {QKV: (320, 320)}),
    ("CameraCtrl", POSES),
    ("SparseCtrl", V3 | {"controlnet_cond_embedding.weight": (320, 5, 3, 3)}),
    ("SparseCtrl", V3 | {"module.controlnet_cond_embedding.conv_in.weight": (16, 4, 3, 3)}),
]


@pytest.mark.parametrize(("name", "shapes"), STRANGERS, ids=range(len(STRANGERS)))
def test_what_needs_more_is_refused_by_name(name: str, shapes: Shapes, tmp_path: Path) -> None:
    with pytest.raises(FlipbookError) as caught:
        motion_facts(Table("file.safetensors", shapes))
    assert f"file.safetensors is a {name}" in str(caught.value).replace("is an ", "is a ")
    small = {key: torch.zeros([min(side, 9) for side in shape]) for key, shape in shapes.items()}
    save_file(small, tmp_path / "file.safetensors")
    assert name in inspect(tmp_path / "file.safetensors").sentence


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        ({"model.diffusion_model.input_blocks.0.0.weight": (320, 4, 3, 3)}, "is not a motion module"),
        (
            {"down_blocks.0.motion_modules.0.temporal_transformer.transformer_blocks.0.attention_blocks.0"
             ".processor.to_q_lora.down.weight": (64, 320)},
            "is a LoRA, not a motion module; list it under motion LoRAs",
        ),
        ({k: v for k, v in V3.items() if "down_blocks" not in k}, "lacks temporal layers"),
    ],
)  # fmt: skip
def test_other_files_are_refused(shapes: Shapes, words: str) -> None:
    with pytest.raises(FlipbookError) as caught:
        motion_facts(Table("file.safetensors", shapes))
    assert words in str(caught.value)
    assert caught.value.problems[0].field == "module"
