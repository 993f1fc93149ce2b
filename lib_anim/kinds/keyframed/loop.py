"""The loops of keyframed animation in the flat modes.

2D moves the last picture, steadies it, adds noise and repaints it. Interpolation paints every frame from
nothing, between the prompts. Video Input repaints every frame of a video by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lib_anim.imaging.tween import blend
from lib_anim.imaging.warp import Matrix, warp
from lib_anim.kinds.base import Studio
from lib_anim.kinds.events import Event, Finished, FrameDone, Progress, Warned
from lib_anim.kinds.keyframed.inputs import Inputs
from lib_anim.kinds.keyframed.paint import Painted, Painter
from lib_anim.kinds.keyframed.plan import KeyframedPlan
from lib_anim.kinds.seeds import COUNTED
from lib_anim.types import Picture


@dataclass(frozen=True, kw_only=True, eq=False)
class LoopState:
    """All that the loop carries from one painted frame to the next, exactly."""

    frame: int
    """The painted frame that `picture` is."""
    picture: Picture
    first: Picture
    """Frame 0, whose colours later frames take where no reference is given."""
    seed_shift: int = 0
    """How far blank frames that were painted again have moved the seeds on."""


def run(
    plan: KeyframedPlan, studio: Studio, inputs: Inputs, state: LoopState | None = None
) -> Iterator[Event]:
    """Paint the film, from its start or from a state of an earlier run of the same plan.

    Yields FrameDone for every frame in order; painted ones carry the LoopState after them. Ends with
    Finished, or without it where a blank frame stops the film. Stops when closed. Between painted
    frames a < b, frame f shows a moved on to f and b moved back to f, blended, so that the motion on
    screen is the schedule's at every frame.
    """
    for sentence in plan.warnings:
        yield Warned(sentence)
    painter = Painter(plan, studio)
    for frame in plan.painted:
        if state is not None and frame <= state.frame:
            continue
        yield Progress(frame, plan.frames, "painting")
        painted = _paint(painter, inputs, frame, state)
        for sentence in painted.warnings:
            yield Warned(sentence)
        if painted.picture is None:
            return
        if state is not None:
            yield from _in_between(painter, state, frame, painted.picture)
        state = LoopState(
            frame=frame,
            picture=painted.picture,
            first=painted.picture if state is None else state.first,
            seed_shift=painted.seed_shift if plan.settings.seed_behavior in COUNTED else 0,
        )
        values = painter.values(frame, painted.seed_shift)
        yield FrameDone(frame, state.picture, painted=True, values=values, state=state)
    yield Finished(plan.frames)


def travel(plan: KeyframedPlan, start: int, end: int) -> Matrix:
    """The motion from frame `start` to frame `end`: the product of the steps between."""
    matrix = np.eye(3)
    for frame in range(start + 1, end + 1):
        matrix = plan.motion(frame) @ matrix
    return matrix


def _paint(painter: Painter, inputs: Inputs, frame: int, state: LoopState | None) -> Painted:
    plan, settings = painter.plan, painter.plan.settings
    shift = 0 if state is None else state.seed_shift
    mask = inputs.mask(settings, frame, plan.word("mask_expression", frame))
    given = inputs.reference(settings, frame)
    if settings.mode == "Interpolation":
        return painter.paint(frame, None, 1.0, reference=given, seed_shift=shift)
    if settings.mode == "Video Input":
        source = inputs.video_picture(settings, frame)
        return painter.paint(
            frame,
            source,
            1.0 - plan.at("strength", frame),
            mask=mask,
            original=source,
            reference=given,
            seed_shift=shift,
        )
    original = inputs.init_picture(settings)
    if state is None:
        denoising = 1.0 - settings.init_strength
        return painter.paint(frame, original, denoising, mask=mask, original=original, reference=given)
    reference = state.first if given is None else given
    moved = warp(state.picture, travel(plan, state.frame, frame), settings.border)
    where = plan.word("noise_mask_expression", frame)
    noise_mask = inputs.mask(settings, frame, where) if where else mask if settings.mask_noise else None
    init = painter.prepare(frame, moved, reference, noise_mask)
    return painter.paint(
        frame,
        init,
        1.0 - plan.at("strength", frame),
        mask=mask,
        original=original,
        reference=reference,
        seed_shift=shift,
    )


def _in_between(painter: Painter, state: LoopState, end: int, picture: Picture) -> Iterator[Event]:
    plan, border = painter.plan, painter.plan.settings.border
    for frame in range(state.frame + 1, end):
        before = warp(state.picture, travel(plan, state.frame, frame), border)
        back = np.asarray(np.linalg.inv(travel(plan, frame, end)), np.float64)
        after = warp(picture, back, border)
        weight = (frame - state.frame) / (end - state.frame)
        yield FrameDone(frame, blend(before, after, weight), painted=False, values=painter.values(frame))
