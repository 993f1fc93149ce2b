"""Factors by block of the UNet, as people write them: `down 0: 0.5, mid: 0, up 3.1: 1.2`."""

from __future__ import annotations

import math
import re

from lib_anim.errors import FlipbookError, Problem

_PLACE = re.compile(r"(down|up)(?:_blocks)?[ .](\d)(?:[ .](?:motion_modules\.)?(\d))?|(mid)(?:_block)?")
MOST = 10.0


def read_blocks(text: str, field: str) -> dict[str, float]:
    """Factors by the places' native names, `up_blocks.3.motion_modules.1` or its beginning.

    Levels of the UNet count from 0, on the way down from the outermost, on the way up from the innermost; a
    second number is the layer in the level. Raises FlipbookError, naming the part that cannot be read.
    """
    found: dict[str, float] = {}
    problems = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        place, _, number = part.partition(":")
        known = _PLACE.fullmatch(place.strip())
        try:
            factor = float(number)
        except ValueError:
            factor = math.nan
        if known is None:
            problems.append(
                Problem(
                    f'"{place.strip()}" is not a block; write down 0, mid, up 3 or up 3.1',
                    field=field,
                    code="motion.bad_block",
                )
            )
        elif not 0 <= factor <= MOST:
            problems.append(
                Problem(
                    f'"{part}" has no factor from 0 to {MOST:g}; write {place.strip()}: 0.5',
                    field=field,
                    code="motion.bad_block",
                )
            )
        else:
            found[_name(known)] = factor
    if problems:
        raise FlipbookError(*problems)
    return found


def _name(known: re.Match[str]) -> str:
    way, level, layer, middle = known.groups()
    if middle:
        return "mid_block"
    return f"{way}_blocks.{level}" + (f".motion_modules.{layer}" if layer else "")
