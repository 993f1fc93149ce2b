"""Read tensors of .safetensors and torch files (.ckpt, .pt) without executing pickles."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from lib_anim.errors import FlipbookError, Problem
from lib_anim.models.header import Entry, Header, is_archive, read_header

WRAPS = ("state_dict", "controlnet", "module")
"""Keys under which training scripts put the weights proper."""


def read_tree(path: Path) -> dict[str, Any]:
    """What a file by `torch.save` holds, mapped where it is a zip file: values are read when they are used.

    Only tensors and plain containers are accepted (`weights_only`); a file with anything else is refused
    with FlipbookError, and nothing of it has run.
    """
    # Before torch 1.12 textual inversions were saved in a container of torch's, which holds tensors alone.
    allowed: Any = getattr(torch.serialization, "safe_globals", lambda classes: nullcontext())
    try:
        with allowed([torch.nn.ParameterDict]):
            tree: Any = torch.load(path, map_location="cpu", weights_only=True, mmap=is_archive(path))
    # Nothing of the file is run; a damaged one fails in as many ways as torch reads it.
    except Exception as error:
        raise FlipbookError(
            Problem(
                f"{path.name} holds more than weights, or is damaged, and is not opened since it might run "
                "foreign code; use its .safetensors version.",
                code="model.damaged",
            )
        ) from error
    for wrap in WRAPS:
        if isinstance(tree, dict) and isinstance(tree.get(wrap), dict):
            tree = tree[wrap]
    if not isinstance(tree, dict):
        raise FlipbookError(Problem(f"{path.name} holds no table of weights.", code="model.damaged"))
    return {str(key): value for key, value in tree.items()}


def read_archive(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by `torch.save`; see `read_tree`."""
    return {key: value for key, value in read_tree(path).items() if isinstance(value, Tensor)}


def header_of(path: Path) -> Header:
    """The table of a .safetensors file or a torch archive, as a .safetensors file has it."""
    if not is_archive(path):
        return read_header(path)
    tensors = {
        key: Entry(str(value.dtype).removeprefix("torch."), tuple(value.shape))
        for key, value in read_archive(path).items()
    }
    return Header(path, tensors, {})


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Every tensor of a .safetensors file or a torch archive, on the CPU. Raises NotFound, FlipbookError."""
    if is_archive(path):
        return read_archive(path)
    read_header(path)
    try:
        weights: dict[str, Tensor] = load_file(path)
    except SafetensorError as error:
        raise FlipbookError(
            Problem(f"{path.name} cannot be read: {error}.", code="file.unreadable")
        ) from error
    return weights
