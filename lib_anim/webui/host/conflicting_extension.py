"""Finds the older AnimateDiff extension, because only one of the two may act."""

from __future__ import annotations

from pathlib import Path

from modules import extensions


def enabled_conflicting_extension() -> str | None:
    """The folder name of an enabled extension that carries sd-webui-animatediff's script, else None.

    Told by its file, since people clone under names of their own.
    """
    for extension in extensions.active():
        if (Path(extension.path) / "scripts" / "animatediff.py").is_file():
            return str(extension.name)
    return None
