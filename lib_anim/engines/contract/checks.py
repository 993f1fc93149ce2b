"""Refuses, in sentences and before any work, what an engine cannot paint."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lib_anim.engines.contract.capabilities import Capabilities, MotionChoice
from lib_anim.engines.contract.requests import ClipRequest, StillRequest
from lib_anim.engines.contract.scripts import Scripts, missing_models, unknown_titles
from lib_anim.errors import FlipbookError, Problem


def check(request: StillRequest, can: Capabilities) -> None:
    """Raises FlipbookError with every part of `request` that lies outside `can`."""
    problems = [*_numbers(request, can), *_travel(request), *_pictures(request), *_abilities(request, can)]
    problems += _control(request, can)
    problems += _scripts(request.scripts, can)
    if problems:
        raise FlipbookError(*problems)


def check_clip(request: ClipRequest, can: Capabilities) -> None:
    """Raises FlipbookError with every part of a clip's request outside `can`; asks for no picture."""
    if can.clip is None:
        raise FlipbookError(Problem("this engine makes no clips.", field="module"))
    problems = list(_motion(request, can.clip.motion_modules))
    for index in range(len(request.frames)):
        still = request.still(index, pictures=False)
        problems += [*_numbers(still, can), *_travel(still), *_abilities(still, can)]
    problems += _scripts(request.scripts, can)
    if request.mask is not None and not can.inpaint:
        problems.append(Problem("this engine cannot do that.", field="mask"))
    if request.init is None:
        problems += [
            Problem("needs an init picture.", field=field)
            for field in ("mask", "last", "ramp")
            if getattr(request, field) is not None
        ]
    if problems:
        # What is wrong with all frames is said once.
        raise FlipbookError(*dict.fromkeys(problems))


def _motion(request: ClipRequest, modules: tuple[MotionChoice, ...]) -> Iterator[Problem]:
    count, motion = len(request.frames), request.motion
    if not 1 <= request.shown <= count:
        yield Problem(f"{request.shown} of {count} frames cannot be shown.", field="shown")
    chosen = {choice.name: choice for choice in modules}.get(motion.module)
    if chosen is None:
        have = f"it has {', '.join(c.name for c in modules)}" if modules else "it has none"
        yield Problem(f'"{motion.module}" is no motion module of this engine; {have}.', field="module")
    elif chosen.why_not:
        yield Problem(chosen.why_not, field="module")
    elif min(motion.context, count) > chosen.most_frames:
        yield Problem(
            f"{motion.context} frames at once are more than {chosen.name} knows; it takes at most "
            f"{chosen.most_frames}.",
            field="context",
        )
    for field in ("scale", "effect"):
        values = getattr(motion, field)
        if len(values) not in (1, count):
            yield Problem(f"has {len(values)} values for {count} frames.", field=f"motion_{field}")


def _numbers(request: StillRequest, can: Capabilities) -> Iterator[Problem]:
    for field in ("width", "height"):
        value = getattr(request, field)
        if value <= 0 or value % can.multiple_of:
            yield Problem(f"{value} is no positive multiple of {can.multiple_of}.", field=field)
    for field in ("seed", "subseed"):
        if not 0 <= getattr(request, field) < 2**32:
            yield Problem(f"{getattr(request, field)} is outside 0 … {2**32 - 1}.", field=field)
    for field in ("denoising", "subseed_strength"):
        if not 0 <= getattr(request, field) <= 1:
            yield Problem(f"{getattr(request, field)} is outside 0 … 1.", field=field)
    for field in ("steps", "clip_skip"):
        if getattr(request, field) < 1:
            yield Problem(f"{getattr(request, field)} is less than 1.", field=field)
    for field in ("cfg_scale", "noise_multiplier", "mask_blur"):
        if not np.isfinite(getattr(request, field)) or getattr(request, field) < 0:
            yield Problem(f"{getattr(request, field)} is no number from 0 up.", field=field)


def _travel(request: StillRequest) -> Iterator[Problem]:
    if request.travel is not None and not 0 <= request.travel.weight <= 1:
        yield Problem(f"weight {request.travel.weight} is outside 0 … 1.", field="travel")


def _pictures(request: StillRequest) -> Iterator[Problem]:
    size = (request.height, request.width)
    if request.init is not None and request.init.shape != (*size, 3):
        yield Problem(f"has shape {request.init.shape}; the request asks for {(*size, 3)}.", field="init")
    for field in ("init", "mask"):
        picture = getattr(request, field)
        if picture is not None and not np.isfinite(picture).all():
            yield Problem("holds values that are no numbers.", field=field)
    if request.mask is None:
        return
    if request.init is None:
        yield Problem("needs an init picture: what it keeps comes from there.", field="mask")
    if request.mask.shape != size:
        yield Problem(f"has shape {request.mask.shape}; the request asks for {size}.", field="mask")


def _abilities(request: StillRequest, can: Capabilities) -> Iterator[Problem]:
    for field, known in (("sampler", can.samplers), ("scheduler", can.schedulers)):
        value = getattr(request, field)
        if value not in known:
            yield Problem(
                f'"{value}" is unknown to this engine; choose one of {", ".join(known)}.', field=field
            )
    if request.checkpoint is not None and request.checkpoint not in can.checkpoints:
        yield Problem(f'"{request.checkpoint}" is unknown to this engine.', field="checkpoint")
    for field, asked, able in (
        ("mask", request.mask is not None, can.inpaint),
        ("travel", request.travel is not None, can.travel),
        ("restore_faces", request.restore_faces, can.restore_faces),
        ("tiling", request.tiling, can.tiling),
        ("subseed_strength", request.subseed_strength > 0, can.subseed),
        ("seed_resize_from", request.seed_resize_from is not None, can.subseed),
    ):
        if asked and not able:
            yield Problem("this engine cannot do that.", field=field)


def _control(request: StillRequest, can: Capabilities) -> Iterator[Problem]:
    if request.control and not can.control:
        yield Problem("this engine has no ControlNet; leave the units away.", field="control")
        return
    for number, unit in enumerate(request.control):
        field = f"control unit {number}"
        for name, have in (("model", can.control_models), ("module", can.control_modules)):
            if getattr(unit, name) not in have:
                known = f"it has {', '.join(have)}" if have else "it has none"
                yield Problem(f'there is no {name} "{getattr(unit, name)}" here; {known}.', field=field)
        if unit.image is None and request.init is None:
            yield Problem("it has no picture, and the request no init to take.", field=field)
        if not 0 <= unit.guidance_start <= unit.guidance_end <= 1:
            begin, end = unit.guidance_start, unit.guidance_end
            yield Problem(f"its range {begin} … {end} does not lie within 0 … 1.", field=field)
        if not 0 <= unit.weight <= 2:
            yield Problem(f"its weight {unit.weight} is outside 0 … 2.", field=field)


def _scripts(scripts: Scripts, can: Capabilities) -> Iterator[Problem]:
    for title in unknown_titles(scripts, can):
        have = f"it has {', '.join(can.scripts)}" if can.scripts else "it has none"
        yield Problem(f'there is no script "{title}" here; {have}.', field="scripts")
    yield from missing_models(scripts, can)
