"""Generated pages: settings of every kind, and the tables of imported formats."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lib_anim.kinds.keyframed.deforum.reference_page import keys_page, with_tables
from lib_anim.settings.base import Settings
from lib_anim.settings.reference import reference

COMMAND = "python -m lib_anim reference docs/reference"
"""The command that writes the pages."""
GUIDE = "coming-from-deforum.md"
"""A handwritten page whose tables are generated."""


def pages(kinds: Mapping[str, type[Settings]]) -> dict[str, str]:
    """File name → text of every reference page."""
    note = f"<!-- Written by `{COMMAND}`; do not edit. -->\n"
    texts = {f"{name}.md": reference(cls) for name, cls in kinds.items()} | {"deforum-keys.md": keys_page()}
    return {name: text.replace("\n", f"\n\n{note}", 1) for name, text in texts.items()}


def write_reference(folder: Path, kinds: Mapping[str, type[Settings]]) -> list[Path]:
    """Writes the stale pages of a folder and the tables of the guide beside it, and says which."""
    changed = stale_pages(folder, kinds)
    for path in changed:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_expected(folder, kinds)[path], encoding="utf-8", newline="\n")
    return changed


def stale_pages(folder: Path, kinds: Mapping[str, type[Settings]]) -> list[Path]:
    """The files that are missing or differ from what would be written."""
    expected = _expected(folder, kinds)
    return [path for path, text in expected.items() if not path.exists() or path.read_text("utf-8") != text]


def _expected(folder: Path, kinds: Mapping[str, type[Settings]]) -> dict[Path, str]:
    expected = {folder / name: text for name, text in pages(kinds).items()}
    guide = folder.parent / GUIDE
    if guide.exists():
        expected[guide] = with_tables(guide.read_text("utf-8"))
    return expected
