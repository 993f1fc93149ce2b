"""Writes the demo checkpoint: one LDM safetensors file and the yaml that a WebUI reads beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors.torch import save_file

from training.convert import single_file
from training.networks import BETA_END, BETA_START, SCALE_FACTOR, TIMESTEPS, Widths

NAME = "flipbook-demo"
MOTION_NAME = "flipbook-demo-motion"
LIMIT_BYTES = 16_000_000
"""The spatial part's share of the demo checkpoint's 20 MB."""
MOTION_LIMIT_BYTES = 4_000_000
"""The motion module's share."""


def inference_yaml(widths: Widths) -> dict[str, Any]:
    """LDM's v1-inference configuration with the demo's widths; the tokenizer stands relative to the file."""
    return {
        "model": {
            "base_learning_rate": 1.0e-4,
            "target": "ldm.models.diffusion.ddpm.LatentDiffusion",
            "params": {
                "linear_start": BETA_START,
                "linear_end": BETA_END,
                "num_timesteps_cond": 1,
                "log_every_t": 200,
                "timesteps": TIMESTEPS,
                "first_stage_key": "jpg",
                "cond_stage_key": "txt",
                "image_size": 16,
                "channels": 4,
                "cond_stage_trainable": False,
                "conditioning_key": "crossattn",
                "monitor": "val/loss_simple_ema",
                "scale_factor": SCALE_FACTOR,
                "use_ema": False,
                "unet_config": {
                    "target": "ldm.modules.diffusionmodules.openaimodel.UNetModel",
                    "params": {
                        "image_size": 16,
                        "in_channels": 4,
                        "out_channels": 4,
                        "model_channels": widths.unet[0],
                        "attention_resolutions": [4, 2, 1],
                        "num_res_blocks": 2,
                        "channel_mult": [width // widths.unet[0] for width in widths.unet],
                        "num_heads": widths.heads,
                        "use_spatial_transformer": True,
                        "transformer_depth": 1,
                        "context_dim": widths.context,
                        "use_checkpoint": False,
                        "legacy": False,
                    },
                },
                "first_stage_config": {
                    "target": "ldm.models.autoencoder.AutoencoderKL",
                    "params": {
                        "embed_dim": 4,
                        "monitor": "val/rec_loss",
                        "ddconfig": {
                            "double_z": True,
                            "z_channels": 4,
                            "resolution": 128,
                            "in_channels": 3,
                            "out_ch": 3,
                            "ch": widths.vae[0],
                            "ch_mult": [width // widths.vae[0] for width in widths.vae],
                            "num_res_blocks": 2,
                            "attn_resolutions": [],
                            "dropout": 0.0,
                        },
                        "lossconfig": {"target": "torch.nn.Identity"},
                    },
                },
                "cond_stage_config": {
                    "target": "ldm.modules.encoders.modules.FrozenCLIPEmbedder",
                    "params": {"version": "tokenizer"},
                },
            },
        }
    }


def write_checkpoint(
    folder: Path,
    widths: Widths,
    unet: dict[str, torch.Tensor],
    vae: dict[str, torch.Tensor],
    text: dict[str, torch.Tensor],
    record: dict[str, Any],
) -> Path:
    """Write flipbook-demo.safetensors and flipbook-demo.yaml into `folder`; gives the first's path.

    `record` goes into the file's header as text. Raises ValueError when the file is larger than it may be.
    """
    path = folder / f"{NAME}.safetensors"
    header = {"format": "pt", "modelspec.title": "Flipbook demo checkpoint"}
    header |= {"modelspec.resolution": "128x128", "flipbook": json.dumps(record)}
    save_file(single_file(unet, vae, text), str(path), metadata=header)
    path.chmod(0o644)
    if path.stat().st_size > LIMIT_BYTES:
        raise ValueError(f"{path.name} has {path.stat().st_size} bytes; at most {LIMIT_BYTES} are allowed")
    yaml_path = folder / f"{NAME}.yaml"
    yaml_path.write_text(yaml.safe_dump(inference_yaml(widths), sort_keys=False), encoding="utf-8")
    return path


def write_motion(folder: Path, motion: dict[str, torch.Tensor], record: dict[str, Any]) -> Path:
    """Write flipbook-demo-motion.safetensors, AnimateDiff's native layout, version 3, into `folder`.

    `record` goes into the file's header as text. Raises ValueError when the file is larger than it may be.
    """
    path = folder / f"{MOTION_NAME}.safetensors"
    header = {"format": "pt", "modelspec.title": "Flipbook demo motion module"}
    header |= {"flipbook": json.dumps(record)}
    save_file({key: value.half().contiguous() for key, value in motion.items()}, str(path), metadata=header)
    path.chmod(0o644)
    if path.stat().st_size > MOTION_LIMIT_BYTES:
        raise ValueError(
            f"{path.name} has {path.stat().st_size} bytes; at most {MOTION_LIMIT_BYTES} are allowed"
        )
    return path
