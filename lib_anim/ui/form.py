"""The form of one kind: basic controls first, all others in groups below."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import gradio as gr

from lib_anim.settings.base import DEFORUM_KEYS, Settings
from lib_anim.settings.fields import PathText, Prompts, Schedule, Spec, Words
from lib_anim.settings.names import Names
from lib_anim.ui import controls
from lib_anim.ui import gradio_compat as majors
from lib_anim.ui.fields import fields_of
from lib_anim.ui.texts import GROUPS
from lib_anim.ui.toolkit import Toolkit

FILES = {"checkpoint": "checkpoints", "vae": "vaes", "module": "motion_modules"}
"""Settings that name a file → what the desk calls such files, where it looks for them."""


def defaults_of(cls: type[Settings]) -> dict[str, Any]:
    """What the controls show at first."""
    fresh = cls()
    values = {**fresh.values(), "dialect": fresh.dialect}
    return {name: controls.shown(spec, spec.to_json(values[name])) for name, spec in fields_of(cls).items()}


class Form:
    """Draws the controls of a kind into the current Gradio context and reads them."""

    def __init__(
        self,
        toolkit: Toolkit,
        cls: type[Settings],
        choices: Mapping[str, Sequence[str]],
        look_again: Callable[[str], Sequence[str]],
    ) -> None:
        self.kind = cls.kind
        self.fields = fields_of(cls)
        self.controls: dict[str, Any] = {}
        self._toolkit = toolkit
        self._choices, self._look_again = choices, look_again
        self.defaults = defaults_of(cls)

    def draw_first(self) -> None:
        """What a newcomer needs, in the order of the settings' definition."""
        basic = {name: spec for name, spec in self.fields.items() if spec.basic}
        wide = [
            name for name, spec in basic.items() if isinstance(spec, Prompts | PathText) or name == "negative"
        ]
        narrow = [name for name in basic if name not in wide]
        for name in sorted(wide, key=lambda n: not isinstance(basic[n], Prompts) and n != "negative"):
            self._draw(name)
        for start in range(0, len(narrow), 2):
            with gr.Row(elem_classes=["flipbook-pair"]):
                for name in narrow[start : start + 2]:
                    self._draw(name)

    def draw_groups(self) -> None:
        """Everything else, each group in an accordion that starts closed."""
        groups: dict[str, list[str]] = {}
        for name, spec in self.fields.items():
            if not spec.basic:
                groups.setdefault(spec.group or "Language", []).append(name)
        for group, names in groups.items():
            elem_id = self._toolkit.elem_id(f"{self.kind}_group_{group.lower().replace(' ', '_')}")
            with gr.Accordion(GROUPS.get(group, group), open=False, elem_id=elem_id):
                for row in _rows(self.fields, names):
                    with gr.Row(elem_classes=["flipbook-pair"]):
                        for name in row:
                            self._draw(name)

    def _draw(self, name: str) -> None:
        if not self._is_file(name):
            self._draw_control(name)
            return
        with gr.Row(elem_classes=["flipbook-with-refresh"]):
            self._draw_control(name)
            self._draw_refresh(name)

    def _is_file(self, name: str) -> bool:
        """Whether the names to choose from are files, which may come and go."""
        return name in FILES and name in self._choices

    def _draw_refresh(self, name: str) -> None:
        """A button that looks for files again: the host's, where it has one."""
        elem_id = self._toolkit.elem_id(f"{self.kind}_{name}_refresh")
        if self._toolkit.refresh_button is not None:
            self._toolkit.refresh_button(self.controls[name], partial(self._look_again, name), elem_id)
            return
        button = gr.Button("↻", elem_id=elem_id, elem_classes=["flipbook-refresh"])
        button.click(
            lambda: majors.changed(choices=list(self._look_again(name))),
            None,
            self.controls[name],
            **majors.quiet(),
        )

    def _draw_control(self, name: str) -> None:
        spec = self.fields[name]
        named = isinstance(spec, Words | Names) or type(spec).__name__ == "Text"
        choices = self._choices.get(name, ()) if named else ()
        self.controls[name] = controls.draw(
            spec, self.defaults[name], self._toolkit.elem_id(f"{self.kind}_{name}"), choices
        )

    def read(self, values: Sequence[Any]) -> dict[str, Any]:
        """Settings as JSON from the values of all controls, in their order."""
        return {
            name: controls.read(self.fields[name], value)
            for name, value in zip(self.controls, values, strict=True)
        }

    def change(self, shown: Mapping[str, Any]) -> list[Any]:
        """A change for every control: to its value in `shown`, or none where it is not there."""
        return [majors.changed(**({"value": shown[name]} if name in shown else {})) for name in self.controls]


def shown_of(cls: type[Settings], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as JSON → values of the controls. Other keys are kept separately, for saving."""
    fields = fields_of(cls)
    found = {name: controls.shown(fields[name], value) for name, value in settings.items() if name in fields}
    kept = {DEFORUM_KEYS: settings[DEFORUM_KEYS]} if DEFORUM_KEYS in settings else {}
    return {**defaults_of(cls), **found, **kept}


def _rows(fields: Mapping[str, Spec], names: Sequence[str]) -> list[list[str]]:
    """Names in rows of two; prompts have a row for themselves."""
    rows: list[list[str]] = []
    for name in names:
        alone = isinstance(fields[name], Prompts)
        if alone or not rows or len(rows[-1]) == 2 or isinstance(fields[rows[-1][0]], Prompts):
            rows.append([])
        rows[-1].append(name)
    return rows


def is_curve(spec: Spec) -> bool:
    """Whether a setting is a number over time, which has a graph."""
    return isinstance(spec, Schedule) and not isinstance(spec, Words)
