"""Seeds of painted frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

SEEDS = 2**32
"""Seeds are whole numbers below this, as in the WebUI."""

COUNTED = ("iter", "fixed", "ladder", "alternate")
"""Behaviours that go on from the seed before: where a blank frame was painted again with the next seed, all
later ones move on with it. A schedule's and drawn seeds stay what they are."""


def painted_seeds(behavior: str, seed: int, painted: int, iter_n: int, schedule: Sequence[int]) -> list[int]:
    """The seed of each painted frame, modulo 2³².

    behavior, as in Deforum: "iter" adds 1 after the first painted frame and then after every `iter_n`;
    "fixed" keeps the seed; "ladder" goes +2, −1 by turns and "alternate" +1, −1; "random" draws each from
    the base seed, the same on every machine; "schedule" takes `schedule` (a value per painted frame), where
    -1 draws.
    """
    k = np.arange(painted)
    if behavior == "iter":
        offsets = (k + iter_n - 1) // iter_n
    elif behavior == "ladder":
        offsets = (k + 1) // 2 * 2 - k // 2
    elif behavior == "alternate":
        offsets = k % 2
    elif behavior == "fixed":
        offsets = np.zeros(painted, int)
    else:
        drawn = [int(x) for x in np.random.default_rng(seed).integers(SEEDS, size=painted)]
        if behavior == "random":
            return [seed, *drawn[1:]] if painted else []
        return [drawn[i] if value == -1 else value % SEEDS for i, value in enumerate(schedule)]
    return [int(seed + offset) % SEEDS for offset in offsets]
