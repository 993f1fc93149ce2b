"""Registration in the host's callbacks, in a fake host."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ENTRY = Path(__file__).resolve().parents[2] / "scripts" / "flipbook.py"


def run_entry() -> ModuleType:
    """Runs scripts/flipbook.py as the host does: from its path, as a module of its own each time."""
    spec = importlib.util.spec_from_file_location(ENTRY.name, ENTRY)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_registering_twice_registers_once(host: Any) -> None:
    from lib_anim.webui.host.registration import register

    register()
    once = list(host.script_callbacks.ui_tabs)
    register()
    assert host.script_callbacks.ui_tabs == once
    assert len(once) == 1
    assert len(host.script_callbacks.app_started) == 1
    assert len(host.script_callbacks.after_component) == 1
    assert len(host.script_callbacks.cfg_denoiser) == len(host.script_callbacks.cfg_denoised) == 1


def test_unregister_takes_out_only_its_own(host: Any) -> None:
    from lib_anim.webui.host.registration import register, unregister

    def neighbour() -> list[Any]:
        return []

    host.script_callbacks.on_ui_tabs(neighbour)
    register()
    unregister()
    unregister()
    assert host.script_callbacks.ui_tabs == [neighbour]
    assert host.script_callbacks.app_started == []
    assert host.script_callbacks.after_component == []
    assert host.script_callbacks.cfg_denoiser == host.script_callbacks.cfg_denoised == []


def test_entry_survives_both_kinds_of_reload(host: Any) -> None:
    first = run_entry()
    run_entry()
    assert len(host.script_callbacks.ui_tabs) == 1
    host.script_callbacks.clear_callbacks()
    again = run_entry()
    assert len(host.script_callbacks.ui_tabs) == 1
    assert again.AnimateDiffScript is first.AnimateDiffScript


def test_entry_shows_the_host_its_two_scripts(host: Any) -> None:
    shown = [value for value in vars(run_entry()).values() if isinstance(value, type)]
    assert [value.__name__ for value in shown if issubclass(value, host.scripts.Script)] == [
        "AnimateDiffScript",
        "StepMonitorScript",
    ]


def test_entry_reloads_without_its_folder_on_the_path(host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run_entry()
    root = str(ENTRY.parents[1])
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path not in ("", root)])
    host.script_callbacks.clear_callbacks()
    run_entry()
    assert len(host.script_callbacks.ui_tabs) == 1


def test_tab_names_the_folder(host: Any, tmp_path: Path) -> None:
    import gradio

    from lib_anim.webui.host.registration import tabs

    if int(gradio.__version__.split(".")[0]) != 3:
        pytest.skip("needs the WebUI's gradio 3.41: make test-webui-env")
    ((page, title, tab_id),) = tabs()
    assert (title, tab_id) == ("Animation", "flipbook")
    texts = [c["props"].get("value") for c in page.get_config_file()["components"] if c["type"] == "html"]
    assert str(tmp_path / "flipbook") in "".join(texts)
