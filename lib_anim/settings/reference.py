"""The reference page of a kind's settings in Markdown, generated from their definitions."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable

from lib_anim.settings.base import Settings, specs
from lib_anim.settings.fields import Spec


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


def markdown_table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A table in Markdown."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += [
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in rows
    ]
    return "\n".join(lines) + "\n"
