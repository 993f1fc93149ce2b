"""The plan of a clip: resolved settings, every schedule evaluated per frame."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from lib_anim.engines.contract.capabilities import Capabilities, MotionChoice, Style
from lib_anim.engines.contract.engine import ClipPainter, missing_offer
from lib_anim.errors import FlipbookError, Problem
from lib_anim.kinds.clip.inputs import needs_of
from lib_anim.kinds.clip.module import chosen_module
from lib_anim.kinds.clip.settings import Clip
from lib_anim.kinds.clip.steering import prompts_close
from lib_anim.kinds.curves import Curves, Numbers, evaluate, unknown_scripts
from lib_anim.kinds.draft import DraftOptions, half_size
from lib_anim.kinds.needs import Probe, VideoNeed
from lib_anim.kinds.plans import fingerprint, unsupported
from lib_anim.kinds.script_curves import ScriptCurves, refuse_curves
from lib_anim.kinds.styles import chosen_styles, styled
from lib_anim.kinds.upscale_step import unknown_upscaler
from lib_anim.timeline.context import Context
from lib_anim.timeline.prompts import Travel

LATENTS = ("latent_power", "latent_scale", "latent_power_last", "latent_scale_last")


@dataclass(frozen=True, kw_only=True, eq=False)
class ClipFilmPlan:
    """What will happen, frame by frame."""

    settings: Clip
    """As the user gave them, but with the seed drawn, the frames counted and the motion module named."""
    denoised: int
    """Frames that are denoised: those of the film, or the context size where that is more."""
    travel: tuple[Travel, ...]
    """The place between its prompts of every frame that is denoised."""
    styles: tuple[Style, ...]
    """What stands in `travel`'s texts already; kept for the fingerprint: their user may rewrite them."""
    numbers: Mapping[str, Numbers]
    """Every schedule of numbers: name → a value per frame that is denoised."""
    warnings: tuple[str, ...]

    @property
    def frames(self) -> int:
        return self.settings.frames

    @property
    def rate(self) -> Fraction:
        return self.settings.fps

    @property
    def size(self) -> tuple[int, int]:
        return self.settings.width, self.settings.height

    @property
    def painted(self) -> tuple[int, ...]:
        return tuple(range(self.frames))

    def fingerprint(self, engine: str) -> str:
        """Equal fingerprints give equal frames: a hash of the resolved settings and the engine's own."""
        return fingerprint(self.settings, self.styles, engine)


def plan(settings: Clip, capabilities: Capabilities | None, draw_seed: int, probe: Probe) -> ClipFilmPlan:
    """Resolve settings against what an engine can do; None where no engine will paint.

    `draw_seed` (0 … 2³² − 1) becomes the seed where the settings leave it to be drawn; `look` tells
    what videos are. Raises FlipbookError with every problem: schedules out of range, sizes and
    samplers that the engine lacks, motion modules that do not fit, videos that are too short.
    """
    if settings.seed == -1:
        settings = settings.changed({"seed": draw_seed})
    settings = _counted(settings, probe)
    problems: list[Problem] = []
    if capabilities is not None:
        settings, wrong = _fitted(settings, capabilities)
        problems.extend(wrong)
    s = settings
    denoised = max(s.frames, s.context) if s.full_context else s.frames
    context = Context.of(s)
    curves = evaluate(s, context)
    problems.extend(curves.problems)
    problems.extend(refuse_curves(ScriptCurves(s.scripts, context, s.dialect)))
    warnings = [*curves.warnings, *_unused(s)]
    travel: tuple[Travel, ...] = ()
    styles = chosen_styles(s.styles, capabilities, problems)
    try:
        track = s.prompt_track()
        travel = styled(track.travel(context, closed=prompts_close(s, s.frames)), styles)
        warnings.extend(track.warnings(context))
    except FlipbookError as error:
        problems.extend(error.problems)
    mixes = s.prompt_interpolation != "hold" and any(place.weight for place in travel)
    if mixes and capabilities is not None and not capabilities.travel:
        sentence = f"this engine cannot mix prompts ({s.prompt_interpolation}); hold works"
        problems.append(Problem(sentence, field="prompt_interpolation", code="engine.missing_feature"))
    if problems:
        raise FlipbookError(*problems)
    more = denoised - s.frames
    return ClipFilmPlan(
        settings=s,
        denoised=denoised,
        travel=(*travel, *travel[-1:] * more),
        styles=styles,
        numbers=_held(curves, more),
        warnings=tuple(warnings),
    )


def make_draft(plan: ClipFilmPlan, trial: DraftOptions, capabilities: Capabilities) -> ClipFilmPlan:
    """The plan of a clip at half its size. Raises FlipbookError for less than all frames: they are denoised
    together, so that none is cheaper without the others."""
    if trial.every > 1 or trial.only is not None:
        field = "only" if trial.only is not None else "every"
        sentence = (
            "a clip's frames are denoised together, so leaving some out saves nothing; try half the size"
        )
        raise FlipbookError(Problem(sentence, field=field, code="draft.invalid"))
    s, unit = plan.settings, math.lcm(8, capabilities.multiple_of)
    width, height = half_size((s.width, s.height), unit)
    mean = math.sqrt(width / s.width * height / s.height)
    smaller = {"width": width, "height": height, "mask_blur": s.mask_blur * mean}
    smaller["mask_padding"] = round(s.mask_padding * mean)
    return replace(plan, settings=s.changed(smaller))


def _held(curves: Curves, more: int) -> dict[str, Numbers]:
    """Every curve with its last value held for the frames that are denoised but not shown."""
    return {name: np.pad(values, (0, more), mode="edge") for name, values in curves.numbers.items()}


def _counted(settings: Clip, probe: Probe) -> Clip:
    """Settings with as many frames as the film will have; videos that are too short are refused."""
    needs = {name: need for name, need in needs_of(settings).items() if isinstance(need, VideoNeed)}
    counts = {name: probe(need).frames for name, need in needs.items()}
    if settings.frames == 0:
        settings = settings.changed({"frames": counts.get("video", settings.context)})
    problems = []
    for name, need in needs.items():
        if counts[name] < settings.frames:
            way = "0 takes all of them" if name == "video" else "every frame needs its own, or one for all"
            sentence = f'"{need.path}" gives {counts[name]} frames for {settings.frames}; {way}'
            problems.append(Problem(sentence, field=need.field, code="video.too_short"))
    if problems:
        raise FlipbookError(*problems)
    return settings


def _fitted(settings: Clip, can: Capabilities) -> tuple[Clip, list[Problem]]:
    """(settings in the engine's own spelling and with a motion module, what the engine lacks)."""
    if can.clip is None:
        reason = missing_offer(ClipPainter, can)
        return settings, [Problem(reason, field="kind", code="engine.missing_offer")]
    changes: dict[str, str] = {}
    problems: list[Problem] = []
    for name, have in (("sampler", can.samplers), ("scheduler", can.schedulers)):
        word = getattr(settings, name)
        found = {own.lower(): own for own in have}.get(word.lower())
        if found not in (None, word):
            changes[name] = str(found)
    try:
        module = chosen_module(settings.module, can.clip.motion_modules)
        changes["module"] = module.name
        problems.extend(_too_long(settings, module))
    except FlipbookError as error:
        problems.extend(error.problems)
    settings = settings.changed(changes)
    words = {name: (getattr(settings, name),) for name in ("sampler", "scheduler", "checkpoint", "vae")}
    problems.extend(unsupported(words, (settings.width, settings.height), settings.subseed_strength, can))
    problems.extend(_lacking(settings, can))
    problems.extend(unknown_upscaler(settings, can))
    return settings, problems


def _too_long(settings: Clip, module: MotionChoice) -> Iterable[Problem]:
    count = min(settings.context, settings.frames) if not settings.full_context else settings.context
    if count > module.most_frames:
        sentence = (
            f"{settings.context} frames at once are more than {module.name} supports; it takes at most"
            f" {module.most_frames}"
        )
        yield Problem(sentence, field="context", code="motion.context_too_long")


def _lacking(settings: Clip, can: Capabilities) -> Iterable[Problem]:
    if settings.mask_path and not can.inpaint:
        yield Problem(
            "this engine cannot paint a masked part; remove the mask",
            field="mask_path",
            code="engine.missing_feature",
        )
    yield from unknown_scripts(settings.scripts, can)


def _unused(s: Clip) -> Iterable[str]:
    """Warnings about changed settings that have no effect with the others."""
    default = Clip()
    changed = [name for name in LATENTS if getattr(s, name) != getattr(default, name)]
    if changed and s.denoising_ramp:
        yield f"{changed[0]}: the denoising ramp goes instead of the latents' power and scale"
    elif changed and not s.init_image:
        yield f"{changed[0]}: there is no init image whose latents it could steer"
