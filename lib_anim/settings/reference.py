"""The reference pages of all settings, written from their definitions."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from pathlib import Path

from lib_anim.kinds.keyframed.deforum.reference_page import keys_page, with_tables
from lib_anim.settings.base import Settings, specs
from lib_anim.settings.fields import Spec

COMMAND = "python -m lib_anim reference docs/reference"
"""What writes the pages anew."""
GUIDE = "coming-from-deforum.md"
"""A page written by hand, but for its tables."""


def reference(cls: type[Settings]) -> str:
    """The page of one kind in Markdown: a table for each group of settings."""
    summary = (cls.__doc__ or "").strip().splitlines()[0]
    lines = [f"# Settings of `{cls.kind}`", "", summary]
    default = cls()
    for group, rows in itertools.groupby(specs(cls).items(), key=lambda item: item[1].group):
        lines += [
            "",
            f"## {group or 'Settings'}",
            "",
            "| name | label | what it does | takes | default | unit |",
        ]
        lines.append("|---|---|---|---|---|---|")
        lines += [_row(name, spec, getattr(default, name)) for name, spec in rows]
    return "\n".join(lines) + "\n"


def _row(name: str, spec: Spec, default: object) -> str:
    shown = json.dumps(spec.to_json(default), ensure_ascii=False)
    cells = [f"`{name}`", spec.label, spec.help, spec.allowed(), f"`{shown}`", spec.unit]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


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
