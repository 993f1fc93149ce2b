"""Read pasted infotext: Flipbook's own line, or the WebUI's parameters of any picture."""

from __future__ import annotations

from typing import Any

from lib_anim.errors import FlipbookError, Problem
from lib_anim.settings.base import Settings, specs, to_json
from lib_anim.settings.fields import Schedule, Spec, Words
from lib_anim.settings.infotext import HEAD, from_infotext
from lib_anim.settings.png_info import parse_parameters

SAME = {
    "Prompt": "prompts",
    "Negative prompt": "negative",
    "Steps": "steps",
    "Sampler": "sampler",
    "Schedule type": "scheduler",
    "CFG scale": "cfg_scale",
    "Seed": "seed",
    "Clip skip": "clip_skip",
    "Denoising strength": "denoising",
    "Variation seed": "subseed",
    "Variation seed strength": "subseed_strength",
}
"""The WebUI's label → the setting that means the same, where a kind has it."""


def pasted(cls: type[Settings], text: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """(settings as JSON by name, warnings) that a copied text holds; only those that it names.

    Raises FlipbookError for a text that holds none, and for Flipbook's line of another kind.
    """
    if f"{HEAD}: " in text:
        settings, warnings = from_infotext(cls, text)
        return to_json(settings), warnings
    found = parse_parameters(text)
    if "Steps" not in found:
        raise FlipbookError(
            Problem("the text holds no parameters of a picture", field="infotext", code="infotext.invalid")
        )
    known = specs(cls)
    values: dict[str, Any] = {
        name: _value(known[name], found[label])
        for label, name in SAME.items()
        if label in found and name in known
    }
    if "denoising" not in known and "strength" in known and "Denoising strength" in found:
        values["strength"] = f"0:({1 - float(found['Denoising strength']):g})"
    if "Size" in found and {"width", "height"} <= known.keys():
        width, _, height = found["Size"].partition("x")
        values |= {"width": int(width), "height": int(height)}
    return values, ()


def _value(spec: Spec, text: str) -> Any:
    """What a picture had, for all frames."""
    over_time = isinstance(spec, Schedule) and not isinstance(spec, Words)
    return f"0:({text})" if over_time else spec.from_text(text)
