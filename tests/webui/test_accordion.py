"""The AnimateDiff accordion."""

from __future__ import annotations

from typing import Any

import pytest

gradio = pytest.importorskip("gradio", reason="needs the WebUI's packages: make test-webui-env")

from lib_anim.kinds.clip.animatediff import KEYS, POSITIONS  # noqa: E402
from lib_anim.kinds.clip.motion_settings import LATENTS, Motion  # noqa: E402
from lib_anim.settings.base import specs  # noqa: E402
from lib_anim.ui.controls import shown  # noqa: E402
from lib_anim.ui.toolkit import Toolkit  # noqa: E402
from lib_anim.webui.clip.accordion import Modules, draw_accordion, order, title  # noqa: E402

MODULES = Modules(lambda: ["mm.safetensors"], lambda name: f"{name} is a motion module.")


def draw(conflicting: str | None = None, *, img2img: bool = False) -> tuple[list[Any], list[dict[str, Any]]]:
    """(the accordion's values, all drawn components)."""
    with gradio.Blocks() as page:
        values = draw_accordion(Toolkit("txt2img"), conflicting, MODULES, img2img=img2img)
    return values, page.get_config_file()["components"]


def test_a_newcomer_sees_five_controls() -> None:
    _, drawn = draw()
    with gradio.Blocks() as page:
        draw_accordion(Toolkit("txt2img"), None, MODULES, img2img=False)
    layout = page.get_config_file()["layout"]["children"][0]
    kinds = {c["id"]: c["type"] for c in drawn}
    by_id = {c["id"]: c for c in page.get_config_file()["components"]}

    def open_controls(node: dict[str, Any]) -> list[str]:
        found = []
        for child in node.get("children", []):
            part = by_id[child["id"]]
            if part["type"] == "accordion":
                continue
            if part["type"] not in ("row", "column", "form", "group", "markdown"):
                found.append(part["props"]["label"])
            found += open_controls(child)
        return found

    assert kinds
    assert sorted(open_controls(layout)) == sorted(
        ["Enable AnimateDiff", "Motion module", "Number of frames", "FPS", "Save format"]
    )


@pytest.mark.parametrize("img2img", [False, True])
def test_values_stand_in_the_old_extensions_order_and_miss_no_setting(img2img: bool) -> None:
    values, _ = draw(img2img=img2img)
    names = order(img2img=img2img)
    assert len(values) == len(names)
    theirs = POSITIONS if img2img else POSITIONS[:20]
    assert list(names[: len(theirs)]) == [KEYS.get(key, key) for key in theirs]
    missing = set(specs(Motion)) - set(names)
    assert missing == (set() if img2img else {n for n, s in specs(Motion).items() if s.group == LATENTS})


def test_defaults_are_the_settings_own() -> None:
    values, _ = draw()
    for name, control in zip(order(img2img=False), values, strict=True):
        if name in specs(Motion) and name not in ("module", "video_source"):
            spec = specs(Motion)[name]
            assert control.value == shown(spec, spec.to_json(getattr(Motion(), name))), name


def test_names_the_rival_that_acts() -> None:
    values, drawn = draw("sd-webui-animatediff")
    props = {c["type"]: c["props"] for c in drawn}
    assert [value.value for value in values] == [None]
    assert props["accordion"]["label"] == title("sd-webui-animatediff") == "AnimateDiff (Flipbook)"
    assert "The extension sd-webui-animatediff is installed and enabled" in props["markdown"]["value"]
