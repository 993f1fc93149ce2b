"""The loop of keyframed animation in 2D: move the last picture, steady it, add noise, repaint it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lib_anim.engines.contract import Engine, OnStep, Picture, StillRequest
from lib_anim.imaging.color import contrast, grayscale, match_colors
from lib_anim.imaging.noise import add_noise
from lib_anim.imaging.sharpen import unsharp
from lib_anim.imaging.tween import blend
from lib_anim.imaging.warp import Matrix, warp
from lib_anim.pipelines.events import Event, Finished, FrameDone, Progress, Warned
from lib_anim.pipelines.keyframed.plan import KeyframedPlan


@dataclass(frozen=True, kw_only=True, eq=False)
class Inputs:
    """Pictures that the plan names, opened by the job and of the film's size."""

    init: Picture | None = None
    color_reference: Picture | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class LoopState:
    """All that the loop carries from one painted frame to the next, exactly."""

    frame: int
    """The painted frame that `picture` is."""
    picture: Picture
    reference: Picture | None
    """Whose colours later frames take."""


def run(
    plan: KeyframedPlan,
    engine: Engine,
    inputs: Inputs,
    state: LoopState | None = None,
    on_step: OnStep | None = None,
) -> Iterator[Event]:
    """Paint the film, from its start or from a state of an earlier run of the same plan.

    Yields FrameDone for every frame in order; painted ones carry the LoopState after them. Stops
    when closed. Between painted frames a < b, frame f shows a moved on to f and b moved back to f,
    blended, so that the motion on screen is the schedule's at every frame.
    """
    for sentence in plan.warnings:
        yield Warned(sentence)
    for frame in plan.painted:
        if state is not None and frame <= state.frame:
            continue
        yield Progress(frame, plan.frames, "painting")
        if state is None:
            picture = _paint_first(plan, engine, inputs, on_step)
            reference: Picture | None = picture if inputs.color_reference is None else inputs.color_reference
        else:
            picture = _paint_next(plan, engine, frame, state, on_step)
            reference = state.reference
            yield from _in_between(plan, state, frame, picture)
        state = LoopState(frame=frame, picture=picture, reference=reference)
        yield FrameDone(frame, picture, painted=True, values=_values(plan, frame), state=state)
    yield Finished(plan.frames)


def travel(plan: KeyframedPlan, start: int, end: int) -> Matrix:
    """The motion from frame `start` to frame `end`: the product of the steps between."""
    matrix = np.eye(3)
    for frame in range(start + 1, end + 1):
        matrix = plan.motion(frame) @ matrix
    return matrix


def _in_between(plan: KeyframedPlan, state: LoopState, end: int, picture: Picture) -> Iterator[Event]:
    border = plan.settings.border
    for frame in range(state.frame + 1, end):
        before = warp(state.picture, travel(plan, state.frame, frame), border)
        back = np.asarray(np.linalg.inv(travel(plan, frame, end)), np.float64)
        after = warp(picture, back, border)
        weight = (frame - state.frame) / (end - state.frame)
        yield FrameDone(frame, blend(before, after, weight), painted=False, values=_values(plan, frame))


def _paint_first(plan: KeyframedPlan, engine: Engine, inputs: Inputs, on_step: OnStep | None) -> Picture:
    denoising = 1.0 if inputs.init is None else 1.0 - plan.settings.init_strength
    picture = engine.still(request(plan, 0, inputs.init, denoising), on_step)
    if inputs.color_reference is not None:
        picture = _steady(plan, 0, picture, inputs.color_reference)
    return grayscale(picture) if plan.settings.grayscale else picture


def _paint_next(
    plan: KeyframedPlan, engine: Engine, frame: int, state: LoopState, on_step: OnStep | None
) -> Picture:
    moved = warp(state.picture, travel(plan, state.frame, frame), plan.settings.border)
    init = prepare(plan, frame, moved, state.reference)
    picture = engine.still(request(plan, frame, init, 1.0 - plan.at("strength", frame)), on_step)
    picture = _steady(plan, frame, picture, state.reference)
    return grayscale(picture) if plan.settings.grayscale else picture


def prepare(plan: KeyframedPlan, frame: int, moved: Picture, reference: Picture | None) -> Picture:
    """What is done to the moved picture before it is repainted, in Deforum's order."""
    settings = plan.settings
    picture = _steady(plan, frame, moved, reference)
    if settings.grayscale:
        picture = grayscale(picture)
    picture = contrast(picture, plan.at("contrast", frame))
    picture = unsharp(
        picture,
        amount=plan.at("sharpen_amount", frame),
        kernel=int(plan.at("sharpen_kernel", frame)),
        sigma=plan.at("sharpen_sigma", frame),
        threshold=plan.at("sharpen_threshold", frame) / 255,
    )
    return add_noise(
        picture,
        plan.at("noise", frame),
        seed=plan.seeds[frame],
        kind=settings.noise_type,
        octaves=settings.perlin_octaves,
        persistence=settings.perlin_persistence,
    )


def _steady(plan: KeyframedPlan, frame: int, picture: Picture, reference: Picture | None) -> Picture:
    amount, space = plan.at("color_strength", frame), plan.settings.color_coherence
    if space == "None" or reference is None or amount == 0:
        return picture
    matched = match_colors(picture, reference, space)
    return matched if amount == 1 else blend(picture, matched, amount)


def request(plan: KeyframedPlan, frame: int, init: Picture | None, denoising: float) -> StillRequest:
    """What the engine is asked to paint at a frame."""
    settings = plan.settings
    return StillRequest(
        prompt=plan.prompts[frame].positive,
        negative=plan.prompts[frame].negative,
        width=settings.width,
        height=settings.height,
        seed=plan.seeds[frame],
        subseed=int(plan.at("subseed", frame)),
        subseed_strength=plan.at("subseed_strength", frame),
        steps=int(plan.at("steps", frame)),
        cfg_scale=plan.at("cfg_scale", frame),
        sampler=plan.words["sampler"][frame],
        scheduler=plan.words["scheduler"][frame],
        eta=plan.at("eta", frame) if "eta" in plan.numbers else None,
        clip_skip=int(plan.at("clip_skip", frame)),
        init=init,
        denoising=denoising,
        noise_multiplier=plan.at("noise_multiplier", frame),
    )


def _values(plan: KeyframedPlan, frame: int) -> dict[str, str | int | float]:
    values: dict[str, str | int | float] = {
        "frame": frame,
        "prompt": plan.prompts[frame].positive,
        "negative": plan.prompts[frame].negative,
    }
    if frame in plan.seeds:
        values["seed"] = plan.seeds[frame]
    return values | {name: plan.at(name, frame) for name in plan.numbers}
