"""Tensor names and shapes of a weights file of any format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lib_anim.models.header import Header, is_archive, read_header


@dataclass(frozen=True)
class Table:
    """Names, shapes and free-form metadata of a file of weights."""

    name: str
    """The file's name."""
    shapes: Mapping[str, tuple[int, ...]]
    metadata: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, header: Header) -> Table:
        """The table in a .safetensors file's header."""
        shapes = {key: entry.shape for key, entry in header.tensors.items()}
        return cls(header.path.name, shapes, header.metadata)


def read_table(path: Path) -> Table:
    """The table of a .safetensors file or a torch archive. Raises NotFound, FlipbookError."""
    if not is_archive(path):
        return Table.of(read_header(path))
    # torch is loaded for its own format only; a .safetensors file is known without it.
    from lib_anim.models.archive import read_archive

    return Table(path.name, {key: tuple(value.shape) for key, value in read_archive(path).items()})
