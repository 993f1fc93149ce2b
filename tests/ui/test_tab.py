"""The Animation tab, as Gradio is told to draw it."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("gradio", reason="needs the WebUI's packages: make test-webui-env")

from lib_anim.actions.services import Services
from lib_anim.kinds.registry import SETTINGS
from lib_anim.settings.base import specs
from lib_anim.ui import localization
from lib_anim.ui.tab import draw_tab
from lib_anim.ui.toolkit import Toolkit


class Nobody:
    """Engines of a desk on which nothing is painted."""

    default = "nobody"

    def names(self) -> Sequence[str]:
        return [self.default]

    def title(self, name: str) -> str:
        return name

    def capabilities(self, name: str) -> None:
        return None

    def open(self, name: str) -> Any:
        raise AssertionError("nothing is painted here")

    def models(self) -> Mapping[str, Sequence[str]]:
        return {"checkpoints": ["a & b <c>", "d"]}

    def close(self) -> None:
        pass


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    services = Services(tmp_path / "films 映画", Nobody())
    yield services
    services.close()


@pytest.fixture
def drawn(services: Services) -> list[dict[str, Any]]:
    """Every component of the tab."""
    return draw_tab(Toolkit("tab"), services).get_config_file()["components"]


def by_id(drawn: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {c["props"]["elem_id"]: c for c in drawn if c["props"].get("elem_id")}


def facts_in(drawn: list[dict[str, Any]]) -> Any:
    (text,) = (
        c["props"]["value"]
        for c in drawn
        if c["type"] == "html" and "<textarea" in (c["props"].get("value") or "")
    )
    return json.loads(html.unescape(re.search("<textarea[^>]*>(.*)</textarea>", text, re.S).group(1)))


@pytest.mark.parametrize("kind", SETTINGS)
def test_every_setting_of_every_kind_has_one_control(drawn: list[dict[str, Any]], kind: str) -> None:
    ids = [c["props"]["elem_id"] for c in drawn if c["props"].get("elem_id")]
    for name, spec in specs(SETTINGS[kind]).items():
        assert ids.count(f"flipbook_tab_{kind}_{name}") == 1, name
        assert by_id(drawn)[f"flipbook_tab_{kind}_{name}"]["props"]["label"] == spec.label


def test_ids_are_flipbooks_and_unique(drawn: list[dict[str, Any]]) -> None:
    ids = [c["props"]["elem_id"] for c in drawn if c["props"].get("elem_id")]
    assert len(ids) == len(set(ids))
    assert all(name.startswith("flipbook_tab_") for name in ids)


def test_tooltips_are_the_settings_own_words(drawn: list[dict[str, Any]]) -> None:
    fields = facts_in(drawn)["kinds"]["keyframed"]["fields"]
    assert fields["width"]["title"] == (
        "Width of the film. Takes a whole number, 64 to 8192, a multiple of 8. Unit: px."
    )
    assert fields["zoom"]["curve"] is True
    assert fields["init_image"]["path"] is True
    assert {name for name, field in fields.items() if field["prompts"]} == {"prompts"}


def test_page_knows_where_films_go(drawn: list[dict[str, Any]], services: Services) -> None:
    assert facts_in(drawn)["runs"].startswith(str(services.runs))


def test_names_of_files_are_offered_and_others_may_be_typed(drawn: list[dict[str, Any]]) -> None:
    props = by_id(drawn)["flipbook_tab_keyframed_checkpoint"]["props"]
    names = [choice if isinstance(choice, str) else choice[1] for choice in props["choices"]]
    assert names == ["", "a & b <c>", "d"]
    assert props["allow_custom_value"] is True


def test_drawing_writes_nothing(services: Services) -> None:
    before = sorted(path.name for path in services.home.rglob("*"))
    draw_tab(Toolkit("tab"), services)
    assert sorted(path.name for path in services.home.rglob("*")) == before


def test_the_template_for_translators_has_every_text_of_the_tab(drawn: list[dict[str, Any]]) -> None:
    known = localization.template()
    shown = {
        component["props"].get("label") or component["props"].get("value")
        for component in drawn
        if component["type"] in ("button", "accordion", "tabitem", "tab")
        or (
            component["props"].get("elem_id", "").startswith("flipbook_tab_")
            and component["props"].get("label")
        )
    }
    hidden = {"fill", "keep", "↻"}
    assert shown - hidden - {None} <= known.keys()
    assert localization.stale(Path(__file__).parents[2] / "docs/reference") == []
