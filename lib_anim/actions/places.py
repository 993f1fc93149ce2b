"""Which files of this machine a caller may name.

On a private host the caller is its owner and may name any media file. On a shared one (it can be reached
from elsewhere) only files below some folders. Everywhere, what is not a media is refused before it is read:
a path is a caller's text, and a server must not be a way to look into files.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lib_anim.errors import FlipbookError, NotFound, Problem
from lib_anim.kinds.registry import find_kind
from lib_anim.media.sniff import SUFFIXES, sniff_file
from lib_anim.settings.base import Settings, specs

NOT_ALLOWED = "is outside the folders that may be read here"
"""The same words for what exists and what does not, so that nobody can ask which files there are."""


@dataclass(frozen=True)
class Places:
    """The folders that may be read. Make a new one for another set."""

    open: bool = True
    """Whether the host is private: every media file may be named."""
    roots: tuple[Path, ...] = ()
    """Folders below which files may be named on a shared host."""
    always: tuple[Path, ...] = field(default=(), repr=False)
    """Flipbook's own: run folders and uploads."""

    def also(self, *folders: Path) -> Places:
        """The same places and Flipbook's own folders."""
        return Places(self.open, self.roots, (*self.always, *folders))

    def check(self, settings: Settings) -> None:
        """Raise FlipbookError for every file that settings name and the caller may not."""
        problems = list(self._problems(settings))
        if problems:
            raise FlipbookError(*problems)

    def _problems(self, settings: Settings) -> Iterator[Problem]:
        for name, spec in specs(type(settings)).items():
            for text in spec.paths(getattr(settings, name)):
                if name in find_kind(settings.kind).written_files:
                    sentence = "only the command line can write this file; leave it empty"
                    yield Problem(sentence, field=name, code="file.not_allowed")
                    continue
                try:
                    self.media(text, name)
                except FlipbookError as error:
                    yield from error.problems

    def media(self, text: str, field: str) -> Path:
        """The real path of a media file or folder that the caller names. Raises NotFound, FlipbookError."""
        path = self.file(text, field)
        if path.is_dir():
            if not self.open:
                _check_inside(path, self._real_roots(), field)
            return path
        suffix = path.suffix.lower().removeprefix(".")
        if suffix not in SUFFIXES:
            raise FlipbookError(
                Problem(
                    f"{_name(text)} has no file extension of a film, sound or picture",
                    field,
                    code="file.wrong_type",
                )
            )
        try:
            known = sniff_file(path)
        except OSError as error:
            raise FlipbookError(
                Problem(f"{_name(text)} cannot be read: {error.strerror}", field, code="file.unreadable")
            ) from error
        if known is None:
            raise FlipbookError(
                Problem(f"{_name(text)} is not a film, sound or picture", field, code="file.wrong_type")
            )
        return path

    def file(self, text: str, field: str) -> Path:
        """The real path of whatever the caller names, if it may be named. Raises NotFound, FlipbookError."""
        try:
            path = Path(text).resolve(strict=False)
            exists = path.exists()
        except (OSError, ValueError, RuntimeError) as error:
            raise FlipbookError(
                Problem(f"{_name(text)} is not a path that can be opened", field, code="file.wrong_type")
            ) from error
        if not self.open and not _below(path, self._real_roots()):
            raise FlipbookError(Problem(f"{_name(text)} {NOT_ALLOWED}", field, code="file.not_allowed"))
        if not exists:
            raise NotFound(Problem(f'there is no file "{text}"', field, code="file.not_found"))
        return path

    def _real_roots(self) -> list[Path]:
        return [root.resolve() for root in (*self.always, *self.roots)]


def _below(path: Path, roots: list[Path]) -> bool:
    return any(path.is_relative_to(root) for root in roots)


def _check_inside(folder: Path, roots: list[Path], field: str) -> None:
    """Raise FlipbookError for a link in the folder that leads out of the roots."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_symlink() and not _below(Path(entry.path).resolve(), roots):
                raise FlipbookError(
                    Problem(f"{entry.name} in that folder {NOT_ALLOWED}", field, code="file.not_allowed")
                )


def _name(text: str) -> str:
    return f'"{text if len(text) <= 80 else text[:77] + "…"}"'
