"""The Animation tab."""

from __future__ import annotations

import pytest

pytest.importorskip("gradio", reason="needs the WebUI's packages: make test-webui-env")

from lib_anim import __version__
from lib_anim.ui.tab import draw_tab
from lib_anim.ui.toolkit import Toolkit


def test_says_what_is_there_and_where_films_go() -> None:
    (markdown,) = draw_tab(Toolkit("tab"), "/data/films 映画").get_config_file()["components"]
    assert markdown["type"] == "markdown"
    text = markdown["props"]["value"]
    assert f"Flipbook {__version__}" in text
    assert "No film can be made on this tab yet" in text
    assert "/data/films 映画" in text
