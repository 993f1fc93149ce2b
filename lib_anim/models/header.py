"""Reads what stands in the first bytes of a .safetensors file: names, types and shapes, no weights."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lib_anim.errors import FlipbookError, NotFound, Problem

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

    Raises NotFound when there is no such file, FlipbookError when it is empty, cut off or of another
    format. Format: 8 bytes little-endian length, that many bytes of JSON, then the values
    (https://github.com/huggingface/safetensors, "Format").
    """
    if not path.is_file():
        raise NotFound(Problem(f"there is no file {path}."))
    size = path.stat().st_size
    with path.open("rb") as file:
        front = file.read(8)
        length = struct.unpack("<Q", front)[0] if len(front) == 8 else 0
        if not 2 <= length <= LONGEST_HEADER or file.read(1) != b"{":
            raise FlipbookError(Problem(_foreign(path, front, size)))
        if 8 + length > size:
            raise FlipbookError(Problem(_truncated(path, size, 8 + length)))
        text = b"{" + file.read(length - 1)
    try:
        table: dict[str, Any] = json.loads(text)
        metadata = {str(k): str(v) for k, v in table.pop("__metadata__", {}).items()}
        tensors = {k: Entry(v["dtype"], tuple(v["shape"])) for k, v in table.items()}
        end = max((v["data_offsets"][1] for v in table.values()), default=0)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise FlipbookError(
            Problem(
                f"{path.name} begins like a .safetensors file, but its table cannot be read; get it anew."
            )
        ) from error
    if 8 + length + end > size:
        raise FlipbookError(Problem(_truncated(path, size, 8 + length + end)))
    return Header(path, tensors, metadata)


def _foreign(path: Path, front: bytes, size: int) -> str:
    """Sentence about a file that is no safetensors file."""
    if size == 0:
        return f"{path.name} is empty; get it anew."
    if front.startswith((b"PK", b"\x80")):
        return (
            f"{path.name} is a pickled torch file, which may run foreign code; "
            "use its .safetensors version, or convert it in the WebUI's Checkpoint Merger tab."
        )
    if front.lstrip().lower().startswith((b"<!doctyp", b"<html")):
        return f"{path.name} is a web page, not weights: the download did not work; get it anew."
    if front.startswith(b"version "):
        return f"{path.name} is a Git LFS pointer, not the weights themselves; run `git lfs pull`."
    return f"{path.name} is no .safetensors file."


def _truncated(path: Path, size: int, expected: int) -> str:
    return f"{path.name} is cut off: it has {size:,} bytes and should have {expected:,}; get it anew."
