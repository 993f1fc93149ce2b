"""ControlNet units for the host's ControlNet extension (sd-webui-controlnet 1.1.4xx)."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from lib_anim.engines.contract.requests import ControlUnit
from lib_anim.engines.contract.scripts import CONTROLNET, Scripts, enabled_units
from lib_anim.errors import FlipbookError, Problem
from lib_anim.webui.host.images import to_pil

TITLE = CONTROLNET
"""The extension's title, and its key among always-on scripts."""

API = "internal_controlnet.external_code"
"""The extension's public module; imported by the extension itself where it is enabled."""


def installed() -> bool:
    """Whether the extension is installed and enabled."""
    return API in sys.modules


def models() -> tuple[str, ...]:
    """Names of the ControlNet models that the extension finds, each with and without its hash suffix."""
    if not installed():
        return ()
    full = [str(name) for name in sys.modules[API].get_models()]
    return tuple(dict.fromkeys([*full, *(name.rsplit(" [", 1)[0] for name in full)]))


def modules() -> tuple[str, ...]:
    """Names of the extension's preprocessors."""
    return tuple(sys.modules[API].get_modules()) if installed() else ()


def arguments(units: Sequence[ControlUnit]) -> list[dict[str, Any]]:
    """The units as the extension's request dicts."""
    return [dict(_fields(unit)) for unit in units]


def with_units(scripts: Scripts, units: Sequence[ControlUnit]) -> dict[str, Sequence[Any]]:
    """Title → script arguments: ControlNet gets the film's units, then its own enabled units."""
    if not units:
        return dict(scripts)
    others = {title: given for title, given in scripts.items() if title.lower() != TITLE.lower()}
    return {TITLE: [*arguments(units), *enabled_units(scripts)], **others}


def units_error(p: Any, units: int) -> FlipbookError | None:
    """An error when the extension has loaded fewer than `units` units; checked right before sampling.

    The host swallows the extension's exceptions and would render without ControlNet.
    """
    if not units:
        return None
    script = next((s for s in p.scripts.alwayson_scripts if s.title() == TITLE), None)
    network = getattr(script, "latest_network", None)
    loaded = 0 if network is None else len(getattr(network, "control_params", None) or ())
    if loaded >= units:
        return None
    return FlipbookError(
        Problem(
            f"ControlNet loaded {loaded} of {units} units; check their models and pictures and the WebUI's"
            " log",
            field="control",
            code="controlnet.units_not_loaded",
        )
    )


def _fields(unit: ControlUnit) -> Iterator[tuple[str, Any]]:
    yield "enabled", True
    for name in (
        "module", "model", "weight", "guidance_start", "guidance_end", "resize_mode", "control_mode",
        "pixel_perfect", "processor_res", "threshold_a", "threshold_b", "low_vram",
    ):  # fmt: skip
        yield name, getattr(unit, name)
    # A returned map would be mixed with the rendered pictures.
    yield "save_detected_map", False
    if unit.image is not None:
        picture = np.asarray(to_pil(unit.image))
        mask = None if unit.mask is None else np.asarray(to_pil(unit.mask).convert("RGB"))
        yield "image", picture if mask is None else {"image": picture, "mask": mask}
