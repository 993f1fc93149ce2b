"""Generated documentation: settings, Deforum's keys, problem codes, tables in handwritten pages."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import lib_anim
from lib_anim.kinds.keyframed.deforum.reference_page import keys_page, migrations_table, refusals_table
from lib_anim.settings.base import Settings
from lib_anim.settings.reference import markdown_table, reference
from lib_anim.timeline.easings import EASINGS

COMMAND = "python -m lib_anim reference docs/reference"
"""The command that writes the pages."""

_TABLE = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end of table -->)", re.DOTALL)


def easings_table() -> str:
    """Every easing of the timeline language."""
    rows = ((f"`{easing.name}`", easing.formula) for easing in EASINGS.values())
    return markdown_table(("easing", "value between two keys"), rows)


TABLES: Mapping[str, Callable[[], str]] = {
    "migrations": migrations_table,
    "refusals": refusals_table,
    "easings": easings_table,
}
"""Name in a page's markers `<!-- table: NAME -->` … `<!-- end of table -->` → the table's text."""


def with_tables(page: str) -> str:
    """A page with every table between its markers generated."""
    return _TABLE.sub(lambda found: f"{found[1]}\n{TABLES[found[2]]()}\n{found[3]}", page)


def codes_page() -> str:
    """The reference page of problem codes: each with the messages that carry it, read from the source."""
    messages: defaultdict[str, set[str]] = defaultdict(set)
    for path in sorted(Path(lib_anim.__file__).parent.rglob("*.py")):
        for code, message in _coded(ast.parse(path.read_text("utf-8"))):
            messages[code].add(message)
    ordered = sorted(messages.items())
    rows = ((f"`{code}`", "; ".join(sorted(filter(None, texts)))) for code, texts in ordered)
    head = (
        "# Problem codes\n\nThe `code` of each problem in the JSON of the API and the command line. Codes "
        "are stable; messages may change. `…` stands for a value.\n\n"
    )
    return head + markdown_table(("code", "messages"), rows)


def _coded(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """(code, message template) of every `Problem(…, code="…")`."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or getattr(node.func, "id", "") != "Problem":
            continue
        code = next((keyword.value for keyword in node.keywords if keyword.arg == "code"), None)
        if isinstance(code, ast.Constant):
            yield str(code.value), _template(node.args[0]) if node.args else ""


def _template(node: ast.AST) -> str:
    """The text of a string or f-string with `…` for its values; empty for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
    return ""


def pages(kinds: Mapping[str, type[Settings]]) -> dict[str, str]:
    """File name → text of every generated page."""
    note = f"<!-- Written by `{COMMAND}`; do not edit. -->\n"
    texts = {f"{name}.md": reference(cls) for name, cls in kinds.items()}
    texts |= {"deforum-keys.md": keys_page(), "problem-codes.md": codes_page()}
    return {name: text.replace("\n", f"\n\n{note}", 1) for name, text in texts.items()}


def write_reference(folder: Path, kinds: Mapping[str, type[Settings]]) -> list[Path]:
    """Write the outdated pages of `folder`, and the generated tables in all pages around it; returns them."""
    changed = stale_pages(folder, kinds)
    expected = _expected(folder, kinds)
    for path in changed:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(expected[path], encoding="utf-8", newline="\n")
    return changed


def stale_pages(folder: Path, kinds: Mapping[str, type[Settings]]) -> list[Path]:
    """The files that are missing or differ from what would be written."""
    expected = _expected(folder, kinds)
    return [path for path, text in expected.items() if not path.exists() or path.read_text("utf-8") != text]


def _expected(folder: Path, kinds: Mapping[str, type[Settings]]) -> dict[Path, str]:
    expected = {folder / name: text for name, text in pages(kinds).items()}
    for page in sorted(folder.parent.rglob("*.md")):
        text = page.read_text("utf-8")
        if page not in expected and _TABLE.search(text):
            expected[page] = with_tables(text)
    return expected
