"""Fixtures and settings of all tests: a headless Chromium, Hypothesis without deadlines."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

# On a shared machine a slow example is no failure.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A headless browser; `CHROMIUM` names its program where it is not on the path. Skips without one."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip("needs Chromium: apt-get install chromium, or CHROMIUM=its program")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A fresh page of 1280 × 900. A script error on it fails the test.

    Asks for the browser last, so that none is started for a test that skips.

    Errors thrown in Gradio's own bundle do not count. The WebUI's page has two while it loads, with and
    without extensions, and one ("reading 'props'") whenever txt2img's size or hires fix changes: its
    `onCalcResolutionHires` returns six values for an event without outputs.
    """
    page = request.getfixturevalue("chromium").new_page(viewport={"width": 1280, "height": 900})
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(f"{error}\n{error.stack}"))
    yield page
    page.close()
    assert not [failure for failure in failures if "/assets/" not in failure]
