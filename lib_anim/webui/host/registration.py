"""Registers Flipbook's callbacks with the host."""

from __future__ import annotations

from typing import Any

from modules import script_callbacks

from lib_anim.ui.tab import TITLE, draw_tab
from lib_anim.ui.toolkit import Toolkit
from lib_anim.webui.clip.axes import add_axes
from lib_anim.webui.clip.steps import after_denoising, before_denoising
from lib_anim.webui.host.api import add_routes
from lib_anim.webui.host.player import draw_player
from lib_anim.webui.host.script_panel import ScriptPanel
from lib_anim.webui.host.services import services
from lib_anim.webui.host.widgets import refresh_button

TAB_ID = "flipbook"
"""The host derives the tab's HTML id from it: `tab_flipbook`."""


def tabs() -> list[tuple[Any, str, str]]:
    """The host's `on_ui_tabs`: one page, its title, its id."""
    return [(draw_tab(Toolkit("tab", refresh_button, ScriptPanel()), services()), TITLE, TAB_ID)]


def register() -> None:
    """Register all callbacks with the host; idempotent.

    "Reload UI" clears the host's callbacks before it reloads the scripts, "Reload custom script bodies" does
    not.
    """
    unregister()
    script_callbacks.on_ui_tabs(tabs)
    script_callbacks.on_app_started(add_routes)
    script_callbacks.on_before_ui(add_axes)
    script_callbacks.on_after_component(draw_player)
    script_callbacks.on_cfg_denoiser(before_denoising)
    script_callbacks.on_cfg_denoised(after_denoising)


def unregister() -> None:
    """Remove the callbacks of `register`, if registered, and no others."""
    for hook in (tabs, add_routes, add_axes, draw_player, before_denoising, after_denoising):
        script_callbacks.remove_callbacks_for_function(hook)
