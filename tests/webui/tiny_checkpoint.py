"""Writes a small random checkpoint of Stable Diffusion 1.x topology that a WebUI loads without a network.

Run by the WebUI's own interpreter, since the layout of the weights is that of the `ldm` package it carries:
`python tiny_checkpoint.py WEBUI_ROOT FOLDER [NAME]` writes FOLDER/NAME.safetensors (18 MB), FOLDER/NAME.yaml
and FOLDER/NAME-clip/ (tokenizer and text model). Its pictures mean nothing; they depend on prompt, seed and
size, which is all that a comparison of two stills needs. Sizes that are multiples of 64 px work.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

SEED = 20
TEXT_WIDTH = 64
LAYOUT = {
    "model": {
        "target": "ldm.models.diffusion.ddpm.LatentDiffusion",
        "params": {
            "linear_start": 0.00085,
            "linear_end": 0.012,
            "timesteps": 1000,
            "first_stage_key": "jpg",
            "cond_stage_key": "txt",
            "image_size": 16,
            "channels": 4,
            "conditioning_key": "crossattn",
            "scale_factor": 0.18215,
            "use_ema": False,
            "unet_config": {
                "target": "ldm.modules.diffusionmodules.openaimodel.UNetModel",
                "params": {
                    "image_size": 16,
                    "in_channels": 4,
                    "out_channels": 4,
                    "model_channels": 32,
                    "attention_resolutions": [4, 2, 1],
                    "num_res_blocks": 2,
                    "channel_mult": [1, 2, 2, 2],
                    "num_heads": 4,
                    "use_spatial_transformer": True,
                    "transformer_depth": 1,
                    "context_dim": TEXT_WIDTH,
                    "use_checkpoint": False,
                    "legacy": False,
                },
            },
            "first_stage_config": {
                "target": "ldm.models.autoencoder.AutoencoderKL",
                "params": {
                    "embed_dim": 4,
                    "ddconfig": {
                        "double_z": True,
                        "z_channels": 4,
                        "resolution": 128,
                        "in_channels": 3,
                        "out_ch": 3,
                        "ch": 32,
                        "ch_mult": [1, 1, 2, 2],
                        "num_res_blocks": 1,
                        "attn_resolutions": [],
                        "dropout": 0.0,
                    },
                    "lossconfig": {"target": "torch.nn.Identity"},
                },
            },
            "cond_stage_config": {"target": "ldm.modules.encoders.modules.FrozenCLIPEmbedder", "params": {}},
        },
    }
}
"""The WebUI's v1-inference layout, narrow; widths are multiples of 32 because of its group norms."""


def write_text_model(folder: Path) -> None:
    """A tokenizer of single bytes (514 tokens, no merges) and a text model of two layers."""
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer
    from transformers.models.clip.tokenization_clip import bytes_to_unicode

    folder.mkdir(parents=True, exist_ok=True)
    letters = list(bytes_to_unicode().values())
    words = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(
        json.dumps({word: i for i, word in enumerate(words)}), encoding="utf-8"
    )
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    tokenizer = CLIPTokenizer(
        str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=77, pad_token="<|endoftext|>"
    )
    tokenizer.save_pretrained(folder)
    config = CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=TEXT_WIDTH,
        intermediate_size=TEXT_WIDTH * 2,
        num_hidden_layers=2,
        num_attention_heads=4,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    CLIPTextModel(config).save_pretrained(folder, safe_serialization=True)


def write_checkpoint(webui: Path, folder: Path, name: str) -> Path:
    """Writes weights, layout and text model; answers the path of the weights."""
    import torch

    torch.manual_seed(SEED)
    text = (folder / f"{name}-clip").absolute()
    write_text_model(text)
    LAYOUT["model"]["params"]["cond_stage_config"]["params"] = {"version": str(text), "device": "cpu"}

    sys.path.insert(0, str(webui / "repositories" / "stable-diffusion-stability-ai"))
    from ldm.util import instantiate_from_config
    from omegaconf import OmegaConf
    from safetensors.torch import save_file

    layout = OmegaConf.create(LAYOUT)
    model = instantiate_from_config(layout.model)
    for key, weight in model.named_parameters():
        if weight.dim() > 1 and not key.startswith("cond_stage_model"):
            # LDM starts its output layers at zero, so that no prompt would matter.
            torch.nn.init.normal_(weight, std=1 / math.sqrt(weight[0].numel()))
        elif key.endswith("final_layer_norm.bias"):
            # The WebUI divides by the mean of what the text model answers, with or without weights in the
            # prompt. Without this bias the mean is rounding alone, for some prompts exactly 0: no numbers.
            torch.nn.init.normal_(weight, mean=0.1, std=0.1)
    path = folder / f"{name}.safetensors"
    save_file({key: value.contiguous().clone() for key, value in model.state_dict().items()}, str(path))
    OmegaConf.save(layout, str(path.with_suffix(".yaml")))
    return path


if __name__ == "__main__":
    written = write_checkpoint(
        Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else "flipbook-tiny"
    )
    sys.stdout.write(f"{written}\n")
