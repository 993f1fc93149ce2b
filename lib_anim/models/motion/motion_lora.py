"""Motion LoRAs and MotionDirector's temporal files, in every layout, and the modules that they change."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from lib_anim.errors import FlipbookError, Problem
from lib_anim.models.archive import read_tensors
from lib_anim.models.lora.deltas import Change, LowRank
from lib_anim.models.motion.keys import is_motion_lora, lora_part, motion_layer
from lib_anim.models.motion.reader import MotionModule
from lib_anim.models.table import read_table


@dataclass(frozen=True)
class MotionLora:
    """A file's changes to a motion module's linear layers."""

    name: str
    changes: Mapping[str, Change]
    """By native name with underscores for dots, the one form that all layouts can be brought to."""
    strangers: tuple[str, ...] = ()
    """Layers in the file that are none of a motion module's."""


def read_motion_lora(path: Path) -> MotionLora:
    """Reads native, diffusers', peft's or kohya's layout. Raises NotFound; FlipbookError for other files."""
    if not is_motion_lora(read_table(path)):
        raise FlipbookError(
            Problem(f"{path.name} is not a motion LoRA.", field="motion_loras", code="lora.invalid")
        )
    parts: dict[str, dict[str, Tensor]] = defaultdict(dict)
    strangers = set()
    for key, value in read_tensors(path).items():
        stem, part = lora_part(key)
        layer = motion_layer(stem)
        if part is None or layer is None:
            strangers.add(stem)
        else:
            parts[layer][part] = value
    changes = {
        layer: LowRank(down=p["down"], up=p["up"], alpha=float(p["alpha"]) if "alpha" in p else None)
        for layer, p in parts.items()
        if "down" in p and "up" in p
    }
    return MotionLora(path.stem, changes, tuple(sorted(strangers)))


def with_lora(module: MotionModule, lora: MotionLora, weight: float) -> tuple[MotionModule, tuple[str, ...]]:
    """The module with W + weight·(up @ down) in float32 for every layer that the LoRA has; shares the rest.

    Also names the LoRA's layers that the module lacks. Weight 0 gives the module itself. Raises
    FlipbookError when no layer fits.
    """
    places = {
        f"{site}.temporal_transformer.{name.removesuffix('.weight')}".replace(".", "_"): (site, name)
        for site, weights in module.weights.items()
        for name in weights
        if name.endswith(".weight")
    }
    fitting = [name for name, change in lora.changes.items() if _fits(module, places.get(name), change)]
    if not fitting:
        raise FlipbookError(
            Problem(
                f'no layer of the motion LoRA "{lora.name}" fits {module.facts.name} ({module.facts.title}).',
                field="motion_loras",
                code="lora.invalid",
            )
        )
    unmatched = (*(name for name in lora.changes if name not in fitting), *lora.strangers)
    if weight == 0:
        return module, unmatched
    changed = {site: dict(weights) for site, weights in module.weights.items()}
    for layer in fitting:
        site, name = places[layer]
        old = changed[site][name].float()
        changed[site][name] = old + lora.changes[layer].delta(old) * weight
    return MotionModule(module.facts, changed), unmatched


def _fits(module: MotionModule, place: tuple[str, str] | None, change: Change) -> bool:
    if place is None:
        return False
    return change.fits(module.weights[place[0]][place[1]])
