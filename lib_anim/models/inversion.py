"""Read textual inversions in the WebUI's and diffusers' formats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from lib_anim.errors import FlipbookError, Problem
from lib_anim.models.archive import read_tensors, read_tree
from lib_anim.models.detect import detect
from lib_anim.models.keys import inversion_keys

WRAPPED = "string_to_param."
"""Beginning of the vectors' name where the WebUI's own form lies inside another file."""

LENGTH = 75
"""Tokens of a prompt that CLIP reads at once, without the marks at start and end of its 77 positions: a word
has no more vectors."""

TORCH = (".pt", ".bin", ".pth")
"""Endings of torch's own files."""


@dataclass(frozen=True)
class Inversion:
    """A word's vectors, one tensor (vectors, width) per text model of the family."""

    name: str
    vectors: tuple[Tensor, ...]

    @property
    def length(self) -> int:
        """Number of tokens that the word takes up."""
        return len(self.vectors[0])


def read_inversion(path: Path) -> Inversion:
    """The vectors in `path`, named like the file; FlipbookError when it is something else.

    Reads .safetensors files, and the .pt and .bin files that the WebUI and the first trainers wrote.
    """
    safe = path.suffix not in TORCH
    weights = read_tensors(path) if safe else _of_torch(read_tree(path))
    try:
        return inversion_of(path.stem, weights)
    except KeyError as error:
        what = detect(weights)
        is_ = f": it is {what}" if what else ""
        raise FlipbookError(
            Problem(f"{path.name} is not a textual inversion{is_}.", field="prompt", code="embedding.invalid")
        ) from error


def inversion_of(name: str, weights: Mapping[str, Tensor]) -> Inversion:
    """The word `name`, whose vectors are in `weights` under a .safetensors file's names, or the WebUI's own
    (`string_to_param.*`). KeyError where there are none."""
    weights = {"emb_params" if key.startswith(WRAPPED) else key: value for key, value in weights.items()}
    keys = inversion_keys({key: tuple(value.shape) for key, value in weights.items()})
    if not keys:
        raise KeyError(f"vectors of {name}")
    vectors = tuple(weights[key].detach().float().reshape(-1, weights[key].shape[-1]) for key in keys)
    counts = {len(v) for v in vectors}
    if len(counts) > 1 or max(counts) > LENGTH:
        listed = " and ".join(str(len(v)) for v in vectors)
        raise FlipbookError(
            Problem(
                f'the textual inversion "{name}" has {listed} vectors; each text model takes as many as the '
                f"other, and {LENGTH} at most.",
                field="prompt",
                code="embedding.invalid",
            )
        )
    return Inversion(name, vectors)


def _of_torch(tree: Mapping[str, Any]) -> dict[str, Tensor]:
    """The vectors of a torch file under the names of a .safetensors file."""
    inner = tree.get("string_to_param")
    if inner is None:
        return {key: value for key, value in tree.items() if isinstance(value, Tensor)}
    # Containers of torch before 1.12 come back with their values in an attribute.
    inner = getattr(inner, "_parameters", None) or inner
    vectors = next(iter(dict(inner).values()), None) if hasattr(inner, "keys") else None
    return {"emb_params": vectors} if isinstance(vectors, Tensor) else {}
