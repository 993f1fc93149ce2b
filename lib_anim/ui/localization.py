"""Template of the WebUI's localisation files with every text of the tab."""

from __future__ import annotations

import json
from pathlib import Path

from lib_anim.actions.queries import kind_facts
from lib_anim.actions.settings_files import settings_of
from lib_anim.ui import texts as words
from lib_anim.ui.fields import fields_of, words_of

NAME = "localization.json"


def template() -> dict[str, str]:
    """Text → itself, in the order in which people meet them; a translator changes the values."""
    texts = [
        words.TITLE,
        *(kind["title"] for kind in kind_facts()),
        *words.VIEWS,
        *words.GROUPS.values(),
        *words.PAGE.values(),
    ]
    for cls in [settings_of(kind["kind"]) for kind in kind_facts()]:
        for spec in fields_of(cls).values():
            texts += [spec.label, words_of(spec), words.GROUPS.get(spec.group, spec.group)]
    return {text: text for text in texts if text}


def write(folder: Path) -> list[Path]:
    """Writes the template where it is stale, and says so."""
    found = stale(folder)
    for path in found:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_text(), encoding="utf-8", newline="\n")
    return found


def stale(folder: Path) -> list[Path]:
    """The template's file, if it is missing or differs from what would be written."""
    path = folder / NAME
    return [] if path.exists() and path.read_text("utf-8") == _text() else [path]


def _text() -> str:
    return json.dumps(template(), ensure_ascii=False, indent=1) + "\n"
