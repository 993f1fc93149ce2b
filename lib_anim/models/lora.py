"""LoRA files in the namings of kohya and of diffusers: which layers they change, and by how much."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from lib_anim.errors import FlipbookError, Problem
from lib_anim.models.archive import read_tensors
from lib_anim.models.motion_keys import UNNAMED, unwrapped
from lib_anim.models.table import read_table

ROLES = {
    ".lora_down.weight": "down",
    ".lora_up.weight": "up",
    ".lora_mid.weight": "mid",
    ".lora_A.weight": "down",
    ".lora_B.weight": "up",
    ".lora.down.weight": "down",
    ".lora.up.weight": "up",
    # AnimateDiff's v3 adapter, MotionDirector's spatial files and diffusers before 0.22.
    "_lora.down.weight": "down",
    "_lora.up.weight": "up",
    ".alpha": "alpha",
}
"""Endings of tensor names and the part that each is."""

PREFIXES = {"unet.": "lora_unet_", "text_encoder.": "lora_te_", "text_encoder_2.": "lora_te2_"}
"""diffusers' beginnings and kohya's."""


@dataclass(frozen=True)
class Change:
    """One layer's change, down and up again through a narrow middle (Hu et al. 2022, eq. 3)."""

    down: Tensor
    """(rank, in) or, for a convolution, (rank, in, k, k)."""
    up: Tensor
    """(out, rank) or (out, rank, 1, 1)."""
    mid: Tensor | None
    """(rank, rank, k, k) between 1×1 ends; LoCon's Tucker form."""
    alpha: float | None
    """The change is scaled by alpha / rank; None scales by 1."""

    def delta(self, like: Tensor) -> Tensor:
        """What is added to the weight `like` at strength 1; float32 of its shape, on its device."""
        down, up = self.down.to(like.device, torch.float32), self.up.to(like.device, torch.float32)
        rank = down.shape[0]
        if self.mid is None:
            change = up.flatten(1) @ down.flatten(1)
        else:
            mid = self.mid.to(like.device, torch.float32)
            change = torch.einsum("or,rskl,si->oikl", up.flatten(1), mid, down.flatten(1))
        return change.reshape(like.shape) * (1.0 if self.alpha is None else self.alpha / rank)


@dataclass(frozen=True)
class Lora:
    """A file's changes by layer, in kohya's naming (`lora_unet_…`, `lora_te_…`)."""

    name: str
    changes: Mapping[str, Change]


def read_lora(path: Path) -> Lora:
    """Reads a LoRA; FlipbookError when it is something else or of a kind that is not supported."""
    foreign = [
        k for k in read_table(path).shapes if any(part in k for part in ("hada_", "lokr_", "oft_", ".diff"))
    ]
    if foreign:
        raise FlipbookError(
            Problem(
                f"{path.name} is a LyCORIS of a kind that is not supported ({foreign[0]}).", field="prompt"
            )
        )
    parts: dict[str, dict[str, Tensor]] = defaultdict(dict)
    for key, value in read_tensors(path).items():
        ending = next((ending for ending in ROLES if key.endswith(ending)), None)
        if ending is not None:
            parts[layer_name(key[: -len(ending)])][ROLES[ending]] = value
    changes = {
        layer: Change(p["down"], p["up"], p.get("mid"), float(p["alpha"]) if "alpha" in p else None)
        for layer, p in parts.items()
        if "down" in p and "up" in p
    }
    if not changes:
        raise FlipbookError(Problem(f"{path.name} is no LoRA.", field="prompt"))
    return Lora(path.stem, changes)


def layer_name(name: str) -> str:
    """A layer's name in kohya's way: `unet.down_blocks.0…to_q` becomes `lora_unet_down_blocks_0_…_to_q`."""
    if name.startswith(UNNAMED) or name.startswith("module."):
        name = "unet." + unwrapped(name)
    for theirs, ours in PREFIXES.items():
        if name.startswith(theirs):
            # Files of diffusers before 0.22 name the attention's processor instead of its layer.
            inner = name[len(theirs) :].replace("processor.", "").replace("_lora", "")
            inner = inner.removesuffix("to_out") + "to_out.0" if inner.endswith("to_out") else inner
            return ours + inner.replace(".", "_")
    return name
