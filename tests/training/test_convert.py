"""The converter against diffusers' own, which goes the other way, and against the networks' outputs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint, convert_ldm_vae_checkpoint
from safetensors import safe_open
from safetensors.torch import load_file

from training.convert import TEXT, UNET, single_file, text_to_ldm, unet_key, unet_to_ldm, vae_to_ldm
from training.export import inference_yaml, write_checkpoint
from training.networks import Widths, build_text_model, build_unet, build_vae

TINY = Widths(unet=(32, 32, 32, 32), vae=(32, 32, 32, 32), heads=4, context=32, text_layers=1, text_heads=2)


def test_unet_weights_come_back_through_diffusers_and_compute_the_same() -> None:
    torch.manual_seed(0)
    unet = build_unet(TINY)
    back = convert_ldm_unet_checkpoint(unet_to_ldm(unet.state_dict()), dict(unet.config))
    assert set(back) == set(unet.state_dict())
    again = build_unet(TINY)
    again.load_state_dict(back)
    x, t, context = torch.randn(1, 4, 16, 16), torch.tensor([500]), torch.randn(1, 77, 32)
    with torch.no_grad():
        difference = unet(x, t, context).sample - again(x, t, context).sample
    assert difference.abs().max() <= 1e-5


def test_vae_weights_come_back_through_diffusers_and_compute_the_same() -> None:
    torch.manual_seed(1)
    vae = build_vae(TINY)
    back = convert_ldm_vae_checkpoint(vae_to_ldm(vae.state_dict()), dict(vae.config))
    assert set(back) == set(vae.state_dict())
    again = build_vae(TINY)
    again.load_state_dict(back)
    x = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        difference = vae(x).sample - again(x).sample
    assert difference.abs().max() <= 1e-5


def test_text_weights_stand_where_the_webui_looks_for_them() -> None:
    text = build_text_model(TINY, 40).state_dict()
    named = text_to_ldm(text)
    assert TEXT + "embeddings.token_embedding.weight" in named
    assert TEXT + "final_layer_norm.weight" in named
    assert named == text_to_ldm(
        {"text_model." + key.removeprefix("text_model."): v for key, v in text.items()}
    )


def test_sd1_names_of_the_places_that_differ_between_the_layouts() -> None:
    assert unet_key("down_blocks.2.resnets.1.conv_shortcut.weight") == (
        "input_blocks.8.0.skip_connection.weight"
    )
    assert unet_key("down_blocks.0.downsamplers.0.conv.bias") == "input_blocks.3.0.op.bias"
    assert unet_key("up_blocks.0.upsamplers.0.conv.weight") == "output_blocks.2.1.conv.weight"
    assert unet_key("up_blocks.1.upsamplers.0.conv.weight") == "output_blocks.5.2.conv.weight"
    assert unet_key("mid_block.resnets.1.norm2.weight") == "middle_block.2.out_layers.0.weight"


def test_an_unknown_name_is_an_error_not_a_guess() -> None:
    with pytest.raises(KeyError):
        unet_key("class_embedding.weight")


def test_the_file_holds_halves_and_its_record(tmp_path: Path) -> None:
    torch.manual_seed(2)
    unet, vae = build_unet(TINY).state_dict(), build_vae(TINY).state_dict()
    text = build_text_model(TINY, 40).state_dict()
    path = write_checkpoint(tmp_path, TINY, unet, vae, text, {"seed": 3})
    weights = load_file(str(path))
    assert set(weights) == set(single_file(unet, vae, text))
    assert {w.dtype for w in weights.values()} == {torch.float16}
    assert torch.equal(weights[UNET + "out.2.bias"], unet["conv_out.bias"].half())
    with safe_open(str(path), "pt") as file:
        assert file.metadata()["flipbook"] == '{"seed": 3}'
    params = yaml.safe_load((tmp_path / "flipbook-demo.yaml").read_text())["model"]["params"]
    assert params["cond_stage_config"]["params"] == {"version": "tokenizer"}
    assert params["unet_config"]["params"]["num_heads"] == TINY.heads


def test_the_yaml_says_the_widths() -> None:
    params = inference_yaml(Widths())["model"]["params"]
    unet = params["unet_config"]["params"]
    assert (unet["model_channels"], unet["channel_mult"]) == (64, [1, 1, 1, 1])
    assert params["scale_factor"] == 0.18215
