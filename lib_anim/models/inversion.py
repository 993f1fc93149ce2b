"""Textual inversions: vectors that stand for a word, as files of the WebUI and of diffusers hold them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

from lib_anim.errors import FlipbookError, Problem
from lib_anim.models.header import read_header
from lib_anim.models.keys import inversion_keys


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
    """The vectors in `path`, named like the file; FlipbookError when it is something else."""
    keys = inversion_keys(read_header(path))
    if not keys:
        raise FlipbookError(Problem(f"{path.name} is no textual inversion.", field="prompt"))
    weights = load_file(path)
    return Inversion(path.stem, tuple(weights[k].float().reshape(-1, weights[k].shape[-1]) for k in keys))
