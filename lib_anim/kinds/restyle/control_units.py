# ruff: noqa: E501 (one setting, one line: tables may be wide)
"""ControlNet units in settings, under sd-webui-controlnet's names."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, get_args

from lib_anim.errors import FlipbookError, Problem
from lib_anim.settings.base import Settings, specs
from lib_anim.settings.fields import Choice, Flag, Number, PathText, Schedule, Spec, Words, Wrong, setting
from lib_anim.settings.sources import SourceText
from lib_anim.timeline.items import Dialect
from lib_anim.types import ControlMode, UnitResizeMode

MOST_UNITS = 10
"""As many as sd-webui-controlnet's own settings allow."""


# fmt: off
@dataclass(frozen=True, kw_only=True)
class Unit(Settings):
    """One ControlNet unit of a film: its frame n belongs to the film's frame n."""

    kind: ClassVar[str] = "a ControlNet unit"

    enabled: bool = setting(True, Flag(label="Enable", help="Off leaves the unit away."))
    module: str = setting("none", Words(label="Preprocessor", help="What is made of the unit's picture, by frame; none takes it as it is."))
    model: str = setting("None", Words(label="Model", help="The ControlNet model, by frame."))
    weight: str = setting("0:(1)", Schedule(label="Control Weight", help="How strongly the unit acts.", low=0, high=2))
    guidance_start: str = setting("0:(0)", Schedule(label="Starting Control Step", help="Part of the steps at which it begins.", low=0, high=1))
    guidance_end: str = setting("0:(1)", Schedule(label="Ending Control Step", help="Part of the steps at which it ends.", low=0, high=1))
    image: str = setting("video", SourceText(label="Image", help="Where its picture comes from: the film's own video, what is repainted (init), the frame painted last, or another picture, film or folder.", words=("video", "init", "previous output")))
    mask: str = setting("", PathText(label="Mask", help="A picture, film or folder: where the unit acts; empty is everywhere."))
    resize_mode: UnitResizeMode = setting("Crop and Resize", Choice(label="Resize Mode", help="How a picture of another shape fills the frame.", options=get_args(UnitResizeMode)))
    control_mode: ControlMode = setting("Balanced", Choice(label="Control Mode", help="Whether prompt or unit weighs more.", options=get_args(ControlMode)))
    pixel_perfect: bool = setting(False, Flag(label="Pixel Perfect", help="The preprocessor works at the film's size."))
    processor_res: int = setting(512, Number(label="Preprocessor Resolution", help="Its size otherwise.", whole=True, low=-1, high=4096, unit="px"))
    threshold_a: float = setting(-1.0, Number(label="Threshold A", help="The preprocessor's first number; -1 takes its default."))
    threshold_b: float = setting(-1.0, Number(label="Threshold B", help="The preprocessor's second number; -1 takes its default."))
    low_vram: bool = setting(False, Flag(label="Low VRAM", help="Moves the model out of the way between frames."))
# fmt: on


ALIASES = {
    "input_image": "image",
    "lowvram": "low_vram",
    "preprocessor": "module",
    "guidance": "guidance_end",
    "is_enabled": "enabled",
}
"""Other names that sd-webui-controlnet's API reads → ours."""


@dataclass(frozen=True, kw_only=True)
class ControlUnits(Spec):
    """A list of ControlNet units, each an object of `Unit`'s settings."""

    def allowed(self) -> str:
        return f"a list of at most {MOST_UNITS} objects with {', '.join(specs(Unit))}"

    def check(self, value: Any, *, field: str, dialect: Dialect) -> tuple[Unit, ...]:
        if value is None or value == "":
            return ()
        if isinstance(value, str | Mapping) or not isinstance(value, Sequence) or len(value) > MOST_UNITS:
            raise Wrong(self.allowed())
        units, problems = [], []
        for number, given in enumerate(value):
            try:
                units.append(_unit(given, dialect))
            except FlipbookError as error:
                problems += [
                    dataclasses.replace(p, field=f"{field} {number} {p.field}".strip())
                    for p in error.problems
                ]
        if problems:
            raise FlipbookError(*problems)
        return tuple(units)

    def schema(self) -> dict[str, Any]:
        one = {name: {"title": spec.label, **spec.schema()} for name, spec in specs(Unit).items()}
        return {
            "type": "array",
            "maxItems": MOST_UNITS,
            "items": {"type": "object", "properties": one, "additionalProperties": False},
        }

    def to_json(self, value: Sequence[Unit]) -> list[dict[str, Any]]:
        return [unit.from_defaults() for unit in value]

    def rooted(self, value: Any, place: Callable[[str], str]) -> Any:
        return tuple(
            unit.changed({name: specs(Unit)[name].rooted(getattr(unit, name), place) for name in specs(Unit)})
            for unit in value
        )


def _unit(given: Any, dialect: Dialect) -> Unit:
    if isinstance(given, Unit):
        return given
    if not isinstance(given, Mapping):
        raise FlipbookError(
            Problem('takes an object such as {"model": "…", "weight": 1}', code="control.invalid")
        )
    values = {ALIASES.get(str(key), str(key)): value for key, value in given.items()}
    unknown = [name for name in values if name not in specs(Unit)]
    if unknown:
        raise FlipbookError(*(_unknown(name) for name in unknown))
    for name, words in (("resize_mode", get_args(UnitResizeMode)), ("control_mode", get_args(ControlMode))):
        number = values.get(name)
        # sd-webui-controlnet's API takes these choices by number too.
        if isinstance(number, int) and not isinstance(number, bool) and 0 <= number < len(words):
            values[name] = words[number]
    return Unit(**values, dialect=dialect)


def _unknown(name: str) -> Problem:
    near = difflib.get_close_matches(name, specs(Unit), n=1, cutoff=0.6)
    hint = f'the nearest is "{near[0]}"' if near else f"it has {', '.join(specs(Unit))}"
    return Problem(f"a ControlNet unit has no such setting; {hint}", field=name, code="control.invalid")
