"""The reference pages of all settings, written from their definitions."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from pathlib import Path

from lib_anim.settings.base import Settings, specs
from lib_anim.settings.fields import Spec

COMMAND = "python -m lib_anim reference docs/reference"
"""What writes the pages anew."""


def reference(cls: type[Settings]) -> str:
    """The page of one kind in Markdown: a table for each group of settings."""
    summary = (cls.__doc__ or "").strip().splitlines()[0]
    lines = [f"# Settings of `{cls.kind}`", "", f"<!-- Written by `{COMMAND}`; do not edit. -->", "", summary]
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
    return {f"{name}.md": reference(cls) for name, cls in kinds.items()}


def write_reference(folder: Path, kinds: Mapping[str, type[Settings]]) -> list[Path]:
    """Writes the pages that are missing or stale into a folder, and says which."""
    folder.mkdir(parents=True, exist_ok=True)
    changed = stale_pages(folder, kinds)
    for path in changed:
        path.write_text(pages(kinds)[path.name], encoding="utf-8", newline="\n")
    return changed


def stale_pages(folder: Path, kinds: Mapping[str, type[Settings]]) -> list[Path]:
    """The pages of a folder that are missing or differ from what would be written."""
    expected = {folder / name: text for name, text in pages(kinds).items()}
    return [path for path, text in expected.items() if not path.exists() or path.read_text("utf-8") != text]
