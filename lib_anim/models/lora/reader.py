"""Read LoRA files and related formats in kohya's and diffusers' naming: which layers they change, and how."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from lib_anim.errors import FlipbookError, Problem
from lib_anim.models.archive import read_tensors
from lib_anim.models.detect import detect
from lib_anim.models.inversion import Inversion, inversion_of
from lib_anim.models.keys import is_lora
from lib_anim.models.lora.deltas import Change, Hadamard, Kronecker, LowRank, Whole
from lib_anim.models.lora.multiplicative import Factors, Generalized, Rotated
from lib_anim.models.motion.keys import UNNAMED, unwrapped
from lib_anim.models.table import read_table

FACTORS_OF = ".on_input"
"""Ending of IA3's switch; the factors are next to it, named `weight` only."""

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
    ".diff": "whole",
    ".diff_b": "bias",
    ".w_norm": "whole",
    ".b_norm": "bias",
    ".a1.weight": "glora_a1",
    ".a2.weight": "glora_a2",
    ".b1.weight": "glora_b1",
    ".b2.weight": "glora_b2",
    ".oft_blocks": "blocks",
    ".oft_diag": "rotations",
    ".rescale": "rescale",
    FACTORS_OF: "on_input",
}
"""Endings of tensor names and the part that each is."""

BUNDLED = "bundle_emb."
"""Beginning of textual inversions inside a LoRA's file."""

PREFIXES = {"unet.": "lora_unet_", "text_encoder.": "lora_te_", "text_encoder_2.": "lora_te2_"}
"""diffusers' beginnings and kohya's."""

OFT_PREFIX = "oft_unet_"
"""Beginning in files of kohya's OFT."""


@dataclass(frozen=True)
class Lora:
    """A file's changes by layer, in kohya's naming (`lora_unet_…`, `lora_te_…`)."""

    name: str
    changes: Mapping[str, Change]
    embeddings: tuple[Inversion, ...] = ()
    """Textual inversions that the file brings along."""


def read_lora(path: Path) -> Lora:
    """Reads a LoRA, DoRA, LoCon or another of its kin: LoHa, LoKr, IA3, GLoRA, OFT, BOFT, whole matrices.

    Raises FlipbookError when it is something else or changes layers in a way that is not supported: a part
    left out in silence would give another picture than the file's author saw.
    """
    names = read_table(path).shapes
    what = detect(names)
    if not is_lora(names) and what != "a LoRA":
        is_ = f"it is {what}" if what else "its names are none of a LoRA"
        raise FlipbookError(
            Problem(f"{path.name} is not a LoRA: {is_}.", field="prompt", code="lora.invalid")
        )
    parts: dict[str, dict[str, Tensor]] = defaultdict(dict)
    bundled: dict[str, dict[str, Tensor]] = defaultdict(dict)
    for key, value in read_tensors(path).items():
        if key.startswith(BUNDLED):
            word, _, part = key.removeprefix(BUNDLED).partition(".")
            bundled[word][part] = value
            continue
        stem, role = _role(key, names)
        if role is None:
            raise FlipbookError(
                Problem(
                    f"{path.name} is a LyCORIS of a kind that is not supported ({key}).",
                    field="prompt",
                    code="lora.unsupported",
                )
            )
        parts[layer_name(stem)][role] = value
    try:
        changes = {layer: _change(p) for layer, p in parts.items()}
        words = tuple(inversion_of(word, bundled[word]) for word in sorted(bundled))
    except KeyError as error:
        raise FlipbookError(
            Problem(
                f"{path.name} is damaged: a layer lacks its part {error}; download it again.",
                field="prompt",
                code="model.damaged",
            )
        ) from error
    except (IndexError, RuntimeError, TypeError, ValueError) as error:
        raise FlipbookError(
            Problem(
                f"{path.name} is damaged: a tensor has a wrong shape ({error}); download it again.",
                field="prompt",
                code="model.damaged",
            )
        ) from error
    return Lora(path.stem, changes, words)


def _role(key: str, names: Collection[str]) -> tuple[str, str | None]:
    """A tensor's layer, in the file's naming, and the part that it is; None for an unknown part."""
    for ending, role in ROLES.items():
        if key.endswith(ending):
            return key[: -len(ending)], role
    stem = key.removesuffix(".weight")
    return stem, "factors" if stem + FACTORS_OF in names else None


def _change(parts: dict[str, Tensor]) -> Change:
    """KeyError names a part that is missing."""
    more: dict[str, Any] = {
        "alpha": float(parts["alpha"]) if "alpha" in parts else None,
        "magnitude": parts.get("magnitude"),
        "bias": parts.get("bias"),
    }
    if "hada1b" in parts:
        return Hadamard(
            ups=(parts["hada1a"], parts["hada2a"]),
            downs=(parts["hada1b"], parts["hada2b"]),
            cores=(parts["hada1t"], parts["hada2t"]) if "hada1t" in parts else None,
            **more,
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
        return Kronecker(first=first, second=second, **more)
    if "whole" in parts:
        return Whole(values=parts["whole"], **more)
    if "on_input" in parts:
        return Factors(values=parts["factors"], on_input=bool(parts["on_input"]), **more)
    if "glora_a1" in parts:
        return Generalized(
            weight_side=(parts["glora_a2"], parts["glora_a1"]),
            added=(parts["glora_b2"], parts["glora_b1"]),
            **more,
        )
    if "blocks" in parts or "rotations" in parts:
        finished = "blocks" not in parts
        blocks = parts["rotations" if finished else "blocks"]
        return Rotated(blocks=blocks, finished=finished, rescale=parts.get("rescale"), **more)
    return LowRank(down=parts["down"], up=parts["up"], mid=parts.get("mid"), **more)


def layer_name(name: str) -> str:
    """A layer's name in kohya's way: `unet.down_blocks.0…to_q` becomes `lora_unet_down_blocks_0_…_to_q`."""
    if name.startswith(UNNAMED) or name.startswith("module."):
        name = "unet." + unwrapped(name)
    if name.startswith(OFT_PREFIX):
        return "lora_unet_" + name.removeprefix(OFT_PREFIX)
    for theirs, ours in PREFIXES.items():
        if name.startswith(theirs):
            # Files of diffusers before 0.22 name the attention's processor instead of its layer.
            inner = name[len(theirs) :].replace("processor.", "").replace("_lora", "")
            inner = inner.removesuffix("to_out") + "to_out.0" if inner.endswith("to_out") else inner
            return ours + inner.replace(".", "_")
    return name
