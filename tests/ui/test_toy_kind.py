"""A registered kind has its form on the tab."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("gradio", reason="needs the WebUI's packages: make test-webui-env")

from lib_anim.actions.services import Services
from lib_anim.ui.tab import draw_tab
from lib_anim.ui.toolkit import Toolkit
from tests.helpers.toy_kind import registered
from tests.ui.test_tab import Nobody


def test_a_new_kind_has_its_form(tmp_path: Path) -> None:
    services = Services(tmp_path, Nobody())
    try:
        with registered():
            page = json.dumps(draw_tab(Toolkit("tab"), services).get_config_file(), default=str)
    finally:
        services.close()
    for element in ("toy_generate", "toy_frames", "toy_label"):
        assert f"flipbook_tab_{element}" in page
