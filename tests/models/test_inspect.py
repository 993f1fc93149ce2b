"""What files of weights are, in one sentence, without torch."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from lib_anim.errors import NotFound
from lib_anim.models.inspect import Finding, inspect


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    spec = spec_from_file_location("random_checkpoint", Path(__file__).with_name("random_checkpoint.py"))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    written: Path = module.write_sd1(tmp_path_factory.mktemp("inspect") / "narrow.safetensors")
    return written


def of(path: Path, **tensors: torch.Tensor) -> Finding:
    save_file(tensors, path)
    return inspect(path)


def test_checkpoint(checkpoint: Path) -> None:
    found = inspect(checkpoint)
    assert (found.kind, found.family) == ("checkpoint", "sd1")
    for words in ("Stable Diffusion 1.x", "with a VAE", "32·32·64·64", "F32", "text 64 wide", "512"):
        assert words in found.sentence


def test_vae_alone(checkpoint: Path, tmp_path: Path) -> None:
    weights = load_file(checkpoint)
    save_file(
        {k.removeprefix("first_stage_model."): v for k, v in weights.items() if k.startswith("first_stage")},
        tmp_path / "bright.safetensors",
    )
    found = inspect(tmp_path / "bright.safetensors")
    assert found.kind == "vae"
    assert "4 latent channels, 8 pixels per latent" in found.sentence


def test_lora(tmp_path: Path) -> None:
    to_k = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
    found = of(
        tmp_path / "snow.safetensors",
        **{
            f"{to_k}.lora_down.weight": torch.zeros(8, 768),
            f"{to_k}.lora_up.weight": torch.zeros(320, 8),
            "lora_te_text_model_encoder_layers_0_mlp_fc1.lora_down.weight": torch.zeros(8, 768),
            "lora_te_text_model_encoder_layers_0_mlp_fc1.lora_up.weight": torch.zeros(3072, 8),
        },
    )
    assert found.sentence == (
        "snow.safetensors is a LoRA for SD 1.x of rank 8 that changes the UNet "
        "and the text encoder (2 layers)."
    )


@pytest.mark.parametrize(
    ("name", "tensors", "words"),
    [
        ("emb_params", {"emb_params": torch.zeros(8, 768)}, "8 vectors for SD 1.x"),
        ("word", {"<cat-toy>": torch.zeros(768)}, "1 vector for SD 1.x"),
        ("xl", {"clip_l": torch.zeros(2, 768), "clip_g": torch.zeros(2, 1280)}, "2 vectors for SDXL"),
    ],
)
def test_textual_inversion(tmp_path: Path, name: str, tensors: dict[str, torch.Tensor], words: str) -> None:
    found = of(tmp_path / f"{name}.safetensors", **tensors)
    assert found.kind == "embedding"
    assert words in found.sentence


def test_motion_module(tmp_path: Path) -> None:
    sites = [f"down_blocks.{level}.motion_modules.0" for level in range(4)] + ["mid_block.motion_modules.0"]
    norms = {f"{site}.temporal_transformer.norm.weight": torch.zeros(8) for site in sites}
    found = of(tmp_path / "mm.safetensors", **norms)
    assert (found.kind, found.family) == ("motion module", "sd1")
    assert "middle block" in found.sentence


def test_strange_and_broken_files(tmp_path: Path) -> None:
    found = of(tmp_path / "a.safetensors", **{"some.thing": torch.zeros(3, 3, 3)})
    assert found.kind == "other"
    assert "27 parameters" in found.sentence
    (tmp_path / "b.safetensors").write_bytes((tmp_path / "a.safetensors").read_bytes()[:-1])
    assert inspect(tmp_path / "b.safetensors").kind == "broken"
    with pytest.raises(NotFound):
        inspect(tmp_path / "c.safetensors")


@pytest.mark.parametrize(
    ("tensors", "kind", "words"),
    [
        (
            {
                "control_model.input_hint_block.0.weight": (16, 3, 3, 3),
                "control_model.middle_block.1.transformer_blocks.0.attn2.to_k.weight": (1280, 768),
            },
            "controlnet",
            "a ControlNet for SD 1.x",
        ),
        # Stable Diffusion 3 brings a VAE, which the file is not.
        (
            {
                "model.diffusion_model.joint_blocks.0.x_block.mlp.fc1.weight": (8, 8),
                "first_stage_model.decoder.conv_in.weight": (8, 16, 3, 3),
            },
            "other",
            "a Stable Diffusion 3 model",
        ),
        ({"double_blocks.0.img_attn.qkv.weight": (8, 8)}, "other", "a Flux model"),
        ({"model.diffusion_model.input_blocks.0.0.weight": (8, 4, 3, 3)}, "other", "without a text encoder"),
        ({"text_model.encoder.layers.0.mlp.fc1.weight": (8, 8)}, "other", "a text encoder by itself"),
        ({"conv_first.weight": (64, 3, 3, 3)}, "other", "an upscaler"),
    ],
)
def test_other_families_are_named(
    tmp_path: Path, tensors: dict[str, tuple[int, ...]], kind: str, words: str
) -> None:
    found = of(tmp_path / "a.safetensors", **{key: torch.zeros(shape) for key, shape in tensors.items()})
    assert found.kind == kind
    assert words in found.sentence


@pytest.mark.parametrize(
    "tensors",
    [
        {"emb_params": ()},
        {"lora_unet_a_attn2_to_k.lora_down.weight": ()},
        {"lora_unet_a_attn2_to_k.lora_down.weight": (4,)},
        {"input_hint_block.0.weight": (8, 3), "a.attn2.to_k.weight": (8,)},
        {"decoder.conv_in.weight": (8, 4, 3, 3)},
    ],
)
def test_odd_shapes_are_a_sentence(tmp_path: Path, tensors: dict[str, tuple[int, ...]]) -> None:
    found = of(tmp_path / "a.safetensors", **{key: torch.zeros(shape) for key, shape in tensors.items()})
    assert "a.safetensors" in found.sentence
    assert "out of range" not in found.sentence


def test_pickled_files_are_named(tmp_path: Path) -> None:
    torch.save({"string_to_param": {"*": torch.zeros(2, 768)}}, tmp_path / "word.pt")
    found = inspect(tmp_path / "word.pt")
    assert found.kind == "embedding"
    assert "a textual inversion of 2 vectors for SD 1.x" in found.sentence


KINDS = {
    "vae": {"decoder.conv_in.weight": (8, 4, 3, 3), "encoder.down.0.block.0.conv1.weight": (8, 8, 3, 3)},
    "lora": {"lora_unet_x.lora_down.weight": (4, 8), "lora_unet_x.lora_up.weight": (8, 4)},
    "embedding": {"emb_params": (2, 768)},
    "controlnet": {"control_model.input_hint_block.0.weight": (16, 3, 3, 3)},
    "motion module": {
        f"down_blocks.{level}.motion_modules.0.temporal_transformer.norm.weight": (8,) for level in range(4)
    },
}


def test_torch_is_not_needed(checkpoint: Path, tmp_path: Path) -> None:
    paths = {"checkpoint": checkpoint}
    for kind, shapes in KINDS.items():
        paths[kind] = tmp_path / f"{kind}.safetensors"
        save_file({key: torch.zeros(shape) for key, shape in shapes.items()}, paths[kind])
    for name, content in {"broken": b"<!doctype html>", "other": b"\x80\x02X\x0a\0\0\0emb_paramsq."}.items():
        paths[name] = tmp_path / f"{name}.pt"
        paths[name].write_bytes(content)
    code = (
        "import sys; from pathlib import Path; from lib_anim.models.inspect import inspect\n"
        "for kind, path in zip(sys.argv[1::2], sys.argv[2::2]):\n"
        "    found = inspect(Path(path)); assert found.kind == kind, found\n"
        "sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    )
    given = [str(part) for pair in paths.items() for part in pair]
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code, *given], cwd=root, check=False, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
