"""Disk space that a film needs at most."""

from __future__ import annotations

import shutil
from pathlib import Path

from lib_anim.jobs.run.folder import KEEP_EVERY
from lib_anim.kinds.base import Plan
from lib_anim.kinds.upscale_step import upscaled_size

PICTURES_IN_STATE = 2
"""Float32 pictures that a loop's state holds at most."""


def most_bytes(plan: Plan) -> int:
    """What a film's frames and states take on the disk at most: as much as without compression."""
    painted, shown = (
        width * height * 3 for width, height in (plan.size, upscaled_size(plan.settings, plan.size))
    )
    states = min(len(plan.painted), (plan.frames - plan.painted[0]) // KEEP_EVERY + 3)
    return shown * plan.frames + painted * states * PICTURES_IN_STATE * 4


def disk_warning(parent: Path, plan: Plan) -> tuple[str, ...]:
    """A sentence where the disk may not hold the film."""
    place = next(folder for folder in (parent.absolute(), *parent.absolute().parents) if folder.exists())
    need, free = most_bytes(plan), shutil.disk_usage(place).free
    if need <= free:
        return ()
    return (f"the film may need up to {need / 2**30:.1f} GiB and {free / 2**30:.1f} GiB are free",)
