"""Checks of arguments for a host's always-on scripts: titles and ControlNet units."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lib_anim.engines.contract.capabilities import Capabilities
from lib_anim.errors import Problem

CONTROLNET = "ControlNet"
"""The title of sd-webui-controlnet's script."""

NO_MODEL = "None"
"""The model of a unit that needs none."""

Scripts = Mapping[str, Sequence[Any]]
"""Title, case-insensitive → arguments."""


def enabled_units(scripts: Scripts) -> list[Mapping[str, Any]]:
    """The enabled units in ControlNet's arguments."""
    own = next((given for title, given in scripts.items() if title.lower() == CONTROLNET.lower()), ())
    return [unit for unit in own if isinstance(unit, Mapping) and unit.get("enabled")]


def unknown_titles(scripts: Scripts, can: Capabilities) -> list[str]:
    """Titles of scripts that the engine does not have."""
    known = {title.lower() for title in can.scripts}
    return sorted(title for title in scripts if title.lower() not in known)


def missing_models(scripts: Scripts, can: Capabilities) -> Iterator[Problem]:
    """A problem for each enabled unit whose model does not exist: ControlNet would run without it."""
    if not can.control:
        return
    for unit in enabled_units(scripts):
        if isinstance(unit.get("model"), Mapping):
            continue  # A schedule, which is checked frame by frame.
        model = str(unit.get("model") or NO_MODEL)
        if model != NO_MODEL and model not in can.control_models:
            have = f"it has {', '.join(can.control_models)}" if can.control_models else "it has none"
            yield Problem(
                f'there is no ControlNet model "{model}" here; {have}',
                field="scripts",
                code="controlnet.not_found",
            )
