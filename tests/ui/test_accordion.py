"""The AnimateDiff accordion."""

from __future__ import annotations

from typing import Any

import pytest

gradio = pytest.importorskip("gradio", reason="needs the WebUI's packages: make test-webui-env")

from lib_anim.ui.accordion import draw_accordion, title  # noqa: E402
from lib_anim.ui.toolkit import Toolkit  # noqa: E402


def draw(rival: str | None = None) -> dict[str, dict[str, Any]]:
    """Properties of the drawn components by type."""
    with gradio.Blocks() as page:
        draw_accordion(Toolkit("txt2img"), rival)
    return {c["type"]: c["props"] for c in page.get_config_file()["components"]}


def test_says_that_nothing_can_be_switched_on() -> None:
    drawn = draw()
    assert drawn["accordion"]["label"] == "AnimateDiff"
    assert drawn["accordion"]["open"] is False
    assert "nothing to switch on" in drawn["markdown"]["value"]


def test_has_no_control_that_could_act() -> None:
    assert set(draw()) == {"accordion", "markdown", "state"}


def test_names_the_rival_that_acts() -> None:
    drawn = draw("sd-webui-animatediff")
    assert drawn["accordion"]["label"] == title("sd-webui-animatediff") == "AnimateDiff (Flipbook)"
    assert "made by the extension sd-webui-animatediff" in drawn["markdown"]["value"]


@pytest.mark.parametrize("rival", [None, "sd-webui-animatediff"])
def test_paragraphs_are_single_lines(rival: str | None) -> None:
    """Gradio breaks the line wherever the text does."""
    for paragraph in draw(rival)["markdown"]["value"].strip().split("\n\n"):
        assert all(line.startswith("- ") for line in paragraph.split("\n")) or "\n" not in paragraph
