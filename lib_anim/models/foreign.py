"""Describe a file that is not the expected .safetensors file, by its first bytes."""

from __future__ import annotations

import zipfile
from pathlib import Path

from lib_anim.models.detect import detect
from lib_anim.models.pickled import names_in, table_in

FRONTS: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"RIFF", "a WebP picture or an AVI or WAV file"),
    (b"\x1aE\xdf\xa3", "a Matroska or WebM film"),
    (b"%PDF", "a PDF document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"GGUF", "a GGUF file of quantised weights"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
)
"""First bytes of formats that end up among weights."""

SHOWN = 40
"""Letters of a text that a sentence shows."""


def foreign(path: Path) -> str:
    """A sentence about a file that is no .safetensors file, with what to do about it."""
    with path.open("rb") as file:
        front = file.read(512)
    name = path.name
    if not front:
        return f"{name} is empty; download it again."
    if front.startswith(b"PK"):
        return _zipped(path)
    if front.startswith(b"\x80"):
        return _pickled(path)
    if front.startswith(b"version https://git-lfs"):
        return f"{name} is a Git LFS pointer, not the weights themselves; run `git lfs pull`."
    if front.lstrip().lower().startswith((b"<!doctyp", b"<html", b"<?xml", b"<head")):
        return f"{name} is a web page, not weights: the download did not work; download it again."
    what = next((what for start, what in FRONTS if front.startswith(start)), None)
    if what is None and front[4:8] == b"ftyp":
        what = "an MP4 film"
    if what is not None:
        return f"{name} is {what}, not weights; a .safetensors file is expected here."
    text = _text(front)
    if text is not None:
        return (
            f'{name} is a text that begins with "{text}", not weights; download the .safetensors file again.'
        )
    return f"{name} is no .safetensors file and of no format that is known here; download it again."


def _pickled(path: Path) -> str:
    what = detect(names_in(path))
    is_ = f"{path.name} is {what} as a pickled torch file" if what else f"{path.name} is a pickled torch file"
    return (
        f"{is_}, which may run foreign code; "
        "use its .safetensors version, or convert it in the WebUI's Checkpoint Merger tab."
    )


def _zipped(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            if table_in(archive) is not None:
                return _pickled(path)
            entries = archive.namelist()
    except (zipfile.BadZipFile, OSError):
        return f"{path.name} is a truncated or damaged zip archive or torch file; download it again."
    first = f' that begins with "{entries[0]}"' if entries else ""
    return f"{path.name} is a zip archive{first}, not weights; unpack it and use the .safetensors file in it."


def _text(front: bytes) -> str | None:
    """The beginning of a text on one line; None for other bytes."""
    try:
        # A letter of several bytes may be cut at the end.
        text = front.decode("utf-8", "ignore" if len(front) == 512 else "strict")
    except UnicodeDecodeError:
        return None
    if not all(letter.isprintable() or letter.isspace() for letter in text):
        return None
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else line[:SHOWN] + "…"
