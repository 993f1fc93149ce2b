"""Checks a request against an engine's capabilities, before any work is done."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lib_anim.engines.contract.capabilities import Capabilities, MotionChoice
from lib_anim.engines.contract.requests import ClipRequest, StillRequest
from lib_anim.engines.contract.scripts import Scripts, missing_models, unknown_titles
from lib_anim.errors import FlipbookError, Problem


def check(request: StillRequest, can: Capabilities) -> None:
    """Raises FlipbookError with every problem of `request` that `can` does not allow."""
    problems = [*_numbers(request, can), *_travel(request), *_pictures(request), *_abilities(request, can)]
    problems += _control(request, can)
    problems += _scripts(request.scripts, can)
    if problems:
        raise FlipbookError(*problems)


def check_clip(request: ClipRequest, can: Capabilities) -> None:
    """Raises FlipbookError with every problem of a clip's request; reads none of its pictures."""
    if can.clip is None:
        raise FlipbookError(
            Problem(
                "this engine cannot render clips; choose another", field="module", code="engine.missing_offer"
            )
        )
    problems = list(_motion(request, can.clip.motion_modules))
    for index in range(len(request.frames)):
        still = request.still(index, pictures=False)
        problems += [*_numbers(still, can), *_travel(still), *_abilities(still, can)]
    problems += _scripts(request.scripts, can)
    if request.mask is not None and not can.inpaint:
        problems.append(_missing_feature("mask"))
    if request.init is None:
        problems += [
            _needs_init(field) for field in ("mask", "last", "ramp") if getattr(request, field) is not None
        ]
    if problems:
        # A problem of all frames is reported once.
        raise FlipbookError(*dict.fromkeys(problems))


def _out_of_range(field: str, message: str) -> Problem:
    return Problem(message, field=field, code="value.out_of_range")


def _missing_feature(field: str) -> Problem:
    return Problem(
        "not supported by this engine; leave it off or choose another",
        field=field,
        code="engine.missing_feature",
    )


def _needs_init(field: str) -> Problem:
    return Problem("needs an init picture; set one or leave it off", field=field, code="init.missing")


def _motion(request: ClipRequest, modules: tuple[MotionChoice, ...]) -> Iterator[Problem]:
    count, motion = len(request.frames), request.motion
    if not 1 <= request.shown <= count:
        yield _out_of_range("shown", f"{request.shown} of {count} frames cannot be shown; use 1 … {count}")
    chosen = {choice.name: choice for choice in modules}.get(motion.module)
    if chosen is None:
        have = f"it has {', '.join(c.name for c in modules)}" if modules else "it has none"
        yield Problem(
            f'"{motion.module}" is not a motion module of this engine; {have}',
            field="module",
            code="motion_module.not_found",
        )
    elif chosen.why_not:
        yield Problem(chosen.why_not, field="module", code="motion_module.unusable")
    elif min(motion.context, count) > chosen.most_frames:
        yield Problem(
            f"{motion.context} frames at once are more than {chosen.name} supports; it takes at most "
            f"{chosen.most_frames}",
            field="context",
            code="motion_module.context_too_long",
        )
    for field in ("scale", "effect"):
        values = getattr(motion, field)
        if len(values) not in (1, count):
            yield Problem(
                f"has {len(values)} values for {count} frames; use 1 or {count}",
                field=f"motion_{field}",
                code="value.wrong_count",
            )


def _numbers(request: StillRequest, can: Capabilities) -> Iterator[Problem]:
    for field in ("width", "height"):
        value = getattr(request, field)
        if value <= 0 or value % can.multiple_of:
            yield Problem(
                f"{value} is not allowed; use a positive multiple of {can.multiple_of}",
                field=field,
                code="value.not_a_multiple",
            )
    for field in ("seed", "subseed"):
        value = getattr(request, field)
        if not 0 <= value < 2**32:
            yield _out_of_range(field, f"{value} is out of range; use 0 … {2**32 - 1}")
    for field in ("denoising", "subseed_strength"):
        value = getattr(request, field)
        if not 0 <= value <= 1:
            yield _out_of_range(field, f"{value} is out of range; use 0 … 1")
    for field in ("steps", "clip_skip"):
        value = getattr(request, field)
        if value < 1:
            yield _out_of_range(field, f"{value} is less than 1; use 1 or more")
    for field in ("cfg_scale", "noise_multiplier", "mask_blur"):
        value = getattr(request, field)
        if not np.isfinite(value) or value < 0:
            yield _out_of_range(field, f"{value} is out of range; use a finite number of 0 or more")


def _travel(request: StillRequest) -> Iterator[Problem]:
    if request.travel is not None and not 0 <= request.travel.weight <= 1:
        yield _out_of_range("travel", f"weight {request.travel.weight} is out of range; use 0 … 1")


def _wrong_shape(field: str, shape: tuple[int, ...], wanted: tuple[int, ...]) -> Problem:
    return Problem(f"has shape {shape}; the request needs {wanted}", field=field, code="value.wrong_shape")


def _pictures(request: StillRequest) -> Iterator[Problem]:
    size = (request.height, request.width)
    if request.init is not None and request.init.shape != (*size, 3):
        yield _wrong_shape("init", request.init.shape, (*size, 3))
    for field in ("init", "mask"):
        picture = getattr(request, field)
        if picture is not None and not np.isfinite(picture).all():
            yield Problem(
                "has NaN or infinite values; use finite values in 0 … 1", field=field, code="value.not_finite"
            )
    if request.mask is None:
        return
    if request.init is None:
        yield _needs_init("mask")
    if request.mask.shape != size:
        yield _wrong_shape("mask", request.mask.shape, size)


def _abilities(request: StillRequest, can: Capabilities) -> Iterator[Problem]:
    for field, value, known, code in (
        ("sampler", request.sampler, can.samplers, "engine.unknown_sampler"),
        ("scheduler", request.scheduler, can.schedulers, "engine.unknown_scheduler"),
    ):
        if value not in known:
            yield Problem(
                f'"{value}" is unknown to this engine; choose one of {", ".join(known)}',
                field=field,
                code=code,
            )
    if request.checkpoint is not None and request.checkpoint not in can.checkpoints:
        have = f"it has {', '.join(can.checkpoints)}" if can.checkpoints else "it has none to choose"
        yield Problem(
            f'"{request.checkpoint}" is unknown to this engine; {have}',
            field="checkpoint",
            code="model.not_found",
        )
    for field, requested, able in (
        ("mask", request.mask is not None, can.inpaint),
        ("travel", request.travel is not None, can.travel),
        ("restore_faces", request.restore_faces, can.restore_faces),
        ("tiling", request.tiling, can.tiling),
        ("subseed_strength", request.subseed_strength > 0, can.subseed),
        ("seed_resize_from", request.seed_resize_from is not None, can.subseed),
    ):
        if requested and not able:
            yield _missing_feature(field)


def _control(request: StillRequest, can: Capabilities) -> Iterator[Problem]:
    if request.control and not can.control:
        yield Problem(
            "this engine has no ControlNet; remove the units", field="control", code="engine.missing_feature"
        )
        return
    for number, unit in enumerate(request.control):
        field = f"control unit {number}"
        for name, have in (("model", can.control_models), ("module", can.control_modules)):
            if getattr(unit, name) not in have:
                known = f"it has {', '.join(have)}" if have else "it has none"
                yield Problem(
                    f'there is no {name} "{getattr(unit, name)}" here; {known}',
                    field=field,
                    code="controlnet.not_found",
                )
        if unit.image is None and request.init is None:
            yield Problem(
                "it has no picture and the request no init; set one of them",
                field=field,
                code="controlnet.no_picture",
            )
        if not 0 <= unit.guidance_start <= unit.guidance_end <= 1:
            start, end = unit.guidance_start, unit.guidance_end
            yield _out_of_range(field, f"its range {start} … {end} is out of range; use 0 ≤ start ≤ end ≤ 1")
        if not 0 <= unit.weight <= 2:
            yield _out_of_range(field, f"its weight {unit.weight} is out of range; use 0 … 2")


def _scripts(scripts: Scripts, can: Capabilities) -> Iterator[Problem]:
    for title in unknown_titles(scripts, can):
        have = f"it has {', '.join(can.scripts)}" if can.scripts else "it has none"
        yield Problem(f'there is no script "{title}" here; {have}', field="scripts", code="script.not_found")
    yield from missing_models(scripts, can)
