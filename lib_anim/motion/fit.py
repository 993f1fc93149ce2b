"""Checks that a motion module fits a UNet, before anything is rendered."""

from __future__ import annotations

from lib_anim.errors import FlipbookError, Problem
from lib_anim.models.motion.facts import BASES, MotionFacts
from lib_anim.motion.sites import Sites


def refuse_misfit(facts: MotionFacts, sites: Sites) -> None:
    """Raises FlipbookError, with the reason, when the module does not fit the UNet."""
    places = {site.key: site.width for site in sites.blocks}
    wrong = [key for key, width in facts.sites.items() if places.get(key) != width]
    if not wrong:
        return
    ours = "·".join(map(str, facts.widths))
    theirs = "·".join(map(str, sites.widths))
    if facts.widths != sites.widths:
        why = f"its layers are {ours} channels wide, the checkpoint's {theirs}"
    else:
        why = f"the checkpoint has no layer for {wrong[0]}"
    raise FlipbookError(
        Problem(
            f"{facts.name} ({facts.title}, for {BASES[facts.base]}) does not fit this checkpoint: {why}; "
            "choose another module",
            field="module",
            code="motion_module.wrong_architecture",
        )
    )
