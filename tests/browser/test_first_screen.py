"""What everybody sees first."""

from __future__ import annotations

from typing import Any

from tests.browser.conftest import TAB

CONTROLS = f"""(kind) => {{
    const controls = ['input', 'textarea', 'select', 'button'].map((tag) => '{TAB}root ' + tag).join();
    const inside = document.querySelectorAll(controls);
    const together = new Set();
    return [...inside].filter((element) => {{
        if (element.offsetParent === null || element.disabled) return false;
        if (element.closest('.tab-nav, [role=tablist], .label-wrap')) return false;
        const many = ['range', 'number', 'radio', 'checkbox'].includes(element.type);
        const group = many && element.closest('[id^=flipbook_]');
        if (group && together.has(group)) return false;
        if (group) together.add(group);
        return true;
    }}).map((element) => (element.closest('[id^=flipbook_]') || element).id + ' ' + element.tagName);
}}"""


def test_the_first_screen_of_every_kind_has_at_most_twelve_controls(open_tab: Any) -> None:
    page = open_tab()
    kinds = page.evaluate("Object.keys(flipbook.data.kinds)")
    assert {"keyframed", "assemble"} <= set(kinds)
    for kind in kinds:
        page.evaluate("(kind) => flipbook.openKind(kind)", kind)
        page.locator(f"{TAB}{kind}_generate").wait_for(state="visible")
        page.wait_for_function("(kind) => flipbook.kind() === kind", arg=kind)
        found = page.evaluate(CONTROLS, kind)
        assert 3 <= len(found) <= 12, found
