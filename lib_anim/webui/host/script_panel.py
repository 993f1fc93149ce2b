"""Draws the controls of the host's always-on scripts in the Animation tab."""

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

EXTENSION_FOLDER = Path(__file__).resolve().parents[3]
"""This extension's folder; its own scripts are not drawn."""

MAX_BYTES = 8 * 2**20
"""Maximum size of the script arguments in a film's settings, bytes of JSON; mostly pictures."""

USER_CONTROLS = (
    gr.Textbox, gr.Number, gr.Slider, gr.Checkbox, gr.CheckboxGroup, gr.Radio, gr.Dropdown, gr.Image,
    gr.ColorPicker,
)  # fmt: skip

PLAIN = (bool, int, float, str, type(None))


class ScriptPanel:
    """The controls of all always-on scripts, in a separate runner, independent of txt2img and img2img.

    Excludes scripts that are part of the WebUI's form (seed, sampler, refiner), which the film's settings
    replace, and those of the Script dropdown, which render grids.
    """

    def __init__(self) -> None:
        self._scripts: list[Any] = []
        self._shown: dict[str, Any] = {}
        self._defaults: dict[str, list[Any]] = {}

    def draw(self, toolkit: Toolkit) -> list[Any]:
        """Create the controls in the current Gradio context; returns the inputs for `read`."""
        runner = scripts.ScriptRunner()
        runner.initialize_scripts(True)
        runner.alwayson_scripts = [
            s for s in runner.alwayson_scripts if s.section is None and not _is_own_script(s)
        ]
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
        self._defaults = self._stored([control.value for control in inputs])
        return inputs

    def shown(self) -> Mapping[str, Any]:
        """Name → user control; names are `script title/label#number`."""
        return self._shown

    def read(self, values: Sequence[Any]) -> dict[str, list[Any]]:
        """Title → arguments of every changed script, as stored in a film's settings.

        Raises FlipbookError where an argument cannot be stored as JSON or the total size is too large.
        """
        found = {t: a for t, a in self._stored(values).items() if a != self._defaults.get(t)}
        size = len(json.dumps(found))
        if size > MAX_BYTES:
            sentence = (
                f"the arguments of {', '.join(found)} have {size / 2**20:.0f} MB; use smaller pictures,"
                f" at most {MAX_BYTES // 2**20} MB are allowed"
            )
            raise FlipbookError(Problem(sentence, field="scripts", code="script.too_large"))
        return found

    def _stored(self, values: Sequence[Any]) -> dict[str, list[Any]]:
        found = {}
        for script in self._scripts:
            title = str(script.title())
            given = values[script.args_from - 1 : script.args_to - 1]
            found[title] = [stored(value, title) for value in given]
        return found


def stored(value: Any, title: str) -> Any:
    """Convert a script's argument to JSON; pictures become base64 PNG, as in the host's API.

    Disabled units are stored as `{"enabled": False}` only. Raises FlipbookError for unsupported types.
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
    attributes = getattr(value, "__dict__", None)
    if attributes is None or not hasattr(value, "enabled"):
        sentence = (
            f'the script "{title}" has an argument of type {type(value).__name__}, which cannot be stored;'
            " reset this script's controls"
        )
        raise FlipbookError(Problem(sentence, field="scripts", code="script.not_serializable"))
    return {name: stored(item, title) for name, item in attributes.items() if item is not None}


def _png(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _rename(blocks: Sequence[Any], events: Sequence[dict[str, Any]], toolkit: Toolkit) -> None:
    """Give the blocks new element ids; other extensions' JavaScript expects theirs in txt2img and img2img.

    The host's InputAccordion has its id in an event's JavaScript, which is changed as well.
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
        # Hidden text boxes transfer messages between a script and its JavaScript.
        hidden_text = isinstance(block, gr.Textbox) and not block.visible
        # A sketch control sends the whole picture with every stroke. Its value cannot be restored either: a
        # picture is a text for a moment, on which ControlNet's own events fail; picture and mask stay white.
        sketch = getattr(block, "tool", None) in ("sketch", "color-sketch")
        fixed = getattr(block, "interactive", None) is False
        if not isinstance(block, USER_CONTROLS) or hidden_text or sketch or fixed:
            continue
        parent = block.parent
        while parent is not None and id(parent) not in titles:
            parent = parent.parent
        name = f"{titles.get(id(parent), '')}/{block.label or ''}"
        number = sum(known.rpartition("#")[0] == name for known in found) + 1
        found[f"{name}#{number}"] = block
    return found


def _is_own_script(script: Any) -> bool:
    return Path(script.filename).resolve().is_relative_to(EXTENSION_FOLDER)


@contextmanager
def _current(runner: Any) -> Iterator[None]:
    """Make the host report components created inside the block to this runner's scripts."""
    previous = scripts.scripts_current
    scripts.scripts_current = runner
    try:
        yield
    finally:
        scripts.scripts_current = previous
