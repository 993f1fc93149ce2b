"""The loop of a clip: one engine request, frames yielded as they are decoded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from lib_anim.engines.contract.engine import ClipPainter, offer_of
from lib_anim.engines.contract.requests import ClipFrame, ClipRequest
from lib_anim.kinds.base import Studio
from lib_anim.kinds.clip.inputs import ClipInputs
from lib_anim.kinds.clip.plan import ClipFilmPlan
from lib_anim.kinds.clip.steering import ramp_of, steering_of
from lib_anim.kinds.events import Event, Finished, FrameDone, Progress, Warned
from lib_anim.kinds.prompt_blend import blended
from lib_anim.kinds.seeds import SEEDS
from lib_anim.types import Picture


@dataclass(frozen=True, kw_only=True, eq=False)
class ClipState:
    """How far a clip is written. Its frames come from one denoising, so nothing else can be kept."""

    frame: int


def run(
    plan: ClipFilmPlan, studio: Studio, opened: Mapping[str, Any], state: ClipState | None = None
) -> Iterator[Event]:
    """Paint the clip, and give out its frames, those after `state` where there is one.

    A clip is denoised as one: with a state it is denoised again, to the same frames, for those that
    are missing. Yields FrameDone for them in order, then Finished. Stops when closed.
    """
    for sentence in plan.warnings:
        yield Warned(sentence)
    done = 0 if state is None else state.frame + 1
    if done >= plan.frames:
        yield Finished(plan.frames)
        return
    if done:
        yield Warned(f"a clip is denoised as one: it is denoised again for its frames from {done} on")
    yield Progress(done, plan.frames, "denoising")
    # Typed as any iterator; engines give generators, and closing is how they are stopped.
    painter = offer_of(studio.engine, ClipPainter)
    request = request_of(plan, ClipInputs(**opened))
    with closing(painter.clip(request, studio.on_step)) as pictures:  # type: ignore[type-var]
        for index, picture in enumerate(pictures):
            if index < done:
                continue
            values = values_of(plan, index)
            yield FrameDone(index, picture, painted=True, values=values, state=ClipState(frame=index))
            if index + 1 < plan.frames:
                yield Progress(index + 1, plan.frames, "decoding")
    yield Finished(plan.frames)


def request_of(plan: ClipFilmPlan, inputs: ClipInputs) -> ClipRequest:
    """What the engine is asked for."""
    s = plan.settings
    first = inputs.init_picture(s, 0)
    masked = inputs.mask is not None or inputs.mask_video is not None
    scale_mask, effect_mask = (
        inputs.strength_mask(s, frame) for frame in (inputs.scale_mask, inputs.effect_mask)
    )
    return ClipRequest(
        frames=tuple(_frame(plan, index, first is not None) for index in range(plan.denoised)),
        shown=plan.frames,
        motion=steering_of(s, plan.numbers, scale_mask, effect_mask),
        width=s.width,
        height=s.height,
        subseed_strength=s.subseed_strength,
        steps=s.steps,
        sampler=s.sampler,
        scheduler=s.scheduler,
        eta=None if s.eta == -1 else s.eta,
        clip_skip=s.clip_skip,
        noise_multiplier=s.noise_multiplier,
        init=None if first is None else lambda index: _there(inputs.init_picture(s, index)),
        last=inputs.last_picture(s),
        ramp=ramp_of(s) if s.init_image and not s.denoising_ramp else None,
        mask=(lambda index: _there(inputs.mask_picture(s, index))) if masked else None,
        mask_blur=s.mask_blur,
        fill=s.mask_fill,
        only_masked=s.mask_only,
        only_masked_padding=s.mask_padding,
        checkpoint=s.checkpoint or None,
        vae=s.vae or None,
        scripts=s.scripts,
    )


def values_of(plan: ClipFilmPlan, index: int) -> dict[str, str | int | float]:
    """What made a frame, for its file's metadata."""
    frame = _frame(plan, index, bool(plan.settings.init_image or plan.settings.video))
    values: dict[str, str | int | float] = {
        "frame": index,
        "prompt": frame.prompt,
        "negative": frame.negative,
        "seed": frame.seed,
        "module": plan.settings.module,
    }
    return values | {name: float(numbers[index]) for name, numbers in plan.numbers.items()}


def _frame(plan: ClipFilmPlan, index: int, with_init: bool) -> ClipFrame:
    s = plan.settings
    prompt, negative, travel = blended(plan.travel[index], s.prompt_interpolation)
    denoising = 1.0
    if with_init:
        ramp = plan.numbers.get("denoising_ramp")
        denoising = s.denoising if ramp is None else float(ramp[index])
    return ClipFrame(
        prompt=prompt,
        negative=negative,
        travel=travel,
        seed=(s.seed + index) % SEEDS,
        subseed=(s.subseed + index) % SEEDS,
        cfg_scale=float(plan.numbers["cfg_scale"][index]),
        denoising=denoising,
    )


def _there(picture: Picture | None) -> Picture:
    """A picture that the plan has made sure of."""
    assert picture is not None
    return picture
