"""Read tensor names of torch files of any age without torch and without executing pickles."""

from __future__ import annotations

import io
import pickletools
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

STRINGS = frozenset({"BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "UNICODE"})
OLD_PICKLES = 4
"""What torch before 1.6 wrote in a row: a number, a version, the machine, the table itself."""
MOST_BYTES = 64_000_000
"""Of a table; a checkpoint's has less than one million."""


def table_in(archive: zipfile.ZipFile) -> str | None:
    """The entry with the table of a zip file by `torch.save`; None for other zip files."""
    return next((name for name in archive.namelist() if name.split("/")[1:] == ["data.pkl"]), None)


def names_in(path: Path) -> tuple[str, ...]:
    """Every string in the table of a torch file, keys of tensors among them.

    The pickle's instructions are listed, not followed. Of a damaged file those before the damage.
    """
    names: list[str] = []
    try:
        for pickle in _tables(path):
            for code, value, _ in pickletools.genops(pickle):
                if code.name in STRINGS and isinstance(value, str):
                    names.append(value)
    # pickletools raises many kinds of errors where instructions break off.
    except Exception:
        return tuple(names)
    return tuple(names)


def _tables(path: Path) -> Iterator[BinaryIO]:
    """Streams that stand at the beginning of a pickle."""
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            for _ in range(OLD_PICKLES):
                yield file
        return
    with zipfile.ZipFile(path) as archive:
        entry = table_in(archive)
        if entry is not None and archive.getinfo(entry).file_size <= MOST_BYTES:
            yield io.BytesIO(archive.read(entry))
