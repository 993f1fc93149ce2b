"""Drafts of restyled films."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from lib_anim.engines.contract.capabilities import Capabilities
from lib_anim.errors import FlipbookError, Problem
from lib_anim.kinds.draft import DraftOptions, check_frame, half_size
from lib_anim.kinds.restyle.plan import RestylePlan


def make_draft(plan: RestylePlan, trial: DraftOptions, capabilities: Capabilities) -> RestylePlan:
    """The plan of a trial: true frames keep their own pictures, numbers and seeds.

    Every n-th frame of a film that feeds on its own output is painted from the n-th frame before it.
    Raises FlipbookError for what cannot be tried.
    """
    shown = plan.shown[:: trial.every]
    if trial.only is not None:
        check_frame(trial.only, plan.frames)
        if plan.uses_previous and trial.only > 0:
            sentence = (
                f"frame {trial.only} is painted from the frame before it; --every shows such a film quickly"
            )
            raise FlipbookError(Problem(sentence, field="only", code="draft.invalid"))
        shown = (trial.only,)
    tried = replace(plan, shown=shown, trial=trial)
    return _half(tried, math.lcm(8, capabilities.multiple_of)) if trial.half else tried


def _half(plan: RestylePlan, unit: int) -> RestylePlan:
    """The same plan at half the size, with all lengths in pixels scaled."""
    width, height = half_size(plan.size, unit)
    mean = math.sqrt(width / plan.size[0] * height / plan.size[1])
    numbers = dict(plan.curves.numbers)
    numbers["mask_blur"] = numbers["mask_blur"] * mean
    numbers["mask_padding"] = np.rint(numbers["mask_padding"] * mean)
    return replace(plan, size=(width, height), curves=replace(plan.curves, numbers=numbers))
