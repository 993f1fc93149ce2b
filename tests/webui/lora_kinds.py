"""One file of every kind of LoRA that the WebUI reads, for the golden checkpoint."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

LAYERS = {
    "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k": (32, 64),
    "lora_unet_mid_block_attentions_0_proj_in": (64, 64, 1, 1),
    "lora_unet_up_blocks_1_resnets_0_conv1": (64, 128, 3, 3),
    "lora_te_text_model_encoder_layers_0_mlp_fc1": (256, 64),
}
"""Layers of the golden checkpoint and the shapes of their weights."""

NORMS = ("lora_unet_mid_block_resnets_0_norm1", "lora_te_text_model_encoder_layers_0_layer_norm1")
"""Norms of the golden checkpoint, 64 wide."""

LOW_RANK = ("lora", "dora", "loha", "lokr", "tucker")
OTHERS = ("full", "ia3", "ia3_in", "glora", "oft", "coft", "first_oft", "boft")
KINDS = (*LOW_RANK, *OTHERS, "bundled")
"""What LoRA files hold; each is a file of that name."""

WORD = "hillside"
"""The textual inversion inside `bundled`."""

_DRAW = torch.Generator()


def write_loras(folder: Path) -> None:
    """One file of every kind, changing attention, convolutions and the text model."""
    _DRAW.manual_seed(8)
    files: dict[str, dict[str, Tensor]] = defaultdict(dict)
    for layer, shape in LAYERS.items():
        for kind, parts in (_low_rank(shape) | _others(layer, shape)).items():
            files[kind] |= {f"{layer}.{part}": value for part, value in parts.items()}
    for norm in NORMS:
        files["full"] |= {f"{norm}.w_norm": _normal(64), f"{norm}.b_norm": _normal(64)}
    files["bundled"] = {**files["lora"], f"bundle_emb.{WORD}.string_to_param.*": _normal(2, 64)}
    for kind in KINDS:
        save_file(files[kind], folder / f"{kind}.safetensors")


def _normal(*shape: int) -> Tensor:
    return torch.randn(shape, generator=_DRAW) * 0.3


def _low_rank(shape: tuple[int, ...]) -> Mapping[str, dict[str, Tensor]]:
    """Kind → one layer's parts of rank 4, for kinds with a narrow middle."""
    out, into, *kernel = shape
    flat, ends = math.prod(shape[1:]), [1] * len(kernel)
    alpha = {"alpha": torch.tensor(2.0)}
    low = {"lora_down.weight": _normal(4, into, *kernel), "lora_up.weight": _normal(out, 4, *ends), **alpha}
    factors = {
        f"hada_w{i}_{end}": _normal(*size)
        for i in (1, 2)
        for end, size in (("a", (out, 4)), ("b", (4, flat)))
    }
    kinds = {
        "lora": low,
        "dora": {**low, "dora_scale": _normal(1, into, *ends).abs() + 1},
        "loha": {**factors, **alpha},
        "lokr": {"lokr_w1": _normal(4, 4), "lokr_w2": _normal(out // 4, into // 4, *kernel)},
    }
    if math.prod(kernel) > 1:
        kinds["tucker"] = {
            "lora_down.weight": _normal(4, into, 1, 1),
            "lora_mid.weight": _normal(4, 4, *kernel),
            "lora_up.weight": _normal(out, 4, 1, 1),
            "alpha": torch.tensor(4.0),
        }
    return kinds


def _others(layer: str, shape: tuple[int, ...]) -> Mapping[str, dict[str, Tensor]]:
    """Kind → one layer's parts, for kinds that hold the whole change or depend on the weight."""
    out, into, *kernel = shape
    blocks = out // 8
    kinds = {
        "full": {"diff": _normal(*shape) * 0.2},
        "oft": {"oft_blocks": _normal(blocks, 8, 8)},
        "coft": {"oft_blocks": _normal(blocks, 8, 8), "alpha": torch.tensor(0.01)},
        # LyCORIS' first form holds rotations; the WebUI takes any matrices.
        "first_oft": {"oft_diag": torch.eye(8) + _normal(blocks, 8, 8) * 0.2},
        "boft": {
            "oft_blocks": _normal(3, blocks, 8, 8),
            "rescale": 1 + _normal(out, *[1] * (len(shape) - 1)),
        },
    }
    if not layer.endswith("_to_k"):
        # Where a layer has no bias, one of a LoRA's breaks the WebUI's next picture.
        kinds["full"]["diff_b"] = _normal(out)
    if not kernel:
        # The WebUI reads these for linear layers only.
        kinds["ia3"] = {"weight": _normal(out), "on_input": torch.tensor(0)}
        kinds["ia3_in"] = {"weight": _normal(into), "on_input": torch.tensor(1)}
        sizes = {"a1": (4, into), "a2": (into, 4), "b1": (4, into), "b2": (out, 4)}
        kinds["glora"] = {f"{part}.weight": _normal(*size) for part, size in sizes.items()}
        kinds["glora"]["alpha"] = torch.tensor(2.0)
    return kinds
