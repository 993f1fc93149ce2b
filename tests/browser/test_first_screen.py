"""What everybody sees first."""

from __future__ import annotations

from typing import Any

from tests.browser.conftest import TAB, Tab

CONTROLS = f"""(kind) => {{
    const controls = ['input', 'textarea', 'select', 'button'].map((tag) => '{TAB}root ' + tag).join();
    const inside = document.querySelectorAll(controls);
    const together = new Set();
    return [...inside].filter((element) => {{
        if (element.offsetParent === null || element.disabled) return false;
        if (element.closest('.tab-nav, .tab-container, [role=tablist], .label-wrap')) return false;
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


def test_ctrl_enter_generates_and_escape_interrupts(tab: Tab, studio: Any) -> None:
    studio.engines.allow(2)
    tab.field("prompts").focus()
    tab.page.keyboard.type("dusk")
    tab.page.keyboard.press("Control+Enter")
    stage = tab.stage("running")
    # Both have been painted: the engine waits before the third, so the film cannot end at once.
    stage.locator(".flipbook-count").get_by_text("2", exact=True).wait_for()
    tab.page.keyboard.press("Escape")
    stage.get_by_text("Stopping after this frame").wait_for()
    studio.engines.allow(None)
    tab.stage("cancelled")
    assert studio.services.jobs.all(limit=1)[0].settings["prompts"] == "dusk"


def test_every_control_has_a_tooltip_with_what_it_takes(tab: Tab) -> None:
    width = tab.page.locator(f"{TAB}keyframed_width").get_attribute("title")
    assert width == "Width of the film. Takes a whole number, 64 to 8192, a multiple of 8. Unit: px."
    without = tab.page.evaluate(
        "Object.entries(flipbook.data.kinds.keyframed.fields).filter(([name]) =>"
        " document.getElementById(`flipbook_tab_keyframed_${name}`)?.title === '').map(([name]) => name)"
    )
    assert without == []


def test_a_picture_s_parameters_are_read_when_pasted_among_the_prompts(tab: Tab) -> None:
    text = (
        "a red house\nNegative prompt: blurry\nSteps: 12, Sampler: Euler, CFG scale: 5, Seed: 9, Size: 128x64"
    )
    tab.field("prompts").evaluate(
        """(area, text) => {
            const data = new DataTransfer();
            data.setData('text', text);
            const options = {clipboardData: data, bubbles: true, cancelable: true};
            area.dispatchEvent(new ClipboardEvent('paste', options));
        }""",
        text,
    )
    tab.page.wait_for_function(
        f"document.querySelector('{TAB}keyframed_prompts textarea').value === 'a red house'"
    )
    assert tab.field("negative").input_value() == "blurry"
    assert tab.field("width").input_value() == "128"
    assert tab.field("frames").input_value() == "6"
    tab.page.wait_for_function("flipbook.forms.keyframed.shown.steps === '0:(12)'")


def test_dark_and_light_fit_into_1280_pixels(tab: Tab, studio: Any) -> None:
    for theme in ("dark", "light"):
        tab.page.goto(f"{studio.url}?__theme={theme}")
        tab.page.wait_for_function("window.flipbook && flipbook.data && flipbook.polled")
        beyond = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert tab.page.evaluate(beyond) <= 0
        colours = tab.page.locator(f"{TAB}keyframed_zoom canvas").evaluate(
            "(c) => [getComputedStyle(c).color, getComputedStyle(document.body).backgroundColor]"
        )
        assert colours[0] != colours[1]


def test_nothing_in_the_column_of_the_result_is_squeezed(tab: Tab) -> None:
    page = tab.page
    page.set_viewport_size({"width": 1280, "height": 700})
    tab.render()
    tab.film()
    page.locator(f"{TAB}keyframed_looks_accordion .label-wrap").click()
    page.locator(f"{TAB}presets .label-wrap").click()
    page.locator(f"{TAB}preset_import").wait_for()
    # Gradio opens an accordion in steps.
    page.wait_for_timeout(500)
    squeezed = page.evaluate(
        """[...document.querySelectorAll('.flipbook-result > *')].filter((part) => part.offsetParent)
            .map((part) => [part.id, part.scrollHeight - part.clientHeight])
            .filter(([, beyond]) => beyond > 4)"""
    )
    assert squeezed == []
    column = page.locator(".flipbook-result")
    assert column.evaluate("(c) => c.scrollHeight > c.clientHeight && c.clientHeight <= innerHeight")
