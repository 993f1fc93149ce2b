"""Tables for the guide to coming from Deforum, and the reference page of Deforum's keys."""

from __future__ import annotations

import inspect
import json

from lib_anim.kinds.keyframed.deforum.keys import FORGE_ROWS, ROWS, UNIT_ROWS, WRITTEN_BY_RUNS, Key
from lib_anim.kinds.keyframed.deforum.migrations import MIGRATIONS
from lib_anim.kinds.keyframed.deforum.refusals import REFUSALS
from lib_anim.kinds.keyframed.settings import Keyframed
from lib_anim.settings.base import specs
from lib_anim.settings.reference import markdown_table


def migrations_table() -> str:
    """Every migration by name, in the order in which they run."""
    rows = ((f"`{name}`", inspect.getdoc(change) or "") for name, change in MIGRATIONS.items())
    return markdown_table(("migration", "what it does"), rows)


def refusals_table() -> str:
    """Every feature that is refused where its key switches it on."""
    rows = ((f"`{refusal.key}`", refusal.feature, refusal.way) for refusal in REFUSALS)
    return markdown_table(("key", "asks for", "the way out"), rows)


def keys_page() -> str:
    """The reference page of every key: default, type, and what becomes of it."""
    lines = ["# Keys of Deforum's settings files", ""]
    lines += ["What becomes of each key when a Deforum file is read as settings of `keyframed`.", ""]
    groups = (
        ("sd-webui-deforum", ROWS),
        ("ControlNet units: `cn_1_…`, `cn_2_…` and so on", UNIT_ROWS),
        ("Written by runs", WRITTEN_BY_RUNS),
        ("sd-forge-deforum", FORGE_ROWS),
    )
    for title, rows in groups:
        prefix = "cn_{i}_" if rows is UNIT_ROWS else ""
        cells = ((f"`{prefix}{key.name}`", key.kind, _shown(key.default), _fate(key, prefix)) for key in rows)
        lines += [f"## {title}", "", markdown_table(("key", "type", "default", "becomes"), cells)]
    return "\n".join(lines)


def _fate(key: Key, prefix: str) -> str:
    refusals = [refusal for refusal in REFUSALS if refusal.key == prefix + key.name]
    words = [f"`{key.field}` ({specs(Keyframed)[key.field].label})"] if key.field else []
    words += [f"refused where it asks for {refusal.feature}" for refusal in refusals]
    if key.kept:
        words.append(f"kept without effect: {key.kept}" if not key.field else key.kept)
    elif not key.field:
        words.append("kept while it is off")
    return "; ".join(words)


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return f"`{text}`" if value not in ("", {}) else ""
