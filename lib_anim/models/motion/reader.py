"""Read motion modules of every layout into the native naming."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from lib_anim.models.archive import read_tensors
from lib_anim.models.motion.facts import MotionFacts, motion_facts
from lib_anim.models.motion.keys import native_names, site_of
from lib_anim.models.table import read_table


@dataclass(frozen=True)
class MotionModule:
    """A motion module read from a file."""

    facts: MotionFacts
    weights: Mapping[str, Mapping[str, Tensor]]
    """By site, then by the native name behind `temporal_transformer.`; on the CPU, in the file's type."""


def read_motion_module(path: Path) -> MotionModule:
    """Reads a motion module of any layout. Raises NotFound; FlipbookError says what else the file is."""
    facts = motion_facts(read_table(path))
    weights: dict[str, dict[str, Tensor]] = {site: {} for site in facts.sites}
    for key, value in read_tensors(path).items():
        for native in native_names(key):
            site, rest = site_of(native)
            weights[site][rest] = value
    return MotionModule(facts, weights)
