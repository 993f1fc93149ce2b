"""Which frame of the source is shown when, and reading them in that order."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from lib_anim.errors import FlipbookError, Problem
from lib_anim.kinds.assemble.settings import Assemble
from lib_anim.media.contract import Frame, FrameSource

HELD_BYTES = 256 * 2**20
"""Decoded frames held at once while a film is read backwards: files decode forwards only."""


def frame_order(settings: Assemble, frames: int) -> NDArray[np.int64]:
    """Indices into a source of `frames` frames, one per frame of the film.

    Speed comes first (each frame of the film shows what the source shows at its middle), then reverse,
    boomerang, loop. Raises FlipbookError when nothing is left.
    """
    speed = Fraction(settings.speed).limit_denominator(1000)
    count = math.floor(frames / speed + Fraction(1, 2))
    if frames == 0 or count == 0:
        raise FlipbookError(
            Problem(
                f"{settings.speed:g} leaves no frame of {frames}; slow it down",
                field="speed",
                code="video.too_short",
            )
        )
    order = np.array(
        [min(frames - 1, math.floor((i + Fraction(1, 2)) * speed)) for i in range(count)], np.int64
    )
    if settings.reverse:
        order = order[::-1]
    if settings.boomerang:
        # Without the turning frames: in a loop each would stand still for two frames.
        order = np.concatenate([order, order[-2:0:-1]])
    return np.tile(order, settings.loop)


def keeps_step(settings: Assemble) -> bool:
    """Whether the source's own sound still fits its frames."""
    return settings.speed == 1 and settings.loop == 1 and not settings.reverse and not settings.boomerang


def read_in_order(source: FrameSource, order: Sequence[int] | NDArray[np.int64]) -> Iterator[Frame]:
    """The source's frames in any order, with bounded memory and without decoding a film backwards.

    Falling stretches are read forwards in blocks and given out backwards.
    """
    info = source.info
    block = max(1, HELD_BYTES // (info.width * info.height * (4 if info.alpha else 3)))
    for stretch in _stretches([int(i) for i in order], block):
        if stretch[0] <= stretch[-1]:
            for index in stretch:
                yield source[index]
        else:
            held = {index: source[index] for index in sorted(set(stretch))}
            for index in stretch:
                yield held[index]


def _stretches(order: list[int], longest: int) -> Iterator[list[int]]:
    """Cut an order where it turns, and falling parts also after `longest` frames."""
    stretch: list[int] = []
    direction = 0
    for index in order:
        step = (index > stretch[-1]) - (index < stretch[-1]) if stretch else 0
        if step * direction < 0 or (direction < 0 and len(stretch) >= longest):
            yield stretch
            stretch, direction, step = [], 0, 0
        direction = direction or step
        stretch.append(index)
    if stretch:
        yield stretch
