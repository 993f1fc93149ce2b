"""The Animation tab inside a real WebUI, in a real browser, painted by the WebUI."""

from __future__ import annotations

import io
import json
import os
import shutil
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.browser.conftest import TAB, Tab
from tests.webui.running import REPOSITORY, WebUI
from tests.webui.test_host import open_page, open_tab, reload_ui

pytestmark = [pytest.mark.webui, pytest.mark.timeout(900)]

SMALL = {"frames": 3, "fps": 3, "width": 64, "height": 64, "prompts": "a red house, autumn"}
"""A film that a random checkpoint paints in seconds."""


@pytest.fixture(scope="module")
def webui(request: pytest.FixtureRequest) -> Iterator[WebUI]:
    """A WebUI with the extension and a script that has controls of its own."""
    if os.environ.get("WEBUI_URL"):
        yield WebUI(os.environ["WEBUI_URL"])
        return
    own = request.getfixturevalue("start_webui")("with a script")
    own.add_extension("flipbook")
    door = own.data / "extensions" / "tab_door"
    shutil.copytree(Path(__file__).with_name("tab_door"), door)
    (door / "localizations").mkdir()
    words = json.loads((REPOSITORY / "docs/reference/localization.json").read_text("utf-8"))
    (door / "localizations" / "fake.json").write_text(
        json.dumps({text: f"¡{text}!" for text in words}), encoding="utf-8"
    )
    own.start()
    yield own
    own.stop()
    assert "*** Error" not in own.log
    assert "Traceback" not in own.log


@pytest.fixture
def tab(webui: Any, page: Any) -> Tab:
    """The tab, opened, with a small film of two steps in the form."""
    page.set_default_timeout(60_000)
    open_page(page, webui.url)
    open_tab(page, "Animation")
    page.wait_for_function("window.flipbook && flipbook.data && flipbook.polled")
    page.wait_for_function("Object.values(flipbook.forms).every((form) => form.estimate !== undefined)")
    tab = Tab(page)
    tab.write(**SMALL)
    page.locator(f"{TAB}keyframed_group_painting .label-wrap").click()
    tab.write(steps="0:(2)")
    page.wait_for_function(
        "!flipbook.forms.keyframed.keeping && flipbook.forms.keyframed.shown.steps === '0:(2)'"
    )
    return tab


def finished(page: Any, since: str | None) -> dict[str, Any]:
    """The job that was made after job `since`, once it has ended."""
    page.wait_for_function(
        "(id) => flipbook.jobs[0] && flipbook.jobs[0].id !== id && !flipbook.busy()",
        arg=since,
        timeout=300_000,
    )
    return page.evaluate("flipbook.jobs[0]")


def newest(page: Any) -> str | None:
    return page.evaluate("flipbook.jobs[0] ? flipbook.jobs[0].id : null")


def test_a_film_is_painted_by_the_webui_and_plays(tab: Tab) -> None:
    before = newest(tab.page)
    tab.generate()
    job = finished(tab.page, before)
    assert (job["status"], job["engine"].split(":")[0]) == ("done", "webui"), job["error"]
    assert tab.film()["duration"] == pytest.approx(1, abs=0.05)
    tab.page.locator(f"{TAB}stage video").evaluate("(video) => video.play()")
    tab.page.wait_for_function(f"document.querySelector('{TAB}stage video').currentTime > 0.2")


def test_a_reloaded_page_shows_the_same(tab: Tab, webui: Any) -> None:
    before = newest(tab.page)
    with tab.page.expect_response(
        lambda answer: answer.url.endswith("/run/predict") and "2:(1.5" in (answer.request.post_data or "")
    ):
        tab.write(zoom="0:(1), 2:(1.5")
    tab.problem("zoom").filter(has_text="never closed").wait_for()
    tab.page.reload()
    open_tab(tab.page, "Animation")
    tab.page.wait_for_function(
        f"document.querySelector('{TAB}keyframed_zoom textarea').value === '0:(1), 2:(1.5'"
    )
    tab.problem("zoom").filter(has_text="never closed").wait_for()
    tab.page.wait_for_function("flipbook.polled")
    assert newest(tab.page) == before
    tab.write(zoom="0:(1)")
    tab.page.wait_for_function("!flipbook.forms.keyframed.problems.zoom && !flipbook.forms.keyframed.keeping")


def test_the_result_stays_in_sight_while_one_scrolls(tab: Tab) -> None:
    tab.page.evaluate("window.scrollTo(0, 700)")
    tab.page.wait_for_function("window.scrollY > 300")
    top = tab.page.locator(".flipbook-result").evaluate("(column) => column.getBoundingClientRect().top")
    assert 0 <= top < 20
    tab.page.evaluate("window.scrollTo(0, 0)")


def test_samplers_and_checkpoints_are_the_hosts(tab: Tab, webui: Any) -> None:
    _, samplers = webui.request("/sdapi/v1/samplers")
    tab.page.locator(f"{TAB}keyframed_sampler input").first.click()
    offered = tab.page.locator(f"{TAB}keyframed_sampler li").all_inner_texts()
    assert {sampler["name"] for sampler in samplers} <= {name.strip("✓ \n") for name in offered}


def test_a_result_of_txt2img_becomes_the_init_image(tab: Tab, webui: Any) -> None:
    page = tab.page
    open_tab(page, "txt2img")
    for field in ("width", "height"):
        page.locator(f"#txt2img_{field} input[type=number]").fill("64")
    page.locator("#txt2img_steps input[type=number]").fill("1")
    page.locator("#txt2img_generate").click()
    page.locator("#txt2img_gallery img").first.wait_for(state="visible")
    page.locator("#image_buttons_txt2img .flipbook-send").click()
    page.locator(f"{TAB}keyframed_init_image .flipbook-thumbnail img").wait_for()
    assert page.locator(f"{TAB}keyframed_init_image").is_visible()
    assert tab.field("init_image").input_value().startswith("upload:")
    assert "64 × 64" in page.locator(f"{TAB}keyframed_init_image .flipbook-thumbnail").inner_text()
    tab.write(init_image="")
    page.wait_for_function("!flipbook.forms.keyframed.keeping")


def test_a_frame_goes_to_img2img(tab: Tab) -> None:
    page = tab.page
    # The page is that of the tests before it, one of which leaves a wrong schedule and one a picture.
    tab.write(zoom="0:(1)", init_image="")
    page.wait_for_function(
        "!flipbook.forms.keyframed.keeping && !Object.keys(flipbook.forms.keyframed.problems).length"
    )
    before = newest(page)
    tab.generate()
    assert finished(page, before)["status"] == "done"
    page.get_by_role("button", name="Send frame to img2img").click()
    picture = page.locator("#img2img_image img").first
    picture.wait_for()
    assert picture.evaluate("(i) => [i.naturalWidth, i.naturalHeight]") == [64, 64]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_reaches_beyond_the_page(tab: Tab, webui: Any, theme: str, tmp_path: Any) -> None:
    tab.page.goto(f"{webui.url}/?__theme={theme}")
    open_tab(tab.page, "Animation")
    tab.page.locator(f"{TAB}keyframed_generate").wait_for()
    wide = tab.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0
    tab.page.screenshot(path=str(tmp_path / f"{theme}.png"))


def test_other_tabs_keep_their_own_scripts(tab: Tab) -> None:
    """What the tab draws of scripts has ids of its own: every ControlNet or other id is where it was."""
    doubles = tab.page.evaluate(
        "(() => { const seen = {};"
        " document.querySelectorAll('[id^=flipbook_tab_], [id*=tint]').forEach((e) => {"
        " seen[e.id] = (seen[e.id] || 0) + 1; }); return Object.keys(seen).filter((id) => seen[id] > 1); })()"
    )
    assert doubles == []


def pixels(webui: WebUI, job: str, frame: int) -> np.ndarray:
    with urllib.request.urlopen(f"{webui.url}/flipbook/v1/jobs/{job}/frames/{frame}") as answer:
        return np.asarray(Image.open(io.BytesIO(answer.read())).convert("RGB"))


def assert_tinted(picture: np.ndarray, colour: tuple[int, int, int]) -> None:
    """One colour everywhere, but for the last bit where what was painted comes so near that it is kept."""
    assert np.abs(picture.astype(int) - colour).max() <= 1


def test_a_scripts_own_controls_reach_every_frame_and_no_other_tab(
    tab: Tab, webui: WebUI, tmp_path: Path
) -> None:
    page = tab.page
    before_all = webui.still(width=64, height=64, steps=1)
    red = tmp_path / "red.png"
    Image.new("RGB", (8, 8), (200, 40, 0)).save(red)
    page.locator(f"{TAB}scripts > .label-wrap").click()
    page.locator(f"{TAB}scripts_img2img_tint_enabled input").check()
    page.locator(f"{TAB}scripts_img2img_tint_picture input[type=file]").set_input_files(str(red))
    page.locator(f"{TAB}scripts_img2img_tint_picture img").first.wait_for()
    before = newest(page)
    tab.generate()
    job = finished(page, before)
    assert job["status"] == "done", job["error"]
    for frame in range(3):
        assert_tinted(pixels(webui, job["id"], frame), (100, 20, 0))
    _, details = webui.request(f"/flipbook/v1/jobs/{job['id']}")
    enabled, strength, picture = details["settings"]["scripts"]["Tint"]
    assert (enabled, strength) == (True, 0.5)
    assert picture.startswith("data:image/png;base64,")
    np.testing.assert_array_equal(webui.still(width=64, height=64, steps=1), before_all)
    # Another film from these settings, by the API alone, is the same.
    status, answer = webui.request(
        "/flipbook/v1/jobs",
        {"kind": "keyframed", "settings": details["settings"], "engine": details["engine"]},
    )
    assert status < 300, answer
    again = finished(page, job["id"])
    assert again["status"] == "done", again["errors"]
    assert_tinted(pixels(webui, again["id"], 2), (100, 20, 0))


def test_scripts_controls_outlive_a_reload_and_reach_the_film(tab: Tab, webui: WebUI, tmp_path: Path) -> None:
    page = tab.page
    blue = tmp_path / "blue.png"
    Image.new("RGB", (8, 8), (0, 40, 200)).save(blue)
    page.locator(f"{TAB}scripts > .label-wrap").click()
    page.locator(f"{TAB}scripts_img2img_tint_enabled input").check()
    page.locator(f"{TAB}scripts_img2img_tint_strength input[type=number]").fill("1")
    clear = page.locator(f"{TAB}scripts_img2img_tint_picture button[aria-label=Clear]")
    if clear.count():
        clear.click()
    page.locator(f"{TAB}scripts_img2img_tint_picture input[type=file]").set_input_files(str(blue))
    page.locator(f"{TAB}scripts_img2img_tint_picture img").first.wait_for()
    fold = page.locator(f"{TAB}scripts_img2img_fold")
    switch = fold.locator("input.input-accordion-checkbox")
    # Opening it switches it on.
    fold.locator(".label-wrap").click()
    page.wait_for_function("(e) => e.checked", arg=switch.element_handle())
    echo = page.locator(f"{TAB}scripts_img2img_fold_echo input[type=number]")
    page.wait_for_function("(e) => e.value === '7'", arg=echo.element_handle())
    with page.expect_request(lambda asked: 'Fold/Echo#1\\":2' in (asked.post_data or "")):
        echo.fill("2")
    open_tab(page, "img2img")
    # The accordion of the other tab is its own.
    assert not page.locator("#img2img_fold input.input-accordion-checkbox").is_checked()
    page.reload()
    open_tab(page, "Animation")
    page.wait_for_function("window.flipbook && flipbook.polled && flipbook.panel.kept")
    page.locator(f"{TAB}scripts > .label-wrap").click()
    page.locator(f"{TAB}scripts_img2img_tint_picture img").first.wait_for()
    page.wait_for_function("(e) => e.checked", arg=switch.element_handle())
    page.wait_for_function("(e) => e.value === '2'", arg=echo.element_handle())
    before = newest(page)
    tab.generate()
    job = finished(page, before)
    assert job["status"] == "done", job["errors"]
    assert_tinted(pixels(webui, job["id"], 1), (0, 40, 200))
    _, details = webui.request(f"/flipbook/v1/jobs/{job['id']}")
    assert details["settings"]["scripts"]["Fold"] == [True, 4, 2]
    page.locator(f"{TAB}scripts_img2img_tint_enabled input").uncheck()
    switch.uncheck()
    page.wait_for_function("flipbook.panel.shown['Tint/Enable tint#1'] === false")


def test_a_translation_is_seen_on_the_tab(tab: Tab, webui: Any) -> None:
    if not hasattr(webui, "starts"):
        pytest.skip("needs a WebUI whose output can be read: WEBUI_ROOT")
    page = tab.page
    webui.request("/sdapi/v1/options", {"localization": "fake"})
    try:
        reload_ui(page, webui)
        open_tab(page, "¡Animation!")
        page.wait_for_function("window.flipbook && flipbook.data && flipbook.polled")
        for text in (
            "Generate",
            "Keyframed animation",
            "Prompts",
            "Width",
            "Motion: camera, borders, cadence",
        ):
            page.locator("#tab_flipbook").get_by_text(f"¡{text}!", exact=True).first.wait_for()
        before = newest(page)
        tab.generate()
        assert finished(page, before)["status"] == "done"
        tab.film()
        # Drawn by the page's scripts: buttons, headings, tooltips.
        for text in ("Runs and queue", "Use its settings", "Run folder"):
            page.locator("#tab_flipbook").get_by_text(f"¡{text}!", exact=True).first.wait_for()
        assert page.locator(f"{TAB}keyframed_width").get_attribute("title").startswith("¡Width of the film.")
    finally:
        webui.request("/sdapi/v1/options", {"localization": "None"})
