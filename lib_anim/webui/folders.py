"""Where Flipbook keeps what it makes in the WebUI."""

from __future__ import annotations

from pathlib import Path

from modules import paths, shared


def home() -> Path:
    """The folder given by `--flipbook-dir`, else `flipbook` in the WebUI's data directory. Not made here."""
    given = getattr(shared.cmd_opts, "flipbook_dir", None)
    return Path(given) if given else Path(paths.data_path) / "flipbook"
