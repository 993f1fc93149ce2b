"""Read the header of a .safetensors file: names, dtypes and shapes."""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from operator import index
from pathlib import Path
from typing import Any

from lib_anim.errors import FlipbookError, NotFound, Problem
from lib_anim.models.foreign import foreign

LONGEST_HEADER = 100_000_000
"""Bytes; the limit that the safetensors library itself sets."""


@dataclass(frozen=True)
class Entry:
    """One tensor of a file, without its values."""

    dtype: str
    """As safetensors writes it: F32, F16, BF16, I64 …"""
    shape: tuple[int, ...]

    @property
    def count(self) -> int:
        """Number of values."""
        n = 1
        for side in self.shape:
            n *= side
        return n


@dataclass(frozen=True)
class Header:
    """A file's table of tensors and its free-form metadata."""

    path: Path
    tensors: Mapping[str, Entry]
    metadata: Mapping[str, str]

    def shape(self, key: str) -> tuple[int, ...]:
        """Shape of the tensor `key`; KeyError when the file has none of that name."""
        return self.tensors[key].shape

    def under(self, prefix: str) -> list[str]:
        """Names that start with `prefix`, in the file's order."""
        return [key for key in self.tensors if key.startswith(prefix)]


def read_header(path: Path) -> Header:
    """The table at the front of a .safetensors file.

    Raises NotFound when there is no such file, FlipbookError when it is empty, cut off, of another format
    or may not be read. Format: 8 bytes little-endian length, that many bytes of JSON, then the values
    (https://github.com/huggingface/safetensors, "Format").
    """
    if path.is_dir():
        raise FlipbookError(Problem(_folder(path), code="file.wrong_type"))
    if not path.is_file():
        raise NotFound(Problem(f"there is no file {path}.", code="file.not_found"))
    try:
        return _read(path)
    except OSError as error:
        raise FlipbookError(
            Problem(f"{path} cannot be read: {error.strerror or error}.", code="file.unreadable")
        ) from error


def _read(path: Path) -> Header:
    size = path.stat().st_size
    with path.open("rb") as file:
        front = file.read(8)
        length = struct.unpack("<Q", front)[0] if len(front) == 8 else 0
        if not 2 <= length <= LONGEST_HEADER or file.read(1) != b"{":
            raise FlipbookError(Problem(foreign(path), code="file.wrong_type"))
        if 8 + length > size:
            raise FlipbookError(Problem(_truncated(path, size, 8 + length), code="model.damaged"))
        text = b"{" + file.read(length - 1)
    try:
        table: dict[str, Any] = json.loads(text)
        metadata = {str(k): str(v) for k, v in table.pop("__metadata__", {}).items()}
        tensors = {k: Entry(str(v["dtype"]), tuple(map(index, v["shape"]))) for k, v in table.items()}
        end = max((index(v["data_offsets"][1]) for v in table.values()), default=0)
    # A table nested too deeply is a RecursionError.
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise FlipbookError(
            Problem(
                f"{path.name} starts like a .safetensors file, but its header cannot be read; download it.",
                code="model.damaged",
            )
        ) from error
    if 8 + length + end > size:
        raise FlipbookError(Problem(_truncated(path, size, 8 + length + end), code="model.damaged"))
    return Header(path, tensors, metadata)


def _folder(path: Path) -> str:
    """Sentence about a folder where a file is expected."""
    if (path / "model_index.json").is_file():
        return f"{path} is a folder in diffusers' layout; use the model's single .safetensors file."
    return f"{path} is a folder; a .safetensors file is expected here."


def _truncated(path: Path, size: int, expected: int) -> str:
    return f"{path.name} is cut off: it has {size:,} bytes and should have {expected:,}; download it again."


def is_archive(path: Path) -> bool:
    """Whether it is a zip file, as `torch.save` has written since 1.6."""
    return path.is_file() and zipfile.is_zipfile(path)
