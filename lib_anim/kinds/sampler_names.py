"""Deforum's sampler names, which held the spacing of noise levels too, as samplers and schedulers."""

from __future__ import annotations

from dataclasses import replace

from lib_anim.errors import FlipbookError
from lib_anim.settings.fields import DEFORUM
from lib_anim.timeline.schedule import parse_schedule

SAMPLERS = (
    *("Euler a", "Euler", "LMS", "Heun", "DPM2", "DPM2 a", "DPM++ 2S a", "DPM++ 2M", "DPM++ SDE"),
    *("DPM++ 2M SDE", "DPM++ 2M SDE Heun", "DPM++ 3M SDE", "DPM fast", "DPM adaptive", "Restart"),
    *("DDIM", "PLMS", "UniPC"),
)
SPACINGS = ("Karras", "Exponential")
"""Endings of sampler names that the WebUI has made into schedulers since."""
NO_SPACING = "Automatic"

_NAMES = {name.lower(): name for name in SAMPLERS}


def split_sampler(name: str) -> tuple[str, str]:
    """(sampler, scheduler): "dpm++ 2m karras" is "DPM++ 2M" with "Karras". Upper and lower case are one."""
    words = " ".join(name.split())
    for spacing in SPACINGS:
        if words.lower().endswith(f" {spacing.lower()}"):
            sampler = words[: -len(spacing) - 1]
            return _NAMES.get(sampler.lower(), sampler), spacing
    return _NAMES.get(words.lower(), words), NO_SPACING


def sampler_names(text: str) -> frozenset[str]:
    """The samplers of a name or a schedule, without their spacings. None of a broken schedule."""
    if ":" not in text:
        return frozenset({split_sampler(text)[0]})
    try:
        items = parse_schedule(text, strings=True, dialect=DEFORUM).items
    except FlipbookError:
        return frozenset()
    return frozenset(split_sampler(str(item.value))[0] for item in items)


def split_samplers(text: str) -> tuple[str, str]:
    """`split_sampler` for a name, or for every word of a schedule. A broken schedule comes back as it is."""
    if ":" not in text:
        return split_sampler(text)
    try:
        schedule = parse_schedule(text, strings=True, dialect=DEFORUM)
    except FlipbookError:
        return text, NO_SPACING
    pairs = [(item, split_sampler(str(item.value))) for item in schedule.items]
    samplers, schedulers = (
        str(replace(schedule, items=tuple(replace(item, value=pair[part]) for item, pair in pairs)))
        for part in (0, 1)
    )
    spaced = any(scheduler != NO_SPACING for _, (_, scheduler) in pairs)
    return samplers, schedulers if spaced else NO_SPACING
