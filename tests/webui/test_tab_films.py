"""Every kind of film from the Animation tab of a real WebUI, and the ways in and out, in a real browser."""

from __future__ import annotations

import shutil
import urllib.request
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from lib_anim.media.write import open_sink
from tests.browser.conftest import TAB, Tab
from tests.browser.test_runs import drop
from tests.webui.running import WebUI
from tests.webui.test_host import open_page, open_tab
from tests.webui.test_tab import finished, newest, pixels

pytestmark = [pytest.mark.webui, pytest.mark.timeout(900)]

SMALL = {"frames": 3, "fps": 3, "width": 64, "height": 64, "prompts": "a red house, autumn"}
"""A film that a random checkpoint paints in seconds."""

TITLES = {
    "keyframed": "Keyframed animation",
    "clip": "Clip (AnimateDiff)",
    "restyle": "Restyle a film",
    "assemble": "Assembly",
}


@pytest.fixture(scope="module")
def opened(clip_host: Any, request: pytest.FixtureRequest) -> Iterator[Tab]:
    """The tab of a WebUI with motion modules, opened once for all: that takes longer than a small film.

    Asks for the browser last, so that none is started where there is no WebUI. A script of Flipbook's that
    fails on the page fails the tests.
    """
    page = request.getfixturevalue("chromium").new_page(viewport={"width": 1280, "height": 900})
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(f"{error}\n{error.stack}"))
    page.set_default_timeout(60_000)
    open_page(page, clip_host.url)
    open_tab(page, "Animation")
    page.wait_for_function("window.flipbook && flipbook.data && flipbook.polled")
    page.wait_for_function("Object.values(flipbook.forms).every((form) => form.estimate !== undefined)")
    yield Tab(page)
    page.close()
    assert not [failure for failure in failures if "/assets/" not in failure]


@pytest.fixture
def tab(opened: Tab) -> Tab:
    """The tab, opened, whatever the test before has looked at."""
    open_tab(opened.page, "Animation")
    return opened


@pytest.fixture
def small(tab: Tab) -> Tab:
    """The tab with a small keyframed film of two steps in the form."""
    open_kind(tab, TITLES["keyframed"])
    tab.write(**SMALL)
    open_group(tab, "keyframed", "painting")
    open_group(tab, "keyframed", "film")
    tab.write(steps="0:(2)")
    return tab


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four frames of coloured blocks, two a second."""
    path = tmp_path_factory.mktemp("video") / "mein film 映画.mp4"
    with open_sink(path, width=64, height=64, rate=Fraction(2)) as sink:
        for number in range(4):
            blocks = np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)
            sink.write(np.kron(blocks, np.ones((8, 8, 1), np.uint8)))
    return path


def open_kind(tab: Tab, title: str) -> None:
    """Clicks the sub-tab of a kind."""
    tab.page.locator(f"{TAB}kinds > .tab-nav button").get_by_text(title, exact=True).click()


def open_group(tab: Tab, kind: str, group: str) -> None:
    """Opens a group of settings, if it is not open."""
    head = tab.page.locator(f"{TAB}{kind}_group_{group} > .label-wrap")
    if "open" not in (head.get_attribute("class") or "").split():
        head.click()


def choose(tab: Tab, kind: str, name: str, file: Path) -> None:
    """Chooses a file on the disk for a field, and waits until the field shows it."""
    place = tab.page.locator(f"{TAB}{kind}_{name}")
    with tab.page.expect_file_chooser() as chooser:
        place.get_by_role("button", name="Choose…").click()
    chooser.value.set_files(str(file))
    place.locator(".flipbook-thumbnail img").wait_for()


def offered(tab: Tab, kind: str, name: str, chosen: str = "") -> list[str]:
    """What a dropdown offers when it is opened; chooses what begins with `chosen`."""
    place = tab.page.locator(f"{TAB}{kind}_{name}")
    place.locator("input").first.click()
    place.locator("li").first.wait_for()
    names = [text.strip("✓ \n") for text in place.locator("li").all_inner_texts()]
    if chosen:
        place.locator("li").get_by_text(chosen).click()
    else:
        place.locator("input").first.evaluate("(input) => input.blur()")
    return names


def made(tab: Tab, kind: str = "keyframed") -> dict[str, Any]:
    """Presses Generate; the job once it is done."""
    before = newest(tab.page)
    tab.generate(kind)
    job = finished(tab.page, before)
    assert job["status"] == "done", job["errors"]
    return job


def settings_of(host: WebUI, job: dict[str, Any]) -> dict[str, Any]:
    return dict(host.request(f"/flipbook/v1/jobs/{job['id']}")[1]["settings"])


def test_a_film_of_the_disk_is_restyled(tab: Tab, clip_host: WebUI, video: Path) -> None:
    open_kind(tab, TITLES["restyle"])
    choose(tab, "restyle", "video", video)
    tab.write("restyle", prompts="a red house", seed=7, steps="0:(2)", denoising="0:(0.5), 3:(0.9)")
    job = made(tab, "restyle")
    assert (job["engine"].split(":")[0], job["frames"]) == ("webui", 4)
    frames = [pixels(clip_host, job["id"], number) for number in range(4)]
    assert frames[0].shape == (64, 64, 3)
    assert not any(np.array_equal(one, other) for one, other in pairwise(frames))
    assert tab.film()["duration"] == pytest.approx(2, abs=0.05)


def test_a_clip_is_made_with_the_module_that_is_chosen(tab: Tab, clip_host: WebUI) -> None:
    open_kind(tab, TITLES["clip"])
    names = offered(tab, "clip", "module", "v3")
    v3 = next(name for name in names if name.startswith("v3"))
    tab.write("clip", prompts="0: a red house\n3: a blue tree", frames=4, fps=4, width=64, height=64, steps=2)
    open_group(tab, "clip", "latents")
    tab.write("clip", latent_power=2)
    tab.page.locator(f"{TAB}clip_formats").get_by_label("MP4").check()
    tab.page.locator(f"{TAB}clip_formats").get_by_label("GIF").uncheck()
    job = made(tab, "clip")
    assert job["frames"] == 4
    settings = settings_of(clip_host, job)
    assert (settings["module"], "MP4" in settings["formats"]) == (v3, True)
    assert tab.film()["duration"] == pytest.approx(1, abs=0.05)
    # What went otherwise than asked stands below the film.
    tab.page.locator(f"{TAB}stage .flipbook-warning").get_by_text("latent_power").wait_for()


def test_films_go_to_restyle_and_to_assembly(small: Tab, clip_host: WebUI) -> None:
    tab = small
    first = made(tab)
    tab.page.get_by_role("button", name="Send to restyle").click()
    tab.page.wait_for_function(
        "(run) => flipbook.forms.restyle.shown.video.includes(run)",
        arg=first["run"],
    )
    tab.write("restyle", prompts="snow", steps="0:(2)", denoising="0:(0.6)")
    second = made(tab, "restyle")
    assert second["frames"] == 3
    tab.page.locator(f"{TAB}to_assemble").click()
    tab.page.wait_for_function(
        "(run) => flipbook.forms.assemble.shown.source.includes(run)",
        arg=second["run"],
    )
    tab.page.locator(f"{TAB}assemble_boomerang input").check()
    third = made(tab, "assemble")
    assert settings_of(clip_host, third)["boomerang"] is True
    assert tab.film()["duration"] > 1.2


def test_a_film_dropped_on_the_tab_restores_its_settings(
    small: Tab, clip_host: WebUI, tmp_path: Path
) -> None:
    tab = small
    tab.write(prompts="0: dawn\n2: dusk", zoom="0:(1), 2:(1.2)", seed=11)
    job = made(tab)
    film = tmp_path / "somebody's film.mp4"
    with urllib.request.urlopen(f"{clip_host.url}/flipbook/v1/jobs/{job['id']}/film") as answer:
        film.write_bytes(answer.read())
    tab.write(prompts="something else", zoom="0:(1)", frames=9, seed=3)
    drop(tab.page, f"{TAB}stage", film)
    tab.page.wait_for_function(
        f"document.querySelector('{TAB}keyframed_zoom textarea').value === '0:(1), 2:(1.2)'"
    )
    assert tab.field("frames").input_value() == "3"
    again = made(tab)
    assert settings_of(clip_host, again) == settings_of(clip_host, job)
    for frame in range(3):
        np.testing.assert_array_equal(
            pixels(clip_host, again["id"], frame), pixels(clip_host, job["id"], frame)
        )


def assert_init(tab: Tab, kind: str, size: str) -> None:
    """The kind's init image has come and can be seen; it is taken out again."""
    thumbnail = tab.page.locator(f"{TAB}{kind}_init_image .flipbook-thumbnail")
    thumbnail.locator("img").wait_for()
    assert size in thumbnail.inner_text()
    tab.page.locator(f"{TAB}{kind}_init_image").wait_for()
    tab.write(kind, init_image="")
    tab.page.wait_for_function(f"flipbook.forms.{kind}.media && !flipbook.forms.{kind}.media.init_image")


def test_a_picture_of_png_info_becomes_the_init_image(tab: Tab, tmp_path: Path) -> None:
    page = tab.page
    # Assembly has no init image: it goes to the first kind.
    open_kind(tab, TITLES["assemble"])
    picture = tmp_path / "picture.png"
    facts = PngImagePlugin.PngInfo()
    facts.add_text("parameters", "a green hill\nSteps: 3, Sampler: Euler a, Seed: 5, Size: 96x64")
    Image.new("RGB", (96, 64), (0, 160, 30)).save(picture, pnginfo=facts)
    open_tab(page, "PNG Info")
    page.locator("#pnginfo_image input[type=file]").set_input_files(str(picture))
    page.locator("#tab_pnginfo").get_by_text("a green hill").first.wait_for()
    page.locator("#tab_pnginfo .flipbook-send").click()
    assert_init(tab, "keyframed", "96 × 64")


def test_a_result_of_img2img_becomes_the_init_image_of_the_kind_that_is_open(
    tab: Tab, tmp_path: Path
) -> None:
    page = tab.page
    open_kind(tab, TITLES["clip"])
    picture = tmp_path / "picture.png"
    Image.new("RGB", (64, 64), (0, 160, 30)).save(picture)
    open_tab(page, "img2img")
    page.locator("#img2img_image input[type=file]").set_input_files(str(picture))
    page.locator("#img2img_image img").first.wait_for()
    for field in ("width", "height"):
        page.locator(f"#img2img_{field} input[type=number]").fill("64")
    page.locator("#img2img_steps input[type=number]").fill("2")
    page.locator("#img2img_generate").click()
    page.locator("#img2img_gallery img").first.wait_for(state="visible")
    page.locator("#image_buttons_img2img .flipbook-send").click()
    assert_init(tab, "clip", "64 × 64")


@pytest.fixture
def added(clip_host: Any) -> Iterator[Any]:
    """Copies files of weights under other names while the WebUI runs; takes them away at the end."""
    if not hasattr(clip_host, "models"):
        pytest.skip("needs a WebUI whose folders can be written: WEBUI_ROOT")
    made: list[Path] = []

    def add(folder: str, name: str, of: str) -> None:
        (clip_host.models / folder).mkdir(exist_ok=True)
        source = next((clip_host.models / of).glob("*.safetensors"))
        made.append(clip_host.models / folder / name)
        shutil.copyfile(source, made[-1])

    yield add
    for path in made:
        path.unlink()
    clip_host.request("/sdapi/v1/refresh-checkpoints", {})
    clip_host.request("/sdapi/v1/refresh-vae", {})


@pytest.mark.parametrize(
    ("kind", "group", "name", "folder", "of"),
    [
        ("keyframed", "painting", "checkpoint", "Stable-diffusion", "Stable-diffusion"),
        ("restyle", "painting", "vae", "VAE", "Stable-diffusion"),
        ("clip", None, "module", "AnimateDiff", "AnimateDiff"),
    ],
)
def test_a_file_that_has_come_is_offered_once_its_list_is_refreshed(
    tab: Tab, added: Any, kind: str, group: str | None, name: str, folder: str, of: str
) -> None:
    open_kind(tab, TITLES[kind])
    if group:
        open_group(tab, kind, group)
    assert "come later.safetensors" not in offered(tab, kind, name)
    added(folder, "come later.safetensors", of)
    tab.page.locator(f"{TAB}{kind}_{name}_refresh").click()
    tab.page.wait_for_function(
        "(id) => gradio_config.components.find((part) => part.props.elem_id === id).props.choices"
        ".some((choice) => String(choice).includes('come later'))",
        arg=f"{TAB}{kind}_{name}"[1:],
    )
    assert any(found.startswith("come later") for found in offered(tab, kind, name))


UNIT = f"{TAB}scripts_img2img_controlnet_ControlNet-0_"


def held(control: str) -> str:
    """JavaScript for the value that the page holds of one of the unit's controls."""
    named = f"part.props.elem_id === '{UNIT[1:]}{control}'"
    return f"gradio_config.components.find((part) => {named}).props.value"


def test_a_controlnet_unit_reaches_the_frames_and_outlives_a_reload(
    small: Tab, clip_host: WebUI, tmp_path: Path
) -> None:
    if clip_host.request("/controlnet/model_list")[0] != 200:
        pytest.skip("needs sd-webui-controlnet: WEBUI_CONTROLNET=its folder, WEBUI_CONTROLNET_MODELS")
    tab, page = small, small.page
    picture = tmp_path / "blocks.png"
    blocks = np.random.default_rng(5).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(np.kron(blocks, np.ones((8, 8, 1), np.uint8))).save(picture)
    tab.write(seed=7)
    without = made(tab)
    page.locator(f"{TAB}scripts > .label-wrap").click()
    page.locator(f"{TAB}scripts").get_by_text("ControlNet v1").first.click()
    page.locator(f"{UNIT}controlnet_enable_checkbox input").check()
    page.locator(f"{UNIT}controlnet_same_img2img_checkbox input").check()
    page.locator(f"{UNIT}input_image input[type=file]").first.set_input_files(str(picture))
    page.wait_for_function(held("input_image"))
    page.locator(f"{UNIT}controlnet_type_filter_radio").get_by_label("Canny", exact=True).check()
    page.wait_for_function(f"/canny/.test({held('controlnet_model_dropdown')})")
    with page.expect_request(lambda asked: 'Control Weight#1\\":0.6' in (asked.post_data or "")):
        page.locator(f"{UNIT}controlnet_control_weight_slider input[type=number]").fill("0.6")
    first = made(tab)
    unit = settings_of(clip_host, first)["scripts"]["ControlNet"][0]
    assert (unit["enabled"], unit["module"], unit["weight"]) == (True, "canny", 0.6)
    assert not np.array_equal(pixels(clip_host, first["id"], 0), pixels(clip_host, without["id"], 0))
    page.reload()
    open_tab(page, "Animation")
    page.wait_for_function("window.flipbook && flipbook.data && flipbook.polled && flipbook.panel.kept")
    # Choosing the type sets model and preprocessor, which the page sets again.
    page.wait_for_function(
        "Object.keys(flipbook.panel.kept).every((name) => !(name in flipbook.data.panel)"
        " || (name in flipbook.panel.shown && !flipbook.panelDiffers(name)))"
    )
    assert page.evaluate(held("controlnet_enable_checkbox")) is True
    assert page.evaluate(held("controlnet_model_dropdown")) == unit["model"]
    assert page.evaluate(held("controlnet_control_weight_slider")) == 0.6
    page.locator(f"{TAB}scripts > .label-wrap").click()
    page.locator(f"{TAB}scripts").get_by_text("ControlNet v1").first.click()
    with page.expect_request(lambda asked: 'Enable#1\\":false' in (asked.post_data or "")):
        page.locator(f"{UNIT}controlnet_enable_checkbox input").uncheck()
