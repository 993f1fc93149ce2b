"""A stranger's first minutes on the tab."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.conftest import SMALL, TAB, Tab


def test_nothing_is_said_before_there_is_anything_to_say(tab: Tab, monkeypatch: Any, studio: Any) -> None:
    unknown = {"frames": None, "paint": None, "bytes": None, "seconds": None}
    monkeypatch.setattr(studio.services.queries, "estimate", lambda *args, **more: unknown)
    tab.write(zoom="0:(1.01)")
    tab.page.wait_for_function("flipbook.forms.keyframed.estimate?.frames === null")
    assert tab.page.locator(f"{TAB}keyframed_notice").inner_text() == ""


def test_a_first_film_takes_at_most_three_clicks(open_tab: Any) -> None:
    page = open_tab()
    page.evaluate("window.clicks = 0; addEventListener('click', (e) => e.isTrusted && clicks++, true)")
    page.locator(f"{TAB}keyframed_prompts textarea").click()
    page.keyboard.type("spring meadow")
    for name, value in SMALL.items():
        page.locator(f"{TAB}keyframed_{name} input").fill(str(value))
    page.locator(f"{TAB}keyframed_generate").click()
    video = page.locator(f"{TAB}stage video")
    video.wait_for(timeout=60_000)
    page.wait_for_function("document.querySelector('video').readyState >= 2")
    page.wait_for_function("document.querySelector('video').currentTime > 0.2")
    facts = page.evaluate(
        "(() => { const v = document.querySelector('video'); return [v.duration, v.videoWidth]; })()"
    )
    assert facts == pytest.approx([1.0, 64], abs=0.05)
    assert page.evaluate("clicks") <= 3
