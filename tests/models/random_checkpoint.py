"""Writes narrow checkpoints with random weights in the original layout, so tests need no download.

Names and order of layers follow the LDM code base (openaimodel.py, model.py) as files in the wild have them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

WORDS = ("spring", "summer", "autumn", "winter", "photo", "red", "blue", "tree", "ball", "snow", "of", "in")


class _Weights:
    """Collects tensors by name; linear and convolution weights keep their input's variance."""

    def __init__(self, seed: int) -> None:
        self._generator = torch.Generator().manual_seed(seed)
        self.tensors: dict[str, Tensor] = {}

    def random(self, name: str, *shape: int, spread: float) -> None:
        self.tensors[name] = torch.randn(shape, generator=self._generator) * spread

    def linear(self, name: str, out: int, into: int, *, bias: bool = True, kernel: int = 0) -> None:
        shape = (out, into, kernel, kernel) if kernel else (out, into)
        self.random(f"{name}.weight", *shape, spread=(into * max(1, kernel) ** 2) ** -0.5)
        if bias:
            self.random(f"{name}.bias", out, spread=0.02)

    def norm(self, name: str, width: int) -> None:
        self.random(f"{name}.weight", width, spread=0.05)
        self.tensors[f"{name}.weight"] += 1
        self.random(f"{name}.bias", width, spread=0.02)


def write_sd1(
    path: Path,
    *,
    channels: Sequence[int] = (32, 32, 64, 64),
    vae_channels: Sequence[int] = (32, 32, 32, 32),
    width: int = 64,
    vocabulary: int = 49408,
    text_layers: int = 2,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
    metadata: dict[str, str] | None = None,
) -> Path:
    """An SD 1.x checkpoint: UNet of these widths, VAE, CLIP text model `width` wide."""
    weights = _Weights(seed)
    _unet(weights, channels, depths=[1] * (len(channels) - 1) + [0], mid_depth=1, context=width, linear=False)
    _vae(weights, vae_channels)
    _clip(weights, "cond_stage_model.transformer.", vocabulary, width, text_layers)
    save_file({k: v.to(dtype).contiguous() for k, v in weights.tensors.items()}, path, metadata or {})
    return path


def write_sdxl(path: Path, *, seed: int = 0, second: int = 128, second_layers: int = 3) -> Path:
    """A narrow SDXL checkpoint: three levels of depth 0, 1, 2, two text models, sizes as a vector.

    The second text model is `second` wide.
    """
    weights = _Weights(seed)
    first = 64
    _unet(
        weights,
        (64, 64, 128),
        depths=(0, 1, 2),
        mid_depth=2,
        context=first + second,
        linear=True,
        vector=second + 6 * 256,
    )
    _vae(weights, (32, 32, 32, 32))
    _clip(weights, "conditioner.embedders.0.transformer.", 49408, first, 3)
    _open_clip(weights, "conditioner.embedders.1.model.", 49408, second, second_layers)
    save_file({k: v.contiguous() for k, v in weights.tensors.items()}, path)
    return path


def write_golden(folder: Path) -> Path:
    """The checkpoint of the golden prompts, with a yaml beside it that a WebUI reads too, and the textual
    inversion `snowtree` in `folder`/embeddings."""
    words = folder / "golden-words"
    entries = write_tokenizer(words)
    path = write_sd1(folder / "golden.safetensors", vocabulary=entries, width=64, seed=5, text_layers=3)
    write_text_config(words, entries, width=64, layers=3, heads=4)
    unet = {
        "image_size": 8,
        "in_channels": 4,
        "out_channels": 4,
        "model_channels": 32,
        "attention_resolutions": [4, 2, 1],
        "num_res_blocks": 2,
        "channel_mult": [1, 1, 2, 2],
        "num_heads": 8,
        "use_spatial_transformer": True,
        "transformer_depth": 1,
        "context_dim": 64,
        "use_checkpoint": False,
        "legacy": False,
    }
    clip = {"version": str(words.absolute()), "device": "cpu"}
    ldm = "ldm.modules"
    params = {
        "linear_start": 0.00085,
        "linear_end": 0.012,
        "timesteps": 1000,
        "first_stage_key": "jpg",
        "cond_stage_key": "txt",
        "image_size": 8,
        "channels": 4,
        "conditioning_key": "crossattn",
        "scale_factor": 0.18215,
        "use_ema": False,
        "unet_config": {"target": f"{ldm}.diffusionmodules.openaimodel.UNetModel", "params": unet},
        "first_stage_config": {
            "target": "ldm.models.autoencoder.AutoencoderKL",
            "params": {"embed_dim": 4, "ddconfig": VAE, "lossconfig": {"target": "torch.nn.Identity"}},
        },
        "cond_stage_config": {"target": f"{ldm}.encoders.modules.FrozenCLIPEmbedder", "params": clip},
    }
    tree = {"model": {"target": "ldm.models.diffusion.ddpm.LatentDiffusion", "params": params}}
    path.with_suffix(".yaml").write_text(json.dumps(tree), "utf-8")
    (folder / "embeddings").mkdir()
    vectors = torch.arange(3 * 64).reshape(3, 64).sin() / 2
    save_file({"emb_params": vectors}, folder / "embeddings" / "snowtree.safetensors")
    return path


def write_golden_sdxl(folder: Path) -> Path:
    """A narrow SDXL checkpoint with CLIP's vocabulary and a yaml beside it that a WebUI reads too.

    Its second text model is open_clip's ViT-B-32, the narrowest that the WebUI can build.
    """
    from lib_anim.models.tokenizer import _clip_vocabulary

    words = folder / "clip-words"
    words.mkdir()
    vocabulary, merges = _clip_vocabulary()
    (words / "vocab.json").write_text(json.dumps(vocabulary), "utf-8")
    lines = ["#version: 0.2", *(f"{a} {b}" for a, b in merges)]
    (words / "merges.txt").write_text("\n".join(lines) + "\n", "utf-8")
    write_text_config(words, 49408, width=64, layers=3, heads=1)
    path = write_sdxl(folder / "golden-xl.safetensors", seed=6, second=512, second_layers=12)
    encoders = "sgm.modules.encoders.modules"

    def embedder(key: str, target: str, **params: object) -> dict[str, object]:
        return {"is_trainable": False, "input_key": key, "target": f"{encoders}.{target}", "params": params}

    vectors = ("original_size_as_tuple", "crop_coords_top_left", "target_size_as_tuple")
    models = [
        embedder(
            "txt",
            "FrozenCLIPEmbedder",
            version=str(words.absolute()),
            device="cpu",
            layer="hidden",
            layer_idx=2,
        ),
        embedder(
            "txt",
            "FrozenOpenCLIPEmbedder2",
            arch="ViT-B-32",
            freeze=True,
            layer="penultimate",
            always_return_pooled=True,
            legacy=False,
        ),
        *(embedder(key, "ConcatTimestepEmbedderND", outdim=256) for key in vectors),
    ]
    unet = {
        "adm_in_channels": 512 + 6 * 256,
        "num_classes": "sequential",
        "use_checkpoint": False,
        "in_channels": 4,
        "out_channels": 4,
        "model_channels": 64,
        "attention_resolutions": [4, 2],
        "num_res_blocks": 2,
        "channel_mult": [1, 1, 2],
        "num_head_channels": 64,
        "use_spatial_transformer": True,
        "use_linear_in_transformer": True,
        "transformer_depth": [1, 1, 2],
        "context_dim": 64 + 512,
        "spatial_transformer_attn_type": "softmax-xformers",
        "legacy": False,
    }
    root = "sgm.modules.diffusionmodules"
    params = {
        "scale_factor": 0.13025,
        "disable_first_stage_autocast": True,
        "denoiser_config": {
            "target": f"{root}.denoiser.DiscreteDenoiser",
            "params": {
                "num_idx": 1000,
                "weighting_config": {"target": f"{root}.denoiser_weighting.EpsWeighting"},
                "scaling_config": {"target": f"{root}.denoiser_scaling.EpsScaling"},
                "discretization_config": {"target": f"{root}.discretizer.LegacyDDPMDiscretization"},
            },
        },
        "network_config": {"target": f"{root}.openaimodel.UNetModel", "params": unet},
        "conditioner_config": {"target": "sgm.modules.GeneralConditioner", "params": {"emb_models": models}},
        "first_stage_config": {
            "target": "sgm.models.autoencoder.AutoencoderKLInferenceWrapper",
            "params": {
                "embed_dim": 4,
                "ddconfig": VAE | {"attn_type": "vanilla"},
                "lossconfig": {"target": "torch.nn.Identity"},
            },
        },
    }
    tree = {"model": {"target": "sgm.models.diffusion.DiffusionEngine", "params": params}}
    path.with_suffix(".yaml").write_text(json.dumps(tree), "utf-8")
    return path


VAE = {
    "double_z": True,
    "z_channels": 4,
    "resolution": 64,
    "in_channels": 3,
    "out_ch": 3,
    "ch": 32,
    "ch_mult": [1, 1, 1, 1],
    "num_res_blocks": 2,
    "attn_resolutions": [],
    "dropout": 0.0,
}
"""`_vae` in the original layout's words."""


def write_text_config(folder: Path, vocabulary: int, *, width: int, layers: int, heads: int) -> None:
    """The text model's config.json, from which a WebUI builds it."""
    config = {
        "model_type": "clip_text_model",
        "vocab_size": vocabulary,
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "max_position_embeddings": 77,
        "hidden_act": "quick_gelu",
        "bos_token_id": vocabulary - 2,
        "eos_token_id": vocabulary - 1,
    }
    (folder / "config.json").write_text(json.dumps(config), "utf-8")


def write_tokenizer(folder: Path) -> int:
    """A tokenizer of whole words in transformers' files; returns its number of entries."""
    folder.mkdir(parents=True)
    letters = [chr(c) for c in range(33, 127)]
    entries = [*letters, *(letter + "</w>" for letter in letters)]
    merges: list[tuple[str, str]] = []
    for word in WORDS:
        whole = [*word[:-1], word[-1] + "</w>"]
        while len(whole) > 1:
            pair = (whole[0], whole[1])
            if pair not in merges:
                merges.append(pair)
            whole[:2] = ["".join(pair)]
    entries += sorted({a + b for a, b in merges} - set(entries))
    entries += ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {entry: i for i, entry in enumerate(entries)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary), "utf-8")
    lines = ["#version: 0.2", *(f"{a} {b}" for a, b in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", "utf-8")
    return len(vocabulary)


def _resblock(weights: _Weights, name: str, into: int, out: int, time: int) -> None:
    weights.norm(f"{name}.in_layers.0", into)
    weights.linear(f"{name}.in_layers.2", out, into, kernel=3)
    weights.linear(f"{name}.emb_layers.1", out, time)
    weights.norm(f"{name}.out_layers.0", out)
    weights.linear(f"{name}.out_layers.3", out, out, kernel=3)
    if into != out:
        weights.linear(f"{name}.skip_connection", out, into, kernel=1)


def _transformer(weights: _Weights, name: str, width: int, context: int, depth: int, linear: bool) -> None:
    weights.norm(f"{name}.norm", width)
    weights.linear(f"{name}.proj_in", width, width, kernel=0 if linear else 1)
    for i in range(depth):
        block = f"{name}.transformer_blocks.{i}"
        for attention, keys in (("attn1", width), ("attn2", context)):
            weights.linear(f"{block}.{attention}.to_q", width, width, bias=False)
            weights.linear(f"{block}.{attention}.to_k", width, keys, bias=False)
            weights.linear(f"{block}.{attention}.to_v", width, keys, bias=False)
            weights.linear(f"{block}.{attention}.to_out.0", width, width)
        for norm in ("norm1", "norm2", "norm3"):
            weights.norm(f"{block}.{norm}", width)
        weights.linear(f"{block}.ff.net.0.proj", 8 * width, width)
        weights.linear(f"{block}.ff.net.2", width, 4 * width)
    weights.linear(f"{name}.proj_out", width, width, kernel=0 if linear else 1)


def _unet(
    weights: _Weights,
    channels: Sequence[int],
    *,
    depths: Sequence[int],
    mid_depth: int,
    context: int,
    linear: bool,
    vector: int = 0,
    layers: int = 2,
) -> None:
    root = "model.diffusion_model"
    base, time = channels[0], 4 * channels[0]
    weights.linear(f"{root}.time_embed.0", time, base)
    weights.linear(f"{root}.time_embed.2", time, time)
    if vector:
        weights.linear(f"{root}.label_emb.0.0", time, vector)
        weights.linear(f"{root}.label_emb.0.2", time, time)
    weights.linear(f"{root}.input_blocks.0.0", base, 4, kernel=3)
    skips, width, index = [base], base, 0
    for level, out in enumerate(channels):
        for _ in range(layers):
            index += 1
            _resblock(weights, f"{root}.input_blocks.{index}.0", width, out, time)
            width = out
            if depths[level]:
                _transformer(weights, f"{root}.input_blocks.{index}.1", width, context, depths[level], linear)
            skips.append(width)
        if level < len(channels) - 1:
            index += 1
            weights.linear(f"{root}.input_blocks.{index}.0.op", width, width, kernel=3)
            skips.append(width)
    _resblock(weights, f"{root}.middle_block.0", width, width, time)
    _transformer(weights, f"{root}.middle_block.1", width, context, mid_depth, linear)
    _resblock(weights, f"{root}.middle_block.2", width, width, time)
    index = -1
    for level, out in reversed(list(enumerate(channels))):
        for layer in range(layers + 1):
            index += 1
            _resblock(weights, f"{root}.output_blocks.{index}.0", width + skips.pop(), out, time)
            width = out
            part = 1
            if depths[level]:
                _transformer(
                    weights, f"{root}.output_blocks.{index}.1", width, context, depths[level], linear
                )
                part = 2
            if level and layer == layers:
                weights.linear(f"{root}.output_blocks.{index}.{part}.conv", width, width, kernel=3)
    weights.norm(f"{root}.out.0", width)
    weights.linear(f"{root}.out.2", 4, width, kernel=3)


def _vae_block(weights: _Weights, name: str, into: int, out: int) -> None:
    weights.norm(f"{name}.norm1", into)
    weights.linear(f"{name}.conv1", out, into, kernel=3)
    weights.norm(f"{name}.norm2", out)
    weights.linear(f"{name}.conv2", out, out, kernel=3)
    if into != out:
        weights.linear(f"{name}.nin_shortcut", out, into, kernel=1)


def _vae_middle(weights: _Weights, name: str, width: int) -> None:
    _vae_block(weights, f"{name}.block_1", width, width)
    weights.norm(f"{name}.attn_1.norm", width)
    for part in ("q", "k", "v", "proj_out"):
        weights.linear(f"{name}.attn_1.{part}", width, width, kernel=1)
    _vae_block(weights, f"{name}.block_2", width, width)


def _vae(weights: _Weights, channels: Sequence[int], layers: int = 2) -> None:
    root = "first_stage_model"
    weights.linear(f"{root}.encoder.conv_in", channels[0], 3, kernel=3)
    width = channels[0]
    for level, out in enumerate(channels):
        for layer in range(layers):
            _vae_block(weights, f"{root}.encoder.down.{level}.block.{layer}", width, out)
            width = out
        if level < len(channels) - 1:
            weights.linear(f"{root}.encoder.down.{level}.downsample.conv", width, width, kernel=3)
    _vae_middle(weights, f"{root}.encoder.mid", width)
    weights.norm(f"{root}.encoder.norm_out", width)
    weights.linear(f"{root}.encoder.conv_out", 8, width, kernel=3)
    weights.linear(f"{root}.quant_conv", 8, 8, kernel=1)
    weights.linear(f"{root}.post_quant_conv", 4, 4, kernel=1)
    weights.linear(f"{root}.decoder.conv_in", width, 4, kernel=3)
    _vae_middle(weights, f"{root}.decoder.mid", width)
    for level, out in reversed(list(enumerate(channels))):
        for layer in range(layers + 1):
            _vae_block(weights, f"{root}.decoder.up.{level}.block.{layer}", width, out)
            width = out
        if level:
            weights.linear(f"{root}.decoder.up.{level}.upsample.conv", width, width, kernel=3)
    weights.norm(f"{root}.decoder.norm_out", width)
    weights.linear(f"{root}.decoder.conv_out", 3, width, kernel=3)


def _clip(weights: _Weights, prefix: str, vocabulary: int, width: int, layers: int) -> None:
    root = f"{prefix}text_model"
    weights.random(f"{root}.embeddings.token_embedding.weight", vocabulary, width, spread=0.5)
    weights.random(f"{root}.embeddings.position_embedding.weight", 77, width, spread=0.1)
    for i in range(layers):
        layer = f"{root}.encoder.layers.{i}"
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            weights.linear(f"{layer}.self_attn.{part}", width, width)
        weights.norm(f"{layer}.layer_norm1", width)
        weights.norm(f"{layer}.layer_norm2", width)
        weights.linear(f"{layer}.mlp.fc1", 4 * width, width)
        weights.linear(f"{layer}.mlp.fc2", width, 4 * width)
    weights.norm(f"{root}.final_layer_norm", width)
    # A mean well away from 0: emphasis divides by it, and rounding would be all that is left.
    weights.tensors[f"{root}.final_layer_norm.bias"] += 0.3


def _open_clip(weights: _Weights, prefix: str, vocabulary: int, width: int, layers: int) -> None:
    weights.random(f"{prefix}token_embedding.weight", vocabulary, width, spread=0.5)
    weights.random(f"{prefix}positional_embedding", 77, width, spread=0.1)
    weights.random(f"{prefix}text_projection", width, width, spread=width**-0.5)
    weights.random(f"{prefix}logit_scale", spread=1.0)
    for i in range(layers):
        layer = f"{prefix}transformer.resblocks.{i}"
        weights.random(f"{layer}.attn.in_proj_weight", 3 * width, width, spread=width**-0.5)
        weights.random(f"{layer}.attn.in_proj_bias", 3 * width, spread=0.02)
        weights.linear(f"{layer}.attn.out_proj", width, width)
        weights.norm(f"{layer}.ln_1", width)
        weights.norm(f"{layer}.ln_2", width)
        weights.linear(f"{layer}.mlp.c_fc", 4 * width, width)
        weights.linear(f"{layer}.mlp.c_proj", width, 4 * width)
    weights.norm(f"{prefix}ln_final", width)
    weights.tensors[f"{prefix}ln_final.bias"] += 0.3
