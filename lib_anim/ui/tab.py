"""The Animation tab: a form for each kind of film at the left, the film itself at the right."""

from __future__ import annotations

import html
import json
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import gradio as gr

from lib_anim import __version__
from lib_anim.actions.services import Services
from lib_anim.actions.settings_files import settings_of
from lib_anim.settings.fields import PathText, Prompts, Schedule, Text
from lib_anim.ui import gradio_compat as majors
from lib_anim.ui import texts as words
from lib_anim.ui.fields import words_of
from lib_anim.ui.form import FILES, Form, is_curve
from lib_anim.ui.form_events import FormEvents
from lib_anim.ui.scripts import draw_scripts, panel_of
from lib_anim.ui.toolkit import Toolkit

TITLE = words.TITLE

LOOKS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "every10": ("Every 10th frame", {"every": 10}),
    "half": ("Half size", {"half": True}),
}
"""Looks at a film before the long run: the button's name and the trial it asks for."""


def draw_tab(toolkit: Toolkit, services: Services) -> gr.Blocks:
    """The tab's page. All state is the desk's: the page may be reloaded, or open twice."""
    with majors.blocks(TITLE) as page:
        draw_views(toolkit, services)
    return page


def draw_views(toolkit: Toolkit, services: Services) -> None:
    """The tab's content, into the current Gradio context."""
    kinds = services.queries.kinds()
    choices = _choices(services)

    def look_again(name: str) -> Sequence[str]:
        return _choices(services).get(name, ())

    forms = {kind["kind"]: Form(toolkit, settings_of(kind["kind"]), choices, look_again) for kind in kinds}
    with gr.Row(elem_id=toolkit.elem_id("root"), elem_classes=["flipbook"]):
        with gr.Column(scale=6, elem_classes=["flipbook-forms"]):
            with gr.Tabs(elem_id=toolkit.elem_id("kinds")):
                for kind in kinds:
                    name = kind["kind"]
                    with gr.Tab(kind["title"], elem_id=toolkit.elem_id(name), id=f"flipbook_{name}"):
                        forms[name].draw_first()
                        forms[name].draw_groups()
            scripts = draw_scripts(toolkit, services)
        with gr.Column(scale=5, elem_classes=["flipbook-result"]):
            generate = {
                kind["kind"]: _draw_actions(toolkit, forms[kind["kind"]], preview=kind["preview"])
                for kind in kinds
            }
            gr.HTML(_STAGE.format(id=toolkit.elem_id("stage")))
            for kind in kinds:
                name = kind["kind"]
                _draw_looks(
                    toolkit, services, forms[name], generate[name], scripts, painted=bool(kind["engine"])
                )
            with gr.Accordion("Presets", open=False, elem_id=toolkit.elem_id("presets")):
                gr.HTML(f'<div id="{toolkit.elem_id("presets_panel")}"></div>')
            gr.HTML(f'<div id="{toolkit.elem_id("runs")}"></div>')
    gr.HTML(_data(toolkit, services, forms, kinds), elem_classes=["flipbook-hidden"])


def _draw_actions(toolkit: Toolkit, form: Form, *, preview: bool) -> Any:
    """The kind's Generate button, which is returned, with the buttons and the notice around it."""
    kind = form.kind
    with gr.Column(elem_id=toolkit.elem_id(f"{kind}_actions"), elem_classes=["flipbook-of-kind"]):
        with gr.Row(elem_classes=["flipbook-buttons"]):
            generate = gr.Button("Generate", variant="primary", elem_id=toolkit.elem_id(f"{kind}_generate"))
            if preview:
                button = gr.Button("Preview motion", elem_id=toolkit.elem_id(f"{kind}_preview"))
                shows = majors.in_browser("() => { flipbook.preview(); return []; }")
                button.click(None, None, None, **shows, **majors.quiet())
        gr.HTML(
            f'<div id="{toolkit.elem_id(f"{kind}_notice")}" class="flipbook-notice" aria-live="polite"></div>'
        )
    return generate


def _draw_looks(
    toolkit: Toolkit, services: Services, form: Form, generate: Any, scripts: Sequence[Any], *, painted: bool
) -> None:
    """Looks at a film before the long run, and the events of a kind's buttons and controls."""
    asking = FormEvents(services, form, toolkit.scripts)
    kind = form.kind

    def elem_id(name: str) -> str:
        return toolkit.elem_id(f"{kind}_{name}")

    engines = services.queries.engines() if painted else []
    buttons: dict[str, Any] = {}
    with gr.Column(elem_id=elem_id("looks"), elem_classes=["flipbook-of-kind"], visible=painted):
        with gr.Accordion("Before the long run", open=False, elem_id=elem_id("looks_accordion")):
            engine = gr.Dropdown(
                label="Engine",
                # In the WebUI, the checkpoint that is chosen when Generate is pressed, not by now.
                choices=[("The chosen one", ""), *((facts.name, facts.name) for facts in engines)],
                value="",
                elem_id=elem_id("engine"),
                visible=len(engines) > 1,
            )
            with gr.Row(elem_classes=["flipbook-buttons"]):
                for look, (label, _) in LOOKS.items():
                    buttons[look] = gr.Button(label, elem_id=elem_id(look))
            with gr.Row(elem_classes=["flipbook-buttons"]):
                frame = gr.Number(value=0, label="Frame", elem_id=elem_id("frame"))
                buttons["frame"] = gr.Button("This frame", elem_id=elem_id("this_frame"))
            label = gr.Textbox(
                label="Label",
                placeholder="a name for the film, shown under Runs and queue",
                elem_id=elem_id("label"),
            )
    request = gr.Textbox(visible=False)
    answer = gr.Textbox(visible=False)
    answered = majors.in_browser(
        f"(answer) => {{ flipbook.answered({json.dumps(kind)}, answer); return []; }}"
    )
    inputs = [*form.controls.values(), engine, frame, label, *(scripts if "scripts" in form.fields else [])]

    def asks(button: Any, ask: Callable[..., str]) -> None:
        event = button.click(ask, inputs, [answer], **majors.quiet())
        event.then(None, [answer], None, **answered, **majors.quiet())

    asks(generate, asking.submit)
    for look, (_, trial) in LOOKS.items():
        asks(buttons[look], partial(asking.submit, trial=trial))
    asks(buttons["frame"], asking.submit_frame)

    # Events that the page's scripts start: what they ask for comes from the script, not from a component.
    for name, ask, outputs in (
        ("fill", asking.fill, [answer, *form.controls.values()]),
        ("keep", asking.keep, [answer]),
    ):
        hidden = gr.Button(name, elem_id=elem_id(name), elem_classes=["flipbook-hidden"])
        asked = majors.in_browser(f"() => [flipbook.asked({json.dumps(kind)}, {json.dumps(name)})]")
        event = hidden.click(ask, [request], outputs, **asked, **majors.quiet())
        event.then(None, [answer], None, **answered, **majors.quiet())
    for name, control in form.controls.items():
        handler = (
            f"(value) => {{ flipbook.changed({json.dumps(kind)}, {json.dumps(name)}, value); return []; }}"
        )
        control.change(None, [control], None, **majors.in_browser(handler), **majors.quiet())


def _choices(services: Services) -> dict[str, Sequence[str]]:
    """Names for settings that hold a word, from what engines can do and which files there are."""
    samplers: dict[str, None] = {}
    schedulers: dict[str, None] = {}
    styles: dict[str, None] = {}
    upscalers: dict[str, None] = {}
    for facts in services.queries.engines():
        can = facts.capabilities or {}
        samplers |= dict.fromkeys(can.get("samplers", ()))
        schedulers |= dict.fromkeys(can.get("schedulers", ()))
        styles |= dict.fromkeys(can.get("styles", ()))
        upscalers |= dict.fromkeys(can.get("upscalers", ()))
    models = services.queries.models()
    files = {name: ("", *models[what]) for name, what in FILES.items() if what in models}
    named = {"sampler": samplers, "scheduler": schedulers, "styles": styles}
    named["upscaler"] = {"": None, **upscalers} if upscalers else {}
    return {**{name: tuple(names) for name, names in named.items() if names}, **files}


def _data(
    toolkit: Toolkit, services: Services, forms: Mapping[str, Form], kinds: Sequence[Mapping[str, Any]]
) -> str:
    """What the page's scripts know about forms, as JSON in the page."""
    data = {
        "version": __version__,
        "place": toolkit.elem_id("")[:-1],
        "runs": f"{services.runs}{os.sep}",
        "words": words.PAGE,
        "panel": panel_of(toolkit),
        "kinds": {
            kind["kind"]: {
                "title": kind["title"],
                "film_input": kind["film_input"],
                "picture_input": kind["picture_input"],
                "defaults": forms[kind["kind"]].defaults,
                "fields": {
                    name: {
                        "label": spec.label,
                        "title": words_of(spec),
                        "unit": spec.unit,
                        "curve": is_curve(spec),
                        "path": isinstance(spec, PathText),
                        "prompts": isinstance(spec, Prompts),
                        "structured": not isinstance(spec, Text | Schedule),
                    }
                    for name, spec in forms[kind["kind"]].fields.items()
                },
            }
            for kind in kinds
        },
    }
    # A textarea: Gradio warns of scripts in HTML, and the WebUI translates what stands in other elements.
    text = html.escape(json.dumps(data, ensure_ascii=False))
    return f'<textarea readonly hidden id="{toolkit.elem_id("data")}">{text}</textarea>'


_STAGE = '<div id="{id}" class="flipbook-stage"></div>'
