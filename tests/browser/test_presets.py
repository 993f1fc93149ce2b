"""Presets on the tab."""

from __future__ import annotations

import json
from typing import Any

from tests.browser.conftest import TAB, Tab


def open_presets(tab: Tab) -> Any:
    page = tab.page
    page.locator(f"{TAB}presets .label-wrap").click()
    page.locator(f"{TAB}preset").wait_for()
    return page


def names(page: Any) -> list[str]:
    return page.locator(f"{TAB}preset option").all_inner_texts()


def test_save_load_rename_delete(tab: Tab, studio: Any) -> None:
    page = open_presets(tab)
    tab.write(prompts="dawn", zoom="0:(1.5)", frames=9)
    page.wait_for_function("flipbook.forms.keyframed.shown.zoom === '0:(1.5)'")
    page.locator(f"{TAB}preset_name").fill("mein Flug 映画")
    page.locator(f"{TAB}preset_save").click()
    page.get_by_text("Saved", exact=True).wait_for()
    assert studio.services.presets.get("mein Flug 映画").settings["zoom"] == "0:(1.5)"
    tab.write(prompts="dusk", zoom="0:(1)", frames=5)
    page.wait_for_function("flipbook.forms.keyframed.shown.frames == 5")

    page.locator(f"{TAB}preset_part").select_option("motion")
    page.locator(f"{TAB}preset_load").click()
    page.wait_for_function(f"document.querySelector('{TAB}keyframed_zoom textarea').value === '0:(1.5)'")
    assert tab.field("prompts").input_value() == "dusk"
    assert tab.field("frames").input_value() == "5"

    page.locator(f"{TAB}preset_part").select_option("whole")
    page.locator(f"{TAB}preset_load").click()
    page.wait_for_function(f"document.querySelector('{TAB}keyframed_prompts textarea').value === 'dawn'")
    assert tab.field("frames").input_value() == "9"

    page.locator(f"{TAB}preset_name").fill("anders")
    page.locator(f"{TAB}preset_rename").click()
    page.wait_for_function("flipbook.presets.some((p) => p.name === 'anders')")
    assert "mein Flug 映画" not in names(page)
    page.locator(f"{TAB}preset_delete").click()
    page.get_by_text("Deleted", exact=True).wait_for()
    assert "anders" not in names(page)


def test_shipped_presets_load_and_cannot_be_deleted(tab: Tab) -> None:
    page = open_presets(tab)
    page.locator(f"{TAB}preset").select_option("Flight, calm")
    assert page.locator(f"{TAB}preset_delete").is_disabled()
    before = tab.field("strength").input_value()
    page.locator(f"{TAB}preset_load").click()
    page.wait_for_function(
        f"(before) => document.querySelector('{TAB}keyframed_strength textarea').value !== before", arg=before
    )


def test_export_and_import(tab: Tab, tmp_path: Any) -> None:
    page = open_presets(tab)
    tab.write(zoom="0:(1.25)")
    page.wait_for_function("flipbook.forms.keyframed.shown.zoom === '0:(1.25)'")
    page.locator(f"{TAB}preset_name").fill("exported")
    page.locator(f"{TAB}preset_save").click()
    page.get_by_text("Saved", exact=True).wait_for()
    with page.expect_download() as download:
        page.locator(f"{TAB}preset_export").click()
    file = tmp_path / "exported.json"
    download.value.save_as(file)
    assert json.loads(file.read_text("utf-8"))["settings"]["zoom"] == "0:(1.25)"
    page.locator(f"{TAB}preset_delete").click()
    page.get_by_text("Deleted", exact=True).wait_for()
    page.locator(f"{TAB}preset_file").set_input_files(file)
    page.wait_for_function("flipbook.presets.some((p) => p.name === 'exported')")


def test_an_imported_preset_of_another_kind_is_shown_where_it_belongs(tab: Tab, tmp_path: Any) -> None:
    page = open_presets(tab)
    page.locator(f"{TAB}preset").select_option("Flight, calm")
    file = tmp_path / "loop.json"
    file.write_text(json.dumps({"kind": "assemble", "name": "my loop", "settings": {"loop": 3}}))
    page.locator(f"{TAB}preset_file").set_input_files(file)
    page.wait_for_function(f"document.querySelector('{TAB}preset')?.value === 'my loop'")
    assert page.evaluate("flipbook.kind()") == "assemble"
    page.locator(f"{TAB}preset_load").click()
    page.wait_for_function("flipbook.forms.assemble.shown.loop == 3")
    page.evaluate("flipbook.openKind('keyframed')")
    page.wait_for_function(f"document.querySelector('{TAB}preset')?.value === 'Flight, calm'")


def test_a_deforum_file_becomes_a_preset(tab: Tab, tmp_path: Any, studio: Any) -> None:
    page = open_presets(tab)
    file = tmp_path / "old film.txt"
    file.write_text(
        json.dumps({"max_frames": 12, "W": 512, "H": 256, "zoom": "0: (1.04)", "animation_mode": "2D"})
    )
    page.locator(f"{TAB}preset_file").set_input_files(file)
    page.get_by_text("Imported; Load brings it into the form", exact=True).wait_for()
    assert tab.field("frames").input_value() == "6"
    page.locator(f"{TAB}preset").select_option("old film")
    page.locator(f"{TAB}preset_load").click()
    page.wait_for_function(f"document.querySelector('{TAB}keyframed_frames input').value === '12'")
    assert tab.field("height").input_value() == "256"


def test_what_is_wrong_is_told(tab: Tab) -> None:
    page = open_presets(tab)
    page.locator(f"{TAB}preset_name").fill("n" * 200)
    page.locator(f"{TAB}preset_save").click()
    page.locator(f"{TAB}presets_panel .flipbook-problem").filter(has_text="80").wait_for()
