"""Opens media files for reading: local files only, known containers only, every failure a sentence."""

from __future__ import annotations

from pathlib import Path

import av
import av.error
from av.container import InputContainer
from av.video.stream import VideoStream

from lib_anim.errors import FlipbookError, NotFound, Problem
from lib_anim.media.rates import MAX_FRAMES

DEMUXERS = (
    "mov,mp4,m4a,3gp,3g2,mj2",
    "matroska,webm",
    "avi",
    "mpegts",
    "mpeg",
    "flv",
    "asf",
    "ogg",
    "wav",
    "mp3",
    "aac",
    "flac",
    "aiff",
    "mxf",
)
"""Containers that are opened, by the library's names. Playlists, concatenations, picture patterns and
device inputs are not among them, so a file cannot make the reader open another one."""

_COVER_ART = 0x400

MAX_PIXELS = 8192 * 8192
"""Largest picture that is decoded: one frame of it is 192 MiB as RGB."""


def local_file(path: Path | str, field: str = "file") -> Path:
    """The path of an existing local file. Raises NotFound or FlipbookError in one sentence."""
    name = str(path)
    if "://" in name and not Path(name).exists():
        raise FlipbookError(
            Problem(
                f"{name} is an address; only local files are read. Download it and give the file.",
                field,
                code="file.wrong_type",
            )
        )
    file = Path(path)
    try:
        if file.is_file():
            return file.absolute()
        if file.is_dir():
            raise FlipbookError(
                Problem(f"{name} is a folder; a file is needed here.", field, code="file.wrong_type")
            )
    except (OSError, ValueError) as error:
        raise FlipbookError(
            Problem(f"{name} cannot be opened: {error}.", field, code="media.unreadable")
        ) from error
    raise NotFound(
        Problem(f"{name} does not exist; check the name and the folder.", field, code="file.not_found")
    )


def open_input(path: Path | str, field: str = "file") -> InputContainer:
    """Open a film or a sound file. The caller closes it.

    Only the container formats of `DEMUXERS` and the library's `file` protocol are allowed, also for
    whatever the file refers to. Raises NotFound or FlipbookError naming the file.
    """
    file = local_file(path, field)
    options = {"protocol_whitelist": "file", "format_whitelist": ",".join(DEMUXERS)}
    try:
        return av.open(f"file:{file}", mode="r", container_options=options, metadata_errors="replace")
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise unreadable(file, error, field) from error


def film_stream(container: InputContainer) -> VideoStream | None:
    """The stream that holds the film: the first with pictures that is not a cover art."""
    for stream in container.streams.video:
        # Absent for a codec that the library does not know.
        if stream.codec_context is not None and not int(stream.disposition) & _COVER_ART:
            return stream
    return None


def unreadable(file: Path, error: Exception, field: str = "file") -> FlipbookError:
    """The sentence for a file that no reader could make sense of."""
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return FlipbookError(
        Problem(
            f"{file.name} cannot be read as a film, sound or picture ({reason}); "
            "it is damaged, empty or of a kind that is not supported. "
            "Try exporting it again, as MP4, MOV, WebM or PNG.",
            field,
            code="media.unreadable",
        )
    )


def check_size(file: Path, width: int, height: int, frames: int = 1, field: str = "file") -> None:
    """Refuse pictures and films beyond what can be handled, before anything is decoded."""
    if width < 1 or height < 1 or width * height > MAX_PIXELS:
        raise FlipbookError(
            Problem(
                f"{file.name} is {width} x {height} pixels; at most {MAX_PIXELS} per picture are read. "
                "Scale it down first.",
                field,
                code="media.too_large",
            )
        )
    if frames > MAX_FRAMES:
        raise FlipbookError(
            Problem(
                f"{file.name} has {frames} frames; at most {MAX_FRAMES} are read. Cut it into parts.",
                field,
                code="media.too_large",
            )
        )
