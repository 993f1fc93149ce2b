"""The pages written from the definitions are those that the code would write today."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from lib_anim.actions.reference import COMMAND, pages, stale_pages, with_tables, write_reference
from lib_anim.kinds.keyframed.deforum.keys import ROWS, UNIT_ROWS
from lib_anim.kinds.keyframed.deforum.migrations import MIGRATIONS
from lib_anim.kinds.keyframed.deforum.reference_page import keys_page
from lib_anim.kinds.keyframed.deforum.refusals import REFUSALS
from lib_anim.kinds.keyframed.settings import Keyframed
from lib_anim.kinds.registry import SETTINGS
from lib_anim.settings.base import specs
from lib_anim.settings.fields import Text, setting
from lib_anim.settings.reference import reference

DOCS = Path(__file__).parents[2] / "docs"


def test_no_page_is_stale() -> None:
    stale = stale_pages(DOCS / "reference", SETTINGS)
    assert stale == [], f"run `{COMMAND}`"


def test_every_setting_has_its_row() -> None:
    page = reference(Keyframed)
    for name, spec in specs(Keyframed).items():
        assert f"| `{name}` | {spec.label} |" in page
        assert f"\n## {spec.group}\n" in page


def test_the_guide_names_every_migration_and_refusal() -> None:
    guide = (DOCS / "coming-from" / "deforum.md").read_text("utf-8")
    for name in MIGRATIONS:
        assert f"| `{name}` |" in guide
    for refusal in REFUSALS:
        assert f"| `{refusal.key}` | {refusal.feature} | {refusal.way} |" in guide


def test_the_page_of_keys_has_every_key_and_its_fate() -> None:
    page = keys_page()
    for row in ROWS:
        assert f"| `{row.name}` | {row.kind} |" in page
    for row in UNIT_ROWS:
        assert f"| `cn_{{i}}_{row.name}` |" in page
    assert "| `zoom` | schedule |" in page
    assert "`zoom` (Zoom) |" in page


def test_writing_mends_what_is_stale_and_leaves_the_rest(tmp_path: Path) -> None:
    folder = tmp_path / "docs" / "reference"
    guide = folder.parent / "coming-from-deforum.md"
    assert write_reference(folder, {"keyframed": Keyframed}) == [
        folder / "keyframed.md",
        folder / "deforum-keys.md",
        folder / "problem-codes.md",
    ]
    guide.write_text("# By hand\n\n<!-- table: refusals -->\nold\n<!-- end of table -->\n\nEnd.\n", "utf-8")
    assert stale_pages(folder, {"keyframed": Keyframed}) == [guide]
    assert write_reference(folder, {"keyframed": Keyframed}) == [guide]
    text = guide.read_text("utf-8")
    assert text.startswith("# By hand\n")
    assert text.endswith("\n\nEnd.\n")
    assert "old" not in text
    assert "| `animation_mode` |" in text
    assert with_tables(text) == text
    assert write_reference(folder, {"keyframed": Keyframed}) == []


def test_bars_and_missing_groups_do_not_break_a_table() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Odd(Keyframed):
        """Odd."""

        kind: ClassVar[str] = "odd"
        way: str = setting("a|b", Text(label="Way", help="Left | right."))

    (row,) = (line for line in pages({"odd": Odd})["odd.md"].splitlines() if line.startswith("| `way`"))
    assert row.replace("\\|", "").count("|") == 7
    assert "## Settings" in reference(Odd)
