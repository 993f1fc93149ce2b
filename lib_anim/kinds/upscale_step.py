"""Finished frames made larger by one of the engine's upscalers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from lib_anim.engines.contract.capabilities import Capabilities
from lib_anim.engines.contract.engine import Engine
from lib_anim.errors import Problem
from lib_anim.types import Picture

USUAL = "Lanczos"
"""What an empty name stands for: every engine has it."""


class Upscaled(Protocol):
    """Settings of films whose frames may be made larger."""

    @property
    def upscale(self) -> float: ...

    @property
    def upscaler(self) -> str: ...


def upscaled_size(settings: object, size: tuple[int, int]) -> tuple[int, int]:
    """(width, height) of the frames that a film shows, even numbers as films need, from the painted ones'."""
    factor = float(getattr(settings, "upscale", 1))
    if factor == 1:
        return size
    width, height = (round(side * factor / 2) * 2 for side in size)
    return width, height


def upscaling(settings: object, engine: Engine) -> Callable[[Picture], Picture] | None:
    """What makes a frame larger; None where the settings ask for nothing."""
    if getattr(settings, "upscale", 1) == 1:
        return None
    name = getattr(settings, "upscaler", "") or USUAL

    def larger(picture: Picture) -> Picture:
        width, height = upscaled_size(settings, (picture.shape[1], picture.shape[0]))
        return engine.upscale(picture, name, width, height)

    return larger


def unknown_upscaler(settings: Upscaled, can: Capabilities) -> Iterable[Problem]:
    """A sentence where the engine does not have the upscaler that the settings name."""
    name = settings.upscaler or USUAL
    if settings.upscale != 1 and name not in can.upscalers:
        have = f"it has {', '.join(can.upscalers)}" if can.upscalers else "it has none"
        yield Problem(
            f'"{name}" is not an upscaler of this engine; {have}',
            field="upscaler",
            code="engine.unknown_upscaler",
        )
