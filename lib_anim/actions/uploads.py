"""Uploaded media: checked, limited in size, stored under unguessable names."""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from lib_anim.errors import FlipbookError, NotFound, Problem
from lib_anim.media.probe import probe
from lib_anim.media.sniff import HEAD, sniff

LARGEST = 512 * 2**20
"""Bytes of one upload."""

MOST_BYTES = 4 * 2**30
"""Bytes of all uploads together; the oldest that no job needs make room."""

MOST_FRAMES = 200_000
"""Frames of an uploaded film: two hours at 25 frames per second."""

KEPT_DAYS = 7.0
"""Days after which an upload that no job needs is gone."""

ADDRESS = re.compile(r"upload:([A-Za-z0-9_-]{22}\.[a-z0-9]{2,5})")
"""How settings name an upload."""


class TooMuch(FlipbookError):
    """More bytes than are taken."""

    status = 413


class Uploads:
    """One folder of uploads. Safe to call from any thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()

    @contextmanager
    def receive(self) -> Iterator[Receiving]:
        """An upload that comes in pieces; nothing of it stays unless `keep` was called."""
        self.folder.mkdir(parents=True, exist_ok=True)
        part = self.folder / f"{secrets.token_urlsafe(16)}.part"
        try:
            with part.open("wb") as file:
                yield Receiving(self, part, file)
        finally:
            part.unlink(missing_ok=True)

    def keep(self, stream: BinaryIO) -> str:
        """Take a whole stream; returns the address for settings, `upload:ID`. Raises FlipbookError."""
        with self.receive() as receiving:
            while piece := stream.read(1 << 20):
                receiving.write(piece)
            return receiving.keep()

    def path(self, address: str, field: str = "file") -> Path:
        """The file of an address. Raises NotFound."""
        found = ADDRESS.fullmatch(address)
        path = self.folder / found[1] if found else None
        if path is None or not path.is_file():
            sentence = "there is no such upload; uploads are deleted after a week, so send it again"
            raise NotFound(Problem(sentence, field=field, code="upload.not_found"))
        return path

    def tidy(self, needed: Iterable[Path], now: float | None = None) -> None:
        """Delete what is old, and the oldest beyond the room that there is, but for what jobs need."""
        now = time.time() if now is None else now
        keep = {path.name for path in needed}
        with self._lock:
            files = sorted(_ages(self.folder))
            total = sum(size for _, size, _ in files)
            for changed, size, path in files:
                old = now - changed > KEPT_DAYS * 86_400
                if path.name not in keep and (old or total > MOST_BYTES):
                    path.unlink(missing_ok=True)
                    total -= size


class Receiving:
    """An upload on its way."""

    def __init__(self, uploads: Uploads, part: Path, file: BinaryIO) -> None:
        self._uploads, self._part, self._file = uploads, part, file
        self._bytes, self._head = 0, b""
        self._suffix: str | None = None

    def write(self, piece: bytes) -> None:
        """Take a piece. Raises TooMuch, and FlipbookError as soon as it is seen to be no media."""
        self._bytes += len(piece)
        if self._bytes > LARGEST:
            raise TooMuch(
                Problem(f"is larger than {LARGEST >> 20} MiB", field="upload", code="file.too_large")
            )
        if len(self._head) < HEAD:
            self._head += piece[: HEAD - len(self._head)]
            if len(self._head) >= HEAD:
                self._look()
        self._file.write(piece)

    def keep(self) -> str:
        """The address, once everything has come. Raises FlipbookError for what cannot be read."""
        if self._suffix is None:
            self._look()
        self._file.close()
        whole = self._part.with_name(f"{self._part.stem}.{self._suffix}")
        self._part.rename(whole)
        try:
            info = probe(whole)
            if (info.frames or 0) > MOST_FRAMES:
                sentence = f"it has {info.frames} frames, at most {MOST_FRAMES} are allowed; shorten it"
                raise FlipbookError(Problem(sentence, field="upload", code="upload.too_many_frames"))
        except FlipbookError as error:
            whole.unlink(missing_ok=True)
            problems = (
                replace(problem, message=problem.message.replace(whole.name, "it"), field="upload")
                for problem in error.problems
            )
            raise FlipbookError(*problems) from error
        return f"upload:{whole.name}"

    def _look(self) -> None:
        self._suffix = sniff(self._head)
        if self._suffix is None:
            raise FlipbookError(
                Problem("is not a film, sound or picture", field="upload", code="file.wrong_type")
            )


def _ages(folder: Path) -> Iterator[tuple[float, int, Path]]:
    for path in folder.iterdir() if folder.is_dir() else ():
        try:
            facts = path.stat()
        except FileNotFoundError:
            continue
        yield facts.st_mtime, facts.st_size, path
