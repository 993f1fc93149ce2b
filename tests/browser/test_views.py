"""The accordion in a page of its own, without a WebUI, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

expect = pytest.importorskip("playwright.sync_api", reason="needs the WebUI's packages").expect
gradio = pytest.importorskip("gradio", reason="needs the WebUI's packages: make test-tab")
if int(gradio.__version__.split(".")[0]) != 3:
    pytest.skip("needs the WebUI's gradio 3.41: make test-tab", allow_module_level=True)

from lib_anim.media.write import open_sink  # noqa: E402
from lib_anim.ui.toolkit import Toolkit  # noqa: E402
from lib_anim.webui.clip.accordion import Modules, draw_accordion  # noqa: E402

MODULES = Modules(lambda: ["mm.safetensors"], lambda name: "mm.safetensors is a motion module.")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server of one page: the accordion as it stands in txt2img and in img2img."""
    with gradio.Blocks(analytics_enabled=False) as app:
        for place, conflicting in (("txt2img", None), ("img2img", "sd-webui-animatediff")):
            with gradio.Tab(place):
                draw_accordion(Toolkit(place), conflicting, MODULES, img2img=place == "img2img")
    _, local, _ = app.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", show_api=False)
    yield local
    app.close()


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("txt2img", "mm.safetensors is a motion module."),
        ("img2img", "The extension sd-webui-animatediff is installed and enabled."),
    ],
)
def test_accordion_opens(url: str, page: Any, tmp_path: Path, place: str, sentence: str) -> None:
    page.goto(url)
    page.locator(".tab-nav button").get_by_text(place, exact=True).click()
    accordion = page.locator(f"#flipbook_{place}_animatediff")
    text = accordion.get_by_text(sentence)
    assert not text.is_visible()
    accordion.locator(".label-wrap").first.click()
    text.wait_for(state="visible")
    page.screenshot(path=str(tmp_path / "accordion.png"))


def test_an_uploaded_video_fills_frames_and_rate(url: str, page: Any, tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    with open_sink(film, width=64, height=64, rate=Fraction(30000, 1001)) as sink:
        for level in range(7):
            sink.write(np.full((64, 64, 3), 30 * level, np.uint8))
    page.goto(url)
    page.locator(".tab-nav button").get_by_text("txt2img", exact=True).click()
    accordion = page.locator("#flipbook_txt2img_animatediff")
    accordion.locator(".label-wrap").first.click()
    page.locator("#flipbook_txt2img_animatediff_group_source > .label-wrap").click()
    page.locator("#flipbook_txt2img_animatediff_video_source input[type=file]").set_input_files(film)
    fields = "#flipbook_txt2img_animatediff_{}"
    expect(page.locator(f"{fields.format('frames')} input").first).to_have_value("7", timeout=30_000)
    expect(page.locator(f"{fields.format('fps')} :is(input, textarea)").first).to_have_value("30000/1001")
