"""Text inside media files: settings as JSON in a film's comment, or in a sidecar file."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from xml.sax.saxutils import escape, unescape

from lib_anim.errors import FlipbookError, Problem
from lib_anim.media.container import local_file, open_input
from lib_anim.media.pictures import open_picture, read_text

LONGEST = 8 * 1024 * 1024
"""Most bytes of text that are written to or read from one file."""

LONGEST_EXIF = 1 << 20
"""Bytes of text that are also written as EXIF."""

_KEY = "comment"
_WEBUI_KEY = "parameters"
"""The PNG entry in which the WebUI looks for a picture's parameters."""
_PNG = b"\x89PNG\r\n\x1a\n"
_XMP_HEAD = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:description>'
)
_XMP_TAIL = "</dc:description></rdf:Description></rdf:RDF></x:xmpmeta>"


def check_length(text: str) -> bytes:
    """The text as UTF-8. Raises FlipbookError when it is too long for a file's comment."""
    data = text.encode("utf-8")
    if len(data) > LONGEST:
        raise FlipbookError(
            Problem(
                f"{len(data)} bytes of text are more than the {LONGEST} a film carries.",
                "comment",
                code="media.comment_too_long",
            )
        )
    return data


def embed(source: Path, target: Path, text: str) -> None:
    """Copy a GIF, APNG or WebP file with the text inside: comment block, iTXt entry or XMP."""
    data = check_length(text)
    with source.open("rb") as old, target.open("wb") as new:
        head = old.read(12)
        old.seek(0)
        if not data:
            _copy(old, new)
        elif head[:3] == b"GIF":
            _embed_gif(old, new, data)
        elif head[:8] == _PNG:
            _embed_png(old, new, data)
        else:
            _embed_webp(old, new, text, source)


def _copy(old: BinaryIO, new: BinaryIO) -> None:
    while block := old.read(1 << 20):
        new.write(block)


def _embed_gif(old: BinaryIO, new: BinaryIO, data: bytes) -> None:
    """After the header and its palette, in blocks of 255 bytes (GIF89a, section 24)."""
    head = old.read(13)
    new.write(head)
    if head[10] & 0x80:
        new.write(old.read(3 << ((head[10] & 7) + 1)))
    new.write(b"\x21\xfe")
    for at in range(0, len(data), 255):
        block = data[at : at + 255]
        new.write(bytes([len(block)]) + block)
    new.write(b"\0")
    _copy(old, new)


def _embed_png(old: BinaryIO, new: BinaryIO, data: bytes) -> None:
    """After the header chunk, uncompressed (PNG, section 11.3.3.4); once more where the WebUI looks."""
    new.write(old.read(8 + 25))
    for key in (_KEY, _WEBUI_KEY):
        body = b"iTXt" + key.encode() + b"\0\0\0\0\0" + data
        new.write(struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body)))
    _copy(old, new)


def _embed_webp(old: BinaryIO, new: BinaryIO, text: str, file: Path) -> None:
    """At the end, with flags in the VP8X chunk (WebP container, "Extended file format"): EXIF, where the
    WebUI looks, and XMP, which holds any length."""
    exif = _exif(text)
    xmp = (_XMP_HEAD + escape(text) + _XMP_TAIL).encode("utf-8")
    chunks = [(b"XMP ", xmp)] if exif is None else [(b"EXIF", exif), (b"XMP ", xmp)]
    tail = b"".join(
        kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for kind, data in chunks
    )
    # The size counts all behind the file's first eight bytes.
    size = os.fstat(old.fileno()).st_size - 8 + len(tail)
    head = bytearray(old.read(30))
    if head[12:16] != b"VP8X":
        head[12:12] = _webp_extension(head, file)
        size += 18
    head[20] |= 0x04 if exif is None else 0x0C
    head[4:8] = struct.pack("<I", size)
    new.write(head)
    _copy(old, new)
    new.write(tail)


def _exif(text: str) -> bytes | None:
    """An EXIF block whose UserComment is the text in UTF-16 (EXIF 2.32, tag 0x9286), as the WebUI writes it.

    None for what is longer than readers of pictures take.
    """
    data = b"UNICODE\0" + text.encode("utf-16-be", "surrogatepass")
    if len(data) > LONGEST_EXIF:
        return None
    # One directory that points to EXIF's own, which holds one entry: tag, type, length, place.
    first = struct.pack(">HHHIII", 1, 0x8769, 4, 1, 26, 0)
    second = struct.pack(">HHHIII", 1, 0x9286, 7, len(data), 44, 0)
    return b"MM\0*" + struct.pack(">I", 8) + first + second + data


def _webp_extension(head: bytes | bytearray, file: Path) -> bytes:
    """The VP8X chunk that a WebP file of one picture lacks: XMP, transparency and size."""
    with open_picture(file) as image:
        width, height = image.size
    transparent = head[12:16] == b"VP8L" and head[24] & 0x10
    flags = 0x04 | (0x10 if transparent else 0)
    sizes = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"VP8X" + struct.pack("<II", 10, flags) + sizes


def read_comment(path: Path | str) -> str:
    """The text that a film, animation or folder of pictures carries, else an empty string."""
    place = Path(path)
    side = sidecar(place)
    if place.is_dir() or side.is_file():
        return side.read_bytes().decode("utf-8", "replace") if side.is_file() else ""
    file = local_file(place)
    with file.open("rb") as data:
        head = data.read(12)
        if head[:3] == b"GIF":
            return _read_gif(data)
        if head[:4] == b"RIFF" and head[8:] == b"WEBP":
            return _read_webp(data)
    if head[:8] == _PNG:
        return read_text(file).get(_KEY, "")
    with open_input(file) as container:
        tags = {key.lower(): value for key, value in container.metadata.items()}
    return tags.get(_KEY, "")


def sidecar(path: Path) -> Path:
    """The sidecar of a file that holds no text: `NAME.json` next to it, or `settings.json` in a folder."""
    return path / "settings.json" if path.is_dir() else path.with_name(path.name + ".json")


def _read_gif(data: BinaryIO) -> str:
    data.seek(10)
    flags = data.read(1)[0]
    data.seek(13 + ((3 << ((flags & 7) + 1)) if flags & 0x80 else 0))
    while (kind := data.read(2)) and kind[:1] == b"\x21":
        blocks = b"".join(_gif_blocks(data))
        if kind == b"\x21\xfe":
            return blocks.decode("utf-8", "replace")
    return ""


def _gif_blocks(data: BinaryIO) -> Iterator[bytes]:
    total = 0
    while (size := data.read(1)) and size != b"\0" and total <= LONGEST:
        total += size[0]
        yield data.read(size[0])


def _read_webp(data: BinaryIO) -> str:
    data.seek(12)
    while len(head := data.read(8)) == 8:
        size = struct.unpack("<I", head[4:])[0]
        if head[:4] == b"XMP " and size <= 2 * LONGEST:
            text = data.read(size).decode("utf-8", "replace")
            begin, found, rest = text.partition("<dc:description>")
            return unescape(rest.partition("</dc:description>")[0]) if found and begin else ""
        data.seek(size + size % 2, os.SEEK_CUR)
    return ""
