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


def test_torch_is_not_needed(checkpoint: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from lib_anim.models.inspect import inspect; "
        f"inspect(Path({str(checkpoint)!r})); sys.exit('torch' in sys.modules)"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False).returncode
        == 0
    )
