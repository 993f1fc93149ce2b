"""Adds the accordion's settings as axes to the host's X/Y/Z plot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from modules import scripts

from lib_anim.kinds.clip.animatediff import NAME, ClipCall
from lib_anim.kinds.clip.motion_settings import LATENTS, Motion
from lib_anim.settings.base import specs
from lib_anim.settings.fields import Choice, Flag, Number, PathText, Rate, Schedule
from lib_anim.webui.clip.accordion import AUTOMATIC, ENABLE

AXES = "flipbook_axes"
"""Attribute of a plot cell's request: the settings that the cell changes, by name."""

PLOT = "X/Y/Z plot"
"""The title of the host's script."""

PREFIX = f"[{NAME}] "


def add_axes() -> None:
    """The host's `on_before_ui`: append the axes to the plot's own, replacing those of an earlier call."""
    for data in scripts.scripts_data:
        if data.script_class.__module__ == "xyz_grid.py":
            others = [axis for axis in data.module.axis_options if not axis.label.startswith(PREFIX)]
            data.module.axis_options[:] = [*others, *_axes(data.module)]


def with_axes(call: ClipCall, p: Any) -> ClipCall:
    """The call with the changes of a plot's cell applied. Raises FlipbookError."""
    changes = dict(getattr(p, AXES, {}))
    enable = bool(changes.pop(ENABLE, call.enable))
    return replace(call, enable=enable, motion=call.motion.changed(changes))


def is_plot_cell(p: Any) -> bool:
    """Whether a request is a cell of a plot, which combines pictures and cannot show films."""
    selected = p.script_args[0] if p.script_args else 0
    if not isinstance(selected, int) or selected < 1 or p.scripts is None:
        return False
    script = p.scripts.selectable_scripts[selected - 1]
    return str(script.title()) == PLOT


def _axes(plot: Any) -> Iterator[Any]:
    yield plot.AxisOption(PREFIX + "Enable", _flag, _apply(ENABLE), choices=_flags)
    for name, spec in specs(Motion).items():
        option = plot.AxisOptionImg2Img if spec.group == LATENTS else plot.AxisOption
        label, apply = PREFIX + spec.label, _apply(name)
        if name == "module":
            yield option(label, _module, apply, choices=_modules, cost=0.5)
        elif isinstance(spec, Number):
            yield option(label, int if spec.whole else float, apply)
        elif isinstance(spec, Flag):
            yield option(label, _flag, apply, choices=_flags)
        elif isinstance(spec, Choice):
            yield option(label, str, apply, choices=lambda options=spec.options: list(options))
        elif isinstance(spec, Rate | Schedule | PathText):
            yield option(label, str, apply)


def _apply(name: str) -> Callable[[Any, Any, Any], None]:
    def apply(p: Any, value: Any, values: Any) -> None:
        # A new dict: cells are shallow copies of one request.
        setattr(p, AXES, {**getattr(p, AXES, {}), name: value})

    return apply


def _flags() -> list[str]:
    return ["True", "False"]


def _flag(value: str) -> bool:
    word = value.strip().lower()
    if word not in ("true", "false"):
        raise ValueError(f'"{value}" is not a boolean; allowed are True and False')
    return word == "true"


def _modules() -> list[str]:
    # Imported here because it loads torch and the host's models.
    from lib_anim.webui.clip.motion_files import module_names

    return [AUTOMATIC, *module_names()]


def _module(value: str) -> str:
    return "" if value == AUTOMATIC else value
