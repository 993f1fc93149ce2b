"""Controls for settings: created from a setting's spec, read back as JSON values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from lib_anim.settings.fields import (
    Choice,
    Choices,
    Flag,
    MaskWords,
    Number,
    PathText,
    Prompts,
    Rate,
    Schedule,
    Spec,
    Text,
    Words,
)
from lib_anim.settings.names import Names
from lib_anim.ui import gradio_compat as majors

FINEST = 1000
"""Steps up to which a number is a slider: beyond, one pixel of it would skip values."""

RADIO_LETTERS = 36
"""Letters of all options together up to which they stand side by side."""


def draw(spec: Spec, value: Any, elem_id: str, choices: Sequence[str] = ()) -> Any:
    """The component of a setting whose JSON value is `value`. `choices` are names known for it, if any."""
    common = {"label": spec.label, "elem_id": elem_id}
    value = shown(spec, value)
    if isinstance(spec, Flag):
        return gr.Checkbox(value=value, **common)
    if isinstance(spec, Choices):
        return gr.CheckboxGroup(choices=list(spec.options), value=value, **common)
    if isinstance(spec, Names):
        names = list(dict.fromkeys([*choices, *value]))
        return majors.names_dropdown(names, value, **common)
    if isinstance(spec, Choice):
        short = len("".join(spec.options)) <= RADIO_LETTERS
        return (gr.Radio if short else gr.Dropdown)(choices=list(spec.options), value=value, **common)
    if isinstance(spec, Number):
        step = step_of(spec)
        if step is None:
            return gr.Number(value=value, **common)
        return gr.Slider(minimum=spec.low, maximum=spec.high, step=step, value=value, **common)
    if choices:
        return gr.Dropdown(
            choices=list(dict.fromkeys([*choices, value])), value=value, allow_custom_value=True, **common
        )
    if isinstance(spec, Prompts):
        return gr.Textbox(
            value=value, lines=4, placeholder="spring meadow\n0: spring meadow …  48: winter", **common
        )
    one_line = isinstance(spec, Rate | PathText) or (
        isinstance(spec, Words) and not isinstance(spec, MaskWords)
    )
    if one_line or isinstance(spec, Schedule | Text):
        return gr.Textbox(value=value, lines=1, max_lines=1 if one_line else 6, **common)
    return gr.Textbox(value=value, lines=2, **common)


def step_of(spec: Number) -> float | None:
    """How far a slider's smallest move goes; None where a number is typed instead."""
    if spec.low is None or spec.high is None:
        return None
    span = spec.high - spec.low
    step = (
        float(spec.multiple)
        if spec.whole
        else next(s for s in (0.01, 0.1, 1.0) if span / s <= FINEST or s == 1.0)
    )
    return step if span / step <= FINEST else None


def shown(spec: Spec, value: Any) -> Any:
    """What the component shows for a setting's JSON value."""
    if isinstance(spec, Flag | Number | Choice):
        return value
    if isinstance(spec, Choices | Names):
        return list(value)
    if isinstance(value, Mapping) and set(value) == {"0"}:
        return str(value["0"])
    if isinstance(value, Mapping | list):
        return json.dumps(value, ensure_ascii=False, indent=2)
    return "" if value is None else str(value)


def read(spec: Spec, value: Any) -> Any:
    """A component's value as the setting's JSON value. What is wrong with it is for the settings to say."""
    if isinstance(value, str) and value.lstrip()[:1] in "{[" and not isinstance(spec, Text | Schedule):
        return spec.from_text(value)
    return value
