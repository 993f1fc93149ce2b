"""Controls of the host's always-on scripts on the tab; their values survive a page reload."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import gradio as gr

from lib_anim.actions.services import Services
from lib_anim.ui import gradio_compat as majors
from lib_anim.ui.toolkit import Toolkit

KEPT = "scripts"
"""The name of the draft."""

MOST = 16 * 2**20
"""Letters that are kept: pictures are most of them."""


def draw_scripts(toolkit: Toolkit, services: Services) -> list[Any]:
    """The scripts, for all kinds that take them; the controls whose values go along with Generate."""
    if toolkit.scripts is None:
        return []
    with gr.Accordion("Scripts", open=False, elem_id=toolkit.elem_id("scripts")):
        inputs = toolkit.scripts.draw(toolkit)
        gr.HTML(f'<div id="{toolkit.elem_id("panel_said")}" class="flipbook-problem" role="status"></div>')
    _keep(toolkit, services, toolkit.scripts.shown())
    return inputs


def panel_of(toolkit: Toolkit) -> dict[str, str]:
    """Name → HTML id of every control of a script, in the order of what `flipbook.panelValues` gives."""
    shown = toolkit.scripts.shown() if toolkit.scripts is not None else {}
    return {name: str(control.elem_id or f"component-{control._id}") for name, control in shown.items()}


def _keep(toolkit: Toolkit, services: Services, shown: Mapping[str, Any]) -> None:
    """Events by which the page keeps what the controls show, in its own form, and shows it again."""
    request, answer = gr.Textbox(visible=False), gr.Textbox(visible=False)

    def keep(text: str) -> str:
        if len(text) > MOST:
            size = f"{len(text) / 2**20:.0f} MB"
            return (
                f"Pictures in Scripts take {size}, and at most {MOST // 2**20} MB are kept for a reload"
                " of the page. Generate uses them all the same."
            )
        services.panels.keep(KEPT, {**services.panels.get(KEPT), **json.loads(text)})
        return ""

    def hidden(name: str) -> Any:
        return gr.Button(name, elem_id=toolkit.elem_id(f"panel_{name}"), elem_classes=["flipbook-hidden"])

    def js(script: str) -> dict[str, Any]:
        return {**majors.in_browser(script), **majors.quiet()}

    kept = hidden("keep").click(keep, [request], [answer], **js("() => [flipbook.panelText()]"))
    kept.then(None, [answer], None, **js("(said) => { flipbook.panelSaid(said); return []; }"))
    asked = hidden("show").click(
        lambda: json.dumps(services.panels.get(KEPT)), None, [answer], **majors.quiet()
    )
    asked.then(None, [answer], None, **js("(text) => { flipbook.panelKept(text); return []; }"))
    hidden("set").click(None, None, list(shown.values()), **js("() => flipbook.panelValues()"))
    for name, control in shown.items():
        handler = f"(value) => {{ flipbook.panelChanged({json.dumps(name)}, value); return []; }}"
        control.change(None, [control], None, **js(handler))
