"""Detects the extension sd-webui-animatediff, because only one of the two may be active."""

from __future__ import annotations

from pathlib import Path

from modules import extensions


def enabled_conflicting_extension() -> str | None:
    """The folder name of an enabled extension that contains sd-webui-animatediff's script, else None.

    Detected by the script file, because folder names are arbitrary.
    """
    for extension in extensions.active():
        if (Path(extension.path) / "scripts" / "animatediff.py").is_file():
            return str(extension.name)
    return None
