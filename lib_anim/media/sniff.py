"""Detect media files by their first bytes."""

from __future__ import annotations

from pathlib import Path

HEAD = 64
"""Bytes that are looked at."""

SUFFIXES = {
    **dict.fromkeys(("png", "apng"), "png"),
    **dict.fromkeys(("jpg", "jpeg"), "jpg"),
    **dict.fromkeys(("tif", "tiff"), "tif"),
    **dict.fromkeys(("mp4", "mov", "m4v", "m4a", "3gp", "3g2", "qt"), "mp4"),
    **dict.fromkeys(("mkv", "webm", "mka"), "mkv"),
    **dict.fromkeys(("ogg", "oga", "ogv", "opus"), "ogg"),
    **dict.fromkeys(("ts", "mts", "m2ts"), "ts"),
    **dict.fromkeys(("mpg", "mpeg", "vob"), "mpg"),
    **dict.fromkeys(("asf", "wmv", "wma"), "asf"),
    **dict.fromkeys(("aif", "aiff"), "aif"),
    **{name: name for name in ("gif", "webp", "bmp", "avi", "flv", "wav", "mp3", "aac", "flac", "mxf")},
}
"""Ending of a media file → the ending that `sniff` gives for such."""


def sniff(head: bytes) -> str | None:
    """The ending for a file that begins like this (one of SUFFIXES' values); None when it is not a media."""
    for magic, suffix in _MAGIC:
        if head.startswith(magic):
            return suffix
    if head[:4] in (b"RIFF", b"RF64"):
        return {b"WEBP": "webp", b"AVI ": "avi", b"WAVE": "wav"}.get(head[8:12])
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
        return "mp4"
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "aif"
    if head[:1] == b"\x47" or head[4:5] == b"\x47":
        return "ts"
    # The frame sync of MPEG audio: eleven bits set; layer 0 is AAC's.
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        return "aac" if head[1] & 0x06 == 0 else "mp3"
    return None


def sniff_file(path: Path) -> str | None:
    """As `sniff`, of a file. Raises OSError."""
    with path.open("rb") as file:
        return sniff(file.read(HEAD))


_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpg"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"BM", "bmp"),
    (b"II*\0", "tif"),
    (b"MM\0*", "tif"),
    (b"\x1a\x45\xdf\xa3", "mkv"),
    (b"OggS", "ogg"),
    (b"fLaC", "flac"),
    (b"ID3", "mp3"),
    (b"FLV\x01", "flv"),
    (b"\x00\x00\x01\xba", "mpg"),
    (b"\x00\x00\x01\xb3", "mpg"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"),
    (b"\x06\x0e\x2b\x34\x02\x05\x01\x01", "mxf"),
)
