"""Every format that a browser can show plays on the stage."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.conftest import SMALL, TAB, Tab


@pytest.fixture(scope="module")
def run(studio: Any) -> str:
    """The run folder of a small film."""
    id = studio.services.jobs.submit("keyframed", {**SMALL, "prompts": "spring"})
    for _ in studio.services.jobs.follow(id):
        pass
    return str(studio.services.jobs.get(id).folder)


@pytest.mark.parametrize("form", ["h264", "vp9"])
def test_a_film_plays(tab: Tab, run: str, form: str) -> None:
    assemble(tab, run, form)
    assert tab.film() | {"error": None} == {
        "duration": pytest.approx(1, abs=0.05),
        "width": 64,
        "height": 64,
        "error": None,
    }
    tab.page.locator(f"{TAB}stage video").evaluate("(video) => video.play()")
    tab.page.wait_for_function(f"document.querySelector('{TAB}stage video').currentTime > 0.2")


def test_a_gif_is_shown_and_moves(tab: Tab, run: str, studio: Any) -> None:
    assemble(tab, run, "gif")
    picture = tab.page.locator(f"{TAB}stage img.flipbook-film")
    tab.page.wait_for_function("(i) => i.complete && i.naturalWidth === 64", arg=picture.element_handle())
    from lib_anim.media.read import open_source

    (job,) = studio.services.jobs.all(limit=1)
    with open_source(studio.services.jobs.film(job.id)) as source:
        assert (len(source), float(len(source) / source.info.rate)) == (6, pytest.approx(1, abs=0.05))


def test_a_film_with_sound_has_sound(tab: Tab, run: str, tmp_path: Any) -> None:
    import wave

    with wave.open(str(tmp_path / "beep.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(b"".join(int(9000 * (i % 40 < 20)).to_bytes(2, "little") for i in range(8000)))
    assemble(tab, run, "h264", audio=str(tmp_path / "beep.wav"))
    tab.film()
    video = tab.page.locator(f"{TAB}stage video")
    assert video.evaluate("(v) => v.muted") is False
    video.evaluate("(v) => v.play()")
    tab.page.wait_for_function(f"document.querySelector('{TAB}stage video').webkitAudioDecodedByteCount > 0")


def assemble(tab: Tab, run: str, form: str, **more: Any) -> None:
    """Assembles a run on the tab and waits for the film."""
    tab.page.evaluate("flipbook.openKind('assemble')")
    before = tab.page.evaluate("flipbook.jobs[0].id")
    tab.write("assemble", source=run, format=form, **more)
    tab.page.wait_for_function("!flipbook.forms.assemble.keeping")
    tab.generate("assemble")
    tab.page.wait_for_function(
        "(id) => flipbook.jobs[0].id !== id && flipbook.jobs[0].status === 'done'", arg=before
    )


def test_a_film_is_sent_to_restyle_and_assembly(tab: Tab, run: str, studio: Any) -> None:
    tab.page.locator(f"{TAB}stage video").wait_for()
    tab.page.get_by_role("button", name="Send to restyle").click()
    field = tab.page.locator(f"{TAB}restyle_video .flipbook-thumbnail")
    field.get_by_text("64 × 64, 6 frames, 6 frames/s, 1 s").wait_for()
    # The graphs are as long as the video, whose frames only the server has counted.
    graph = tab.page.locator(f"{TAB}restyle_denoising canvas").element_handle()
    tab.page.wait_for_function("(c) => c.values && c.values.length === 6", arg=graph)
    tab.page.locator(f"{TAB}to_assemble").click()
    tab.page.locator(f"{TAB}assemble_source .flipbook-thumbnail").get_by_text("6 frames/s").wait_for()
    assert tab.field("source", "assemble").input_value().startswith(str(studio.services.runs))
