"""Films on the tab: while they render, when they are stopped, and when they are there."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.browser.conftest import TAB, Tab


def test_interrupt_and_resume(tab: Tab, studio: Any) -> None:
    studio.engines.allow(3)
    tab.generate()
    stage = tab.stage("running")
    # All three have been painted: the engine waits before the fourth.
    tab.page.wait_for_function(f"document.querySelector('{TAB}stage .flipbook-count')?.textContent === '3'")
    assert "of 6" in stage.locator(".flipbook-line").inner_text()
    stage.locator("img.flipbook-live").wait_for()
    tab.page.locator(f"{TAB}interrupt").click()
    stage.get_by_text("Stopping after this frame").wait_for()
    studio.engines.allow(1)
    stage = tab.stage("cancelled")
    assert tab.film()["duration"] < 0.9
    studio.engines.allow(None)
    tab.page.locator(f"{TAB}resume").click()
    tab.stage("done")
    tab.page.wait_for_function(f"document.querySelector('{TAB}stage video')?.duration > 0.95")
    (job,) = studio.services.jobs.all(limit=1)
    assert (job.status, job.frames_done) == ("done", 6)


def test_a_reloaded_page_and_a_second_browser_show_the_same(tab: Tab, studio: Any, chromium: Any) -> None:
    studio.engines.allow(2)
    tab.write(prompts="0: dawn\n3: dusk", zoom="0:(1), 5:(1.2")
    tab.generate()
    tab.problem("zoom").filter(has_text="never closed").wait_for()
    tab.write(zoom="0:(1), 5:(1.2)")
    tab.page.wait_for_function(
        "!flipbook.forms.keyframed.curveProblems.zoom && !flipbook.forms.keyframed.problems.zoom"
    )
    tab.generate()
    tab.stage("running")
    tab.write(zoom="0:(1), 5:(half typed")
    tab.problem("zoom").filter(has_text="zoom").wait_for()
    tab.page.wait_for_function("!flipbook.forms.keyframed.keeping")
    second = chromium.new_page(viewport={"width": 1280, "height": 900})
    try:
        second.goto(studio.url)
        tab.page.reload()
        for page in (tab.page, second):
            page.locator(f"{TAB}stage[data-status=running]").wait_for()
            page.wait_for_function(
                f"document.querySelector('{TAB}stage .flipbook-count')?.textContent === '2'"
            )
            shown = Tab(page)
            page.wait_for_function(
                f"document.querySelector('{TAB}keyframed_zoom textarea').value === '0:(1), 5:(half typed'"
            )
            assert shown.field("prompts").input_value() == "0: dawn\n3: dusk"
            assert shown.field("frames").input_value() == "6"
            shown.problem("zoom").filter(has_text="zoom").wait_for()
        studio.engines.allow(None)
        for page in (tab.page, second):
            page.locator(f"{TAB}stage[data-status=done]").wait_for()
            assert Tab(page).film()["duration"] > 0.95
            # Who has seen it being made sees it play; a page that comes later leaves that to a click.
            page.wait_for_function(f"document.querySelector('{TAB}stage video').currentTime > 0")
        tab.page.reload()
        tab.film()
        tab.page.wait_for_function(f"document.querySelector('{TAB}stage video').readyState >= 2")
        assert tab.page.locator(f"{TAB}stage video").evaluate("(v) => [v.paused, v.currentTime]") == [True, 0]
    finally:
        second.close()


def test_films_wait_for_each_other_and_change_places(tab: Tab, studio: Any) -> None:
    studio.engines.allow(1)
    for seed in ("one", "two", "three"):
        tab.write(prompts=seed)
        tab.generate()
        tab.page.wait_for_function(
            "(count) => flipbook.jobs.filter((j) => /queued|running/.test(j.status)).length === count",
            arg=("one", "two", "three").index(seed) + 1,
        )
    rows = tab.page.locator(f"{TAB}runs .flipbook-is-queued")
    rows.nth(1).wait_for()
    rows.nth(1).get_by_role("button", name="Earlier").click()
    tab.page.wait_for_function(
        "(id) => flipbook.jobs.filter((j) => j.status === 'queued')[0].id === id",
        arg=rows.nth(1).get_attribute("data-job"),
    )
    waiting = studio.services.jobs.all(("queued",))
    assert [job.settings["prompts"] for job in waiting] == ["three", "two"]
    rows.nth(1).get_by_role("button", name="Interrupt").click()
    tab.page.wait_for_function("flipbook.jobs.filter((j) => j.status === 'queued').length === 1")
    assert [job.settings["prompts"] for job in studio.services.jobs.all(("queued",))] == ["three"]


def test_motion_preview_shows_the_camera_and_paints_nothing(tab: Tab, studio: Any) -> None:
    before = len(studio.services.jobs.all())
    tab.write(frames=12, fps=6, zoom="0:(1.1)")
    tab.page.locator(f"{TAB}keyframed_preview").click()
    tab.stage("preview")
    assert tab.film()["duration"] == 2
    assert len(studio.services.jobs.all()) == before


def test_beside_a_preview_nothing_is_said_of_a_finished_film(tab: Tab) -> None:
    tab.render()
    stage, settings = tab.page.locator(f"{TAB}stage"), tab.page.locator(f"{TAB}use_settings")
    settings.wait_for()
    tab.page.locator(f"{TAB}keyframed_preview").click()
    tab.film()
    assert stage.locator(".flipbook-status").inner_text() == "Motion preview"
    assert stage.locator(".flipbook-outputs button").count() == 0
    stage.locator(".flipbook-close").click()
    settings.wait_for()
    assert stage.locator(".flipbook-status").inner_text() == "Done"


def test_a_film_that_begins_closes_the_preview(tab: Tab, studio: Any) -> None:
    studio.engines.allow(2)
    tab.page.locator(f"{TAB}keyframed_preview").click()
    tab.stage("preview")
    tab.film()
    tab.generate()
    tab.stage("running").locator("img.flipbook-live").wait_for()
    tab.page.locator(f"{TAB}interrupt").click()
    studio.engines.allow(1)
    tab.stage("cancelled")
    tab.page.locator(f"{TAB}keyframed_preview").click()
    tab.stage("preview")
    tab.film()
    tab.page.locator(f"{TAB}resume").click()
    tab.stage("running")


def test_looks_before_the_long_run(tab: Tab, studio: Any) -> None:
    tab.write(frames=21, prompts="spring", width=128, height=128)
    tab.page.locator(f"{TAB}keyframed_looks .label-wrap").click()
    for button, frames, size in (("every10", 3, 128), ("half", 21, 64)):
        tab.page.locator(f"{TAB}keyframed_{button}").click()
        tab.page.wait_for_function(
            "(n) => flipbook.jobs[0]?.frames === n && flipbook.jobs[0]?.status === 'done'", arg=frames
        )
        (job,) = studio.services.jobs.all(limit=1)
        assert Image.open(studio.services.jobs.frame(job.id, 0)).size == (size, size)
    tab.field("frame").fill("7")
    tab.page.locator(f"{TAB}keyframed_this_frame").click()
    tab.page.wait_for_function(
        "flipbook.jobs[0]?.task?.trial?.only === 7 && flipbook.jobs[0].status === 'done'"
    )
    tab.field("frame").fill("21")
    tab.page.locator(f"{TAB}keyframed_this_frame").click()
    tab.page.locator(f"{TAB}keyframed_notice").get_by_text("21").wait_for()


def test_contact_sheet_and_film_take_turns(tab: Tab) -> None:
    tab.render()
    tab.film()
    switch = tab.page.locator(f"{TAB}sheet_or_film")
    switch.click()
    sheet = tab.page.locator(f"{TAB}stage img.flipbook-sheet")
    tab.page.wait_for_function("(i) => i.complete && i.naturalWidth > 200", arg=sheet.element_handle())
    switch.click()
    tab.film()


def frames_of(studio: Any, id: str) -> list[Any]:
    return [
        np.asarray(Image.open(studio.services.jobs.frame(id, n)))
        for n in range(studio.services.jobs.get(id).frames)
    ]


def test_repeat_a_film_from_its_file(tab: Tab, studio: Any, tmp_path: Any) -> None:
    tab.write(prompts="0: dawn\n3: dusk", zoom="0:(1), 5:(1.2)", strength="0:(0.5)")
    job = studio.services.jobs.get(tab.render())
    film = tmp_path / "somebody's film.mp4"
    film.write_bytes(studio.services.jobs.film(job.id).read_bytes())
    tab.write(prompts="something else", zoom="0:(1)", strength="0:(0.9)", frames=9)
    tab.page.wait_for_function(
        "!flipbook.forms.keyframed.keeping && flipbook.forms.keyframed.shown.frames == 9"
    )
    drop(tab.page, f"{TAB}stage", film)
    tab.page.wait_for_function(
        f"document.querySelector('{TAB}keyframed_zoom textarea').value === '0:(1), 5:(1.2)'"
    )
    assert tab.field("frames").input_value() == "6"
    tab.page.wait_for_function("!flipbook.forms.keyframed.keeping")
    again = studio.services.jobs.get(tab.render())
    assert again.settings == job.settings | {"seed": again.settings["seed"]}
    assert again.settings["seed"] != -1
    for one, other in zip(frames_of(studio, job.id), frames_of(studio, again.id), strict=True):
        np.testing.assert_array_equal(one, other)


def drop(page: Any, selector: str, file: Any) -> None:
    """Drops a file on an element, as from the desktop."""
    import base64

    page.evaluate(
        """([selector, name, data]) => {
            const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], name));
            const options = {dataTransfer: transfer, bubbles: true, cancelable: true};
            document.querySelector(selector).dispatchEvent(new DragEvent('drop', options));
        }""",
        [selector, file.name, base64.b64encode(file.read_bytes()).decode()],
    )


DEFORUM = {"max_frames": 12, "W": 512, "H": 256, "zoom": "0: (1.04)", "animation_mode": "2D"}


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("old film.txt", DEFORUM),
        ("old film.JSON", DEFORUM),
        ("film 映画.json", {"kind": "keyframed", "frames": 12, "zoom": "0: (1.04)", "height": 256}),
        ("FILM.TXT", {"kind": "keyframed", "frames": 12, "zoom": "0: (1.04)", "height": 256}),
        ("preset.json", {"kind": "keyframed", "settings": {"frames": 12, "zoom": "0:(1.04)", "height": 256}}),
    ],
)
def test_a_settings_file_dropped_on_the_tab_fills_the_form(
    tab: Tab, tmp_path: Any, name: str, settings: Any
) -> None:
    tab.write(zoom="0:(1)", frames=9)
    tab.page.wait_for_function("!flipbook.forms.keyframed.keeping")
    file = tmp_path / name
    file.write_text(json.dumps(settings), "utf-8-sig")
    drop(tab.page, f"{TAB}stage", file)
    tab.page.wait_for_function(
        f"document.querySelector('{TAB}keyframed_zoom textarea').value.replace(' ', '') === '0:(1.04)'"
    )
    tab.page.wait_for_function(f"document.querySelector('{TAB}keyframed_frames input').value === '12'")
    assert tab.field("height").input_value() == "256"
    assert tab.page.evaluate("flipbook.forms.keyframed.general") == []


def test_a_settings_file_of_another_kind_opens_that_kind(tab: Tab, tmp_path: Any) -> None:
    file = tmp_path / "another.json"
    file.write_text(json.dumps({"kind": "restyle", "denoising": "0:(0.31)"}))
    drop(tab.page, f"{TAB}stage", file)
    tab.field("denoising", "restyle").wait_for()
    tab.page.wait_for_function(
        f"document.querySelector('{TAB}restyle_denoising textarea').value === '0:(0.31)'"
    )


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("notes.txt", "{milk,\neggs", '"notes.txt" is not valid JSON in line 1'),
        ("broken off.json", '{"zoom": "0:(1)",\n', '"broken off.json" is not valid JSON in line 2'),
        ("list.json", "[1, 2]", '"list.json" contains no JSON object of settings'),
        ("other.json", '{"kind": "keyframed", "milk": 2}', "milk"),
        ("picture.dat", "milk", "is not a film, sound or picture"),
    ],
)
def test_a_dropped_file_without_settings_is_told(
    tab: Tab, tmp_path: Any, name: str, text: str, sentence: str
) -> None:
    file = tmp_path / name
    file.write_text(text)
    drop(tab.page, f"{TAB}stage", file)
    tab.page.locator(f"{TAB}keyframed_notice").get_by_text(sentence).wait_for()


def test_a_picture_dropped_on_its_field_is_shown_and_painted_over(
    tab: Tab, studio: Any, tmp_path: Any
) -> None:
    picture = tmp_path / "mein bild 映画.png"
    Image.fromarray(np.full((64, 96, 3), (200, 40, 40), np.uint8)).save(picture)
    drop(tab.page, f"{TAB}keyframed_init_image", picture)
    thumbnail = tab.page.locator(f"{TAB}keyframed_init_image .flipbook-thumbnail img")
    thumbnail.wait_for()
    assert "96 × 64" in tab.page.locator(f"{TAB}keyframed_init_image .flipbook-thumbnail").inner_text()
    assert tab.field("init_image").input_value().startswith("upload:")
    tab.write(strength="0:(1)")
    tab.page.wait_for_function("!flipbook.forms.keyframed.keeping")
    job = studio.services.jobs.get(tab.render())
    red, green, _ = frames_of(studio, job.id)[0].reshape(-1, 3).mean(0)
    assert red - green > 60
