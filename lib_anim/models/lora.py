"""LoRA files and their kin in the namings of kohya and of diffusers: which layers they change, and how."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from lib_anim.errors import FlipbookError, Problem
from lib_anim.models.archive import read_tensors
from lib_anim.models.changes import Change, Hadamard, Kronecker, LowRank
from lib_anim.models.keys import is_lora
from lib_anim.models.motion_keys import UNNAMED, unwrapped
from lib_anim.models.signs import sign_of
from lib_anim.models.table import read_table

ROLES = {
    ".lora_down.weight": "down",
    ".lora_up.weight": "up",
    ".lora_mid.weight": "mid",
    ".lora_A.weight": "down",
    ".lora_B.weight": "up",
    ".lora.down.weight": "down",
    ".lora.up.weight": "up",
    ".lora_linear_layer.down.weight": "down",
    ".lora_linear_layer.up.weight": "up",
    # AnimateDiff's v3 adapter, MotionDirector's spatial files and diffusers before 0.22.
    "_lora.down.weight": "down",
    "_lora.up.weight": "up",
    ".alpha": "alpha",
    ".dora_scale": "magnitude",
    ".lora_magnitude_vector": "magnitude",
    ".lora_magnitude_vector.weight": "magnitude",
    ".hada_w1_a": "hada1a",
    ".hada_w1_b": "hada1b",
    ".hada_w2_a": "hada2a",
    ".hada_w2_b": "hada2b",
    ".hada_t1": "hada1t",
    ".hada_t2": "hada2t",
    ".lokr_w1": "kron1",
    ".lokr_w1_a": "kron1a",
    ".lokr_w1_b": "kron1b",
    ".lokr_w2": "kron2",
    ".lokr_w2_a": "kron2a",
    ".lokr_w2_b": "kron2b",
    ".lokr_t2": "kron2t",
}
"""Endings of tensor names and the part that each is."""

BUNDLED = "bundle_emb."
"""Beginning of textual inversions inside a LoRA's file."""

PREFIXES = {"unet.": "lora_unet_", "text_encoder.": "lora_te_", "text_encoder_2.": "lora_te2_"}
"""diffusers' beginnings and kohya's."""


@dataclass(frozen=True)
class Lora:
    """A file's changes by layer, in kohya's naming (`lora_unet_…`, `lora_te_…`)."""

    name: str
    changes: Mapping[str, Change]
    embeddings: tuple[str, ...] = ()
    """Names of textual inversions that the file brings along; they are not read."""


def read_lora(path: Path) -> Lora:
    """Reads a LoRA, DoRA, LoCon, LoHa or LoKr.

    Raises FlipbookError when it is something else or changes layers in a way that is not supported: a part
    left out in silence would give another picture than the file's author saw.
    """
    names = read_table(path).shapes
    what = sign_of(names)
    if not is_lora(names) and what != "a LoRA":
        is_ = f"it is {what}" if what else "its names are none of a LoRA"
        raise FlipbookError(Problem(f"{path.name} is no LoRA: {is_}.", field="prompt"))
    parts: dict[str, dict[str, Tensor]] = defaultdict(dict)
    bundled: set[str] = set()
    for key, value in read_tensors(path).items():
        if key.startswith(BUNDLED):
            bundled.add(key.removeprefix(BUNDLED).split(".")[0])
            continue
        ending = next((ending for ending in ROLES if key.endswith(ending)), None)
        if ending is None:
            raise FlipbookError(
                Problem(f"{path.name} is a LyCORIS of a kind that is not supported ({key}).", field="prompt")
            )
        parts[layer_name(key[: -len(ending)])][ROLES[ending]] = value
    try:
        changes = {layer: _change(p) for layer, p in parts.items()}
    except (KeyError, IndexError) as error:
        raise FlipbookError(
            Problem(f"{path.name} is damaged: a layer lacks its part {error}; get it anew.", field="prompt")
        ) from error
    return Lora(path.stem, changes, tuple(sorted(bundled)))


def _change(parts: dict[str, Tensor]) -> Change:
    """KeyError names a part that is missing."""
    alpha = float(parts["alpha"]) if "alpha" in parts else None
    magnitude = parts.get("magnitude")
    if "hada1b" in parts:
        return Hadamard(
            ups=(parts["hada1a"], parts["hada2a"]),
            downs=(parts["hada1b"], parts["hada2b"]),
            cores=(parts["hada1t"], parts["hada2t"]) if "hada1t" in parts else None,
            alpha=alpha,
            magnitude=magnitude,
        )
    if any(name.startswith("kron") for name in parts):
        first: tuple[Tensor, ...] = (
            (parts["kron1"],) if "kron1" in parts else (parts["kron1a"], parts["kron1b"])
        )
        second: tuple[Tensor, ...] = (
            (parts["kron2"],) if "kron2" in parts else (parts["kron2a"], parts["kron2b"])
        )
        if "kron2t" in parts:
            second += (parts["kron2t"],)
        return Kronecker(first=first, second=second, alpha=alpha, magnitude=magnitude)
    return LowRank(down=parts["down"], up=parts["up"], mid=parts.get("mid"), alpha=alpha, magnitude=magnitude)


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
