"""Temporary files, such as previews."""

from __future__ import annotations

import secrets
from pathlib import Path


class Temporary:
    """A folder of which the newest few files stay."""

    def __init__(self, folder: Path, kept: int) -> None:
        self._folder, self._kept = folder, kept

    def new(self, suffix: str) -> Path:
        """The path of a file to be written; older ones than the newest few go."""
        self._folder.mkdir(parents=True, exist_ok=True)
        files = sorted(self._folder.iterdir(), key=_age)
        for path in files[: max(0, len(files) - self._kept + 1)]:
            path.unlink(missing_ok=True)
        return self._folder / f"{secrets.token_urlsafe(12)}{suffix}"


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
