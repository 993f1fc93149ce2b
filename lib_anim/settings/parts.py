"""Take parts of settings (motion, prompts, output) from other settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import TypeVar

from lib_anim.errors import FlipbookError, Problem
from lib_anim.settings.base import Settings, specs
from lib_anim.settings.fields import NATIVE

PARTS = {
    "motion": ("Motion", "Clip", "Context", "FreeInit", "Noise"),
    "prompts": ("Prompts",),
    "output": ("Film", "Sound", "Output"),
}
"""Part → the groups of settings that it holds."""

S = TypeVar("S", bound=Settings)


def partial(settings: S, loaded: S, only: Iterable[str]) -> S:
    """`settings` with the named parts taken from `loaded`, and everything else as it was.

    Where either was read from a Deforum file, so is the result: its schedules need that reading.
    Raises FlipbookError for a part that does not exist.
    """
    only = tuple(only)
    unknown = [f'there is no part "{n}"; there are {", ".join(PARTS)}' for n in only if n not in PARTS]
    if unknown:
        raise FlipbookError(
            *(Problem(sentence, field="only", code="settings.unknown_part") for sentence in unknown)
        )
    groups = {group for name in only for group in PARTS[name]}
    taken = {
        name: getattr(loaded, name) for name, spec in specs(type(settings)).items() if spec.group in groups
    }
    dialect = settings.dialect if settings.dialect != NATIVE or not taken else loaded.dialect
    return dataclasses.replace(settings, **taken, dialect=dialect)
