"""The extension inside a real WebUI."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

TABS = "#tabs > .tab-nav button"
STAND_IN = """
import gradio as gr
from modules import scripts

class StandIn(scripts.Script):
    def title(self):
        return "AnimateDiff"

    def show(self, is_img2img):
        return scripts.AlwaysVisible

    def ui(self, is_img2img):
        with gr.Accordion("AnimateDiff", open=False):
            return [gr.State(None)]

    def process(self, p, request):
        p.extra_generation_params["Received by stand-in"] = str(request)
"""
"""A script in the old extension's place that says what it received."""

# A session's first tests start whole WebUIs, which takes minutes where the machine is busy.
pytestmark = [pytest.mark.webui, pytest.mark.timeout(900)]


def open_page(page: Any, url: str) -> None:
    """Opens the WebUI and waits until its page is drawn and has asked for everything it asks for at first."""
    page.goto(url)
    page.wait_for_selector("#txt2img_generate", state="visible", timeout=60_000)
    page.wait_for_load_state("networkidle")


def open_tab(page: Any, name: str) -> None:
    """Clicks the tab of this exact name."""
    page.locator(TABS).get_by_text(name, exact=True).click()


def assert_drawn_once(page: Any, folder: Path) -> None:
    """One tab, one accordion in txt2img and in img2img, each readable; pictures of them go into `folder`."""
    assert page.locator(TABS).all_inner_texts().count("Animation") == 1
    open_tab(page, "Animation")
    page.locator("#flipbook_tab_keyframed_generate").wait_for(state="visible")
    page.screenshot(path=str(folder / "tab.png"))
    for mode in ("txt2img", "img2img"):
        open_tab(page, mode)
        accordion = page.locator(f"#flipbook_{mode}_animatediff")
        assert accordion.count() == 1
        accordion.locator(".label-wrap").first.click()
        accordion.get_by_label("Enable AnimateDiff").wait_for(state="visible")
        accordion.scroll_into_view_if_needed()
        page.screenshot(path=str(folder / f"{mode}.png"))


def reload_ui(page: Any, webui: Any) -> None:
    """Presses "Reload UI" in the settings of the open page and opens the page of the new UI.

    The page is left in between: the host may end with an error when its page asks whether it is back while
    it adds its routes, with and without extensions.
    """
    starts = webui.starts()
    open_tab(page, "Settings")
    page.locator("#settings_restart_gradio").click()
    webui.wait_for("Restarting UI...", starts)
    page.goto("about:blank")
    webui.wait_for("Startup time:", starts + 1)
    open_page(page, webui.url)


def assert_same(stills: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    """Every still has the pixels of the expected one."""
    assert stills.keys() == expected.keys()
    for kind, still in stills.items():
        np.testing.assert_array_equal(still, expected[kind], err_msg=kind)


def test_installing_moves_nothing_that_was_there(start_webui: Callable[[str], Any]) -> None:
    fresh = start_webui("installing")
    before = fresh.packages()
    fresh.add_extension("films 映画")
    after = fresh.packages()
    assert {name: after.get(name) for name in before} == before
    assert {"av", "lark"} <= after.keys()


def test_script_stands_in_both_tabs_of_the_api(webui: Any) -> None:
    status, scripts = webui.request("/sdapi/v1/scripts")
    assert status == 200
    assert scripts["txt2img"].count("animatediff") == scripts["img2img"].count("animatediff") == 1


def test_stills_equal_those_without_extension(webui: Any, stills_without: dict[str, np.ndarray]) -> None:
    assert_same(webui.stills(), stills_without)


def test_stills_depend_on_what_is_asked(webui: Any) -> None:
    still = webui.still()
    assert not np.array_equal(still, webui.still(prompt="snow"))
    assert not np.array_equal(still, webui.still(seed=8))


@pytest.mark.parametrize(
    ("request_of_film", "refusal", "words"),
    [
        ({"enable": True}, 404, "there is no motion module; put one"),
        ({"enable": True, "video_length": "many"}, 422, "video_length"),
        ({"enable": True, "fsp": 8}, 422, 'the nearest is "fps"'),
    ],
)
def test_request_for_film_is_refused_and_leaves_nothing(
    webui: Any, request_of_film: Any, refusal: int, words: str
) -> None:
    before = webui.still()
    body = {
        "steps": 1,
        "width": 64,
        "height": 64,
        "alwayson_scripts": {"AnimateDiff": {"args": [request_of_film]}},
    }
    status, answer = webui.request("/sdapi/v1/txt2img", body)
    assert status == refusal
    assert words in answer["detail"]
    np.testing.assert_array_equal(webui.still(), before)


@pytest.mark.parametrize("args", [[], [None], [{}], [{"enable": False, "model": "mm_sd_v15_v2.ckpt"}]])
def test_request_with_animatediff_off_is_a_still(webui: Any, args: list[Any]) -> None:
    still = webui.still(alwayson_scripts={"AnimateDiff": {"args": args}})
    np.testing.assert_array_equal(still, webui.still())


def test_page_shows_tab_and_accordions(webui: Any, page: Any, tmp_path: Path) -> None:
    open_page(page, webui.url)
    assert_drawn_once(page, tmp_path)


def test_survives_reload_ui(webui: Any, page: Any, tmp_path: Path) -> None:
    if not hasattr(webui, "log"):
        pytest.skip("needs a WebUI whose output can be read: WEBUI_ROOT")
    before = webui.stills()
    open_page(page, webui.url)
    for _ in range(2):
        reload_ui(page, webui)
    assert_drawn_once(page, tmp_path)
    _, scripts = webui.request("/sdapi/v1/scripts")
    assert scripts["txt2img"].count("animatediff") == scripts["img2img"].count("animatediff") == 1
    assert_same(webui.stills(), before)


def test_still_made_in_the_page(webui: Any, page: Any) -> None:
    open_page(page, webui.url)
    for field in ("width", "height"):
        page.locator(f"#txt2img_{field} input[type=number]").fill("64")
    page.locator("#txt2img_steps input[type=number]").fill("1")
    page.locator("#txt2img_generate").click()
    page.locator("#txt2img_gallery img").first.wait_for(state="visible", timeout=60_000)
    assert "Steps: 1" in page.locator("#html_info_txt2img").first.inner_text()


@pytest.fixture
def webui_with_old_extension(start_webui: Callable[[str], Any]) -> Iterator[Any]:
    """A WebUI in which a stand-in for the old extension is enabled as well."""
    webui = start_webui("with old extension")
    webui.add_extension("flipbook")
    scripts = webui.data / "extensions" / "sd-webui-animatediff" / "scripts"
    scripts.mkdir(parents=True)
    (scripts / "animatediff.py").write_text(STAND_IN, encoding="utf-8")
    webui.start()
    yield webui
    webui.stop()


def test_old_extension_acts_and_the_page_says_so(
    webui_with_old_extension: Any, page: Any, tmp_path: Path
) -> None:
    _, scripts = webui_with_old_extension.request("/sdapi/v1/scripts")
    assert {"animatediff", "animatediff (flipbook)"} <= set(scripts["txt2img"])
    body = {
        "steps": 1,
        "width": 64,
        "height": 64,
        "alwayson_scripts": {"AnimateDiff": {"args": [{"enable": True}]}},
    }
    status, answer = webui_with_old_extension.request("/sdapi/v1/txt2img", body)
    assert status == 200, answer
    received = json.loads(answer["info"])["extra_generation_params"]["Received by stand-in"]
    assert received == "{'enable': True}"
    open_page(page, webui_with_old_extension.url)
    accordion = page.locator("#flipbook_txt2img_animatediff")
    accordion.locator(".label-wrap").click()
    accordion.get_by_text("The extension sd-webui-animatediff is installed and enabled.").wait_for(
        state="visible"
    )
    accordion.scroll_into_view_if_needed()
    page.screenshot(path=str(tmp_path / "old_extension.png"))
