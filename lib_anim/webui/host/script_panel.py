"""The host's always-on scripts, drawn a third time: for the Animation tab."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from modules import scripts
from PIL import Image

from lib_anim.errors import FlipbookError, Problem
from lib_anim.ui.toolkit import Toolkit

OURS = Path(__file__).resolve().parents[3]
"""This extension's folder: its own scripts are the tab itself."""

MOST = 8 * 2**20
"""Bytes of JSON that a film's settings may hold of scripts; pictures are most of it."""

SET_BY_PEOPLE = (
    gr.Textbox, gr.Number, gr.Slider, gr.Checkbox, gr.CheckboxGroup, gr.Radio, gr.Dropdown, gr.Image,
    gr.ColorPicker,
)  # fmt: skip

PLAIN = (bool, int, float, str, type(None))


class ScriptPanel:
    """Every script's own controls, by a runner of their own, so that txt2img's and img2img's stay theirs.

    Scripts that are a part of the WebUI's form (seed, sampler, refiner) and those of the Script dropdown are
    left out: the film's settings say the one, and the other paint grids.
    """

    def __init__(self) -> None:
        self._scripts: list[Any] = []
        self._shown: dict[str, Any] = {}
        self._untouched: dict[str, list[Any]] = {}

    def draw(self, toolkit: Toolkit) -> list[Any]:
        """The controls, into the current Gradio context; those are returned whose values `read` takes."""
        runner = scripts.ScriptRunner()
        runner.initialize_scripts(True)
        runner.alwayson_scripts = [s for s in runner.alwayson_scripts if s.section is None and not _ours(s)]
        runner.scripts = list(runner.alwayson_scripts)
        runner.prepare_ui()
        root = gr.context.Context.root_block
        before, events = set(root.blocks), len(root.dependencies)
        with _current(runner):
            runner.setup_ui_for_section(None)
        drawn = [root.blocks[number] for number in sorted(set(root.blocks) - before)]
        _rename(drawn, root.dependencies[events:], toolkit)
        self._shown = _named(drawn, runner.alwayson_scripts)
        self._scripts = [s for s in runner.alwayson_scripts if s.args_to > s.args_from]
        inputs = list(runner.inputs[1:])
        self._untouched = self._stored([control.value for control in inputs])
        return inputs

    def shown(self) -> Mapping[str, Any]:
        """Name → control of everything that people set: script's title, label, a number for doubles."""
        return self._shown

    def read(self, values: Sequence[Any]) -> dict[str, list[Any]]:
        """Title → arguments of every script that was touched, as a film's settings hold them.

        Raises FlipbookError where one cannot be written down.
        """
        found = {t: a for t, a in self._stored(values).items() if a != self._untouched.get(t)}
        size = len(json.dumps(found))
        if size > MOST:
            sentence = (
                f"{', '.join(found)}: the pictures take {size / 2**20:.0f} MB, and settings hold"
                f" {MOST // 2**20}; use smaller ones"
            )
            raise FlipbookError(Problem(sentence, field="scripts"))
        return found

    def _stored(self, values: Sequence[Any]) -> dict[str, list[Any]]:
        found = {}
        for script in self._scripts:
            title = str(script.title())
            given = values[script.args_from - 1 : script.args_to - 1]
            found[title] = [stored(value, title) for value in given]
        return found


def stored(value: Any, title: str) -> Any:
    """An argument of a script as JSON: pictures as PNG in base64, as the host's API takes them.

    What is switched off counts as nothing else than that. Raises FlipbookError for what has no such form.
    """
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, Enum):
        return stored(value.value, title)
    if isinstance(value, Mapping):
        return {str(key): stored(item, title) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [stored(item, title) for item in value]
    if isinstance(value, np.ndarray) and value.dtype == np.uint8 and value.ndim in (2, 3):
        return _png(Image.fromarray(value))
    if isinstance(value, Image.Image):
        return _png(value)
    if isinstance(value, np.generic):
        return value.item()
    if getattr(value, "enabled", None) is False:
        return {"enabled": False}
    facts = getattr(value, "__dict__", None)
    if facts is None or not hasattr(value, "enabled"):
        sentence = f'"{title}" has a {type(value).__name__} among its arguments, which cannot be kept'
        raise FlipbookError(Problem(f"{sentence}; set this script back to how it was", field="scripts"))
    return {name: stored(item, title) for name, item in facts.items() if item is not None}


def _png(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _rename(blocks: Sequence[Any], events: Sequence[dict[str, Any]], toolkit: Toolkit) -> None:
    """Ids of the tab's own: other people's JavaScript looks for theirs in txt2img and img2img.

    The host's accordions with a switch name their id in an event's script.
    """
    renamed = {
        block.elem_id: toolkit.elem_id(f"scripts_{block.elem_id}") for block in blocks if block.elem_id
    }
    for block in blocks:
        block.elem_id = renamed.get(block.elem_id, block.elem_id)
    for event in events:
        for old, new in renamed.items() if event.get("js") else ():
            for quote in ('"', "'"):
                event["js"] = event["js"].replace(f"{quote}{old}{quote}", f"{quote}{new}{quote}")


def _named(blocks: Sequence[Any], runner_scripts: Sequence[Any]) -> dict[str, Any]:
    titles = {id(s.group): str(s.title()) for s in runner_scripts if getattr(s, "group", None) is not None}
    found: dict[str, Any] = {}
    for block in blocks:
        # Texts that nobody sees carry messages between a script and its JavaScript.
        spoken = isinstance(block, gr.Textbox) and not block.visible
        # One to draw on tells of every stroke with the whole picture. Nor can it be shown again: given a
        # picture it is a text for a moment, which ControlNet's own events send and fail on; given picture
        # and mask it stays white.
        drawn_on = getattr(block, "tool", None) in ("sketch", "color-sketch")
        fixed = getattr(block, "interactive", None) is False
        if not isinstance(block, SET_BY_PEOPLE) or spoken or drawn_on or fixed:
            continue
        parent = block.parent
        while parent is not None and id(parent) not in titles:
            parent = parent.parent
        name = f"{titles.get(id(parent), '')}/{block.label or ''}"
        number = sum(known.rpartition("#")[0] == name for known in found) + 1
        found[f"{name}#{number}"] = block
    return found


def _ours(script: Any) -> bool:
    return Path(script.filename).resolve().is_relative_to(OURS)


@contextmanager
def _current(runner: Any) -> Iterator[None]:
    """The host tells this runner's scripts of every component that is made meanwhile."""
    former = scripts.scripts_current
    scripts.scripts_current = runner
    try:
        yield
    finally:
        scripts.scripts_current = former
