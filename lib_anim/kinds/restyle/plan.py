"""The plan of restyling: source picture, prompt and schedule values of every frame."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from fractions import Fraction

import numpy as np

from lib_anim.engines.contract.capabilities import Capabilities, Style
from lib_anim.errors import FlipbookError, Problem
from lib_anim.kinds.curves import Curves, evaluate, spelled, unknown_scripts
from lib_anim.kinds.draft import LEAST, WHOLE, DraftOptions
from lib_anim.kinds.needs import Probe
from lib_anim.kinds.plans import fingerprint, unsupported
from lib_anim.kinds.restyle.control_units import Unit
from lib_anim.kinds.restyle.png_info import PictureParameters, said_by_pictures, silent_warning
from lib_anim.kinds.restyle.settings import ALPHA, FIRST, PREVIOUS, Restyle
from lib_anim.kinds.restyle.tracks import SOURCE, Picks, choose, follow, gap_warning, needs_of
from lib_anim.kinds.script_curves import ScriptCurves
from lib_anim.kinds.seeds import painted_seeds
from lib_anim.kinds.styles import chosen_styles, styled
from lib_anim.kinds.upscale_step import unknown_upscaler
from lib_anim.media.contract import SourceInfo
from lib_anim.timeline.context import Context
from lib_anim.timeline.prompts import Travel


@dataclass(frozen=True, kw_only=True, eq=False)
class UnitPlan:
    """One ControlNet unit that is switched on."""

    number: int
    """In the settings' list."""
    unit: Unit
    curves: Curves


@dataclass(frozen=True, kw_only=True, eq=False)
class RestylePlan:
    """What will happen, frame by frame. `true` frames are the whole film's, also in a trial."""

    settings: Restyle
    """As the user gave them, with seed, size, rate and number of frames known. A trial's are the film's."""
    size: tuple[int, int]
    shown: tuple[int, ...]
    """The true frames that are painted, in order; all of them but in a trial."""
    travel: tuple[Travel, ...]
    curves: Curves
    seeds: tuple[int, ...]
    picks: Mapping[str, Picks]
    """Name of what is opened → the picture of each true frame."""
    units: tuple[UnitPlan, ...]
    scripts: ScriptCurves
    styles: tuple[Style, ...]
    """What stands in `travel`'s texts already; kept for the fingerprint: their user may rewrite them."""
    said: tuple[PictureParameters, ...]
    """What the folder's pictures say of each true frame; empty where that is not asked."""
    sound_start: Fraction
    """Seconds into the video at which the film begins."""
    sounds: bool
    """Whether the video has sound."""
    trial: DraftOptions
    warnings: tuple[str, ...]

    @property
    def frames(self) -> int:
        return len(self.shown)

    @property
    def rate(self) -> Fraction:
        assert self.settings.fps is not None
        return self.settings.fps / self.trial.every

    @property
    def painted(self) -> tuple[int, ...]:
        return tuple(range(self.frames))

    @property
    def uses_previous(self) -> bool:
        """Whether a frame needs the one before it."""
        s = self.settings
        words = [s.init, s.mask, *(one.unit.image for one in self.units)]
        return PREVIOUS in words or (s.color_coherence != "None" and s.color_reference == PREVIOUS)

    @property
    def uses_first(self) -> bool:
        """Whether a frame needs frame 0."""
        s = self.settings
        return s.color_coherence != "None" and s.color_reference == FIRST

    def at(self, name: str, true: int) -> float:
        """A schedule's value at a true frame."""
        return float(self.curves.numbers[name][true])

    def word(self, name: str, true: int) -> str:
        """A schedule of words at a true frame; empty where the setting is."""
        return self.curves.words[name][true] if name in self.curves.words else ""

    def fingerprint(self, engine: str) -> str:
        """Equal ones give equal frames of equal files: a hash of settings, PNG info, trial and engine."""
        return fingerprint(
            self.settings, self.styles, engine, _fingerprint_text(self.said), self.trial.as_json()
        )


def plan(settings: Restyle, capabilities: Capabilities, draw_seed: int, probe: Probe) -> RestylePlan:
    """Resolve settings against what an engine can do.

    `draw_seed` (0 … 2³² − 1) becomes the seed where the settings leave it to be drawn; `look` tells what
    videos and folders are. Raises FlipbookError with every problem that can be found at once.
    """
    if not settings.video:
        raise FlipbookError(
            Problem(
                "is empty; give a film or a folder of pictures", field="video", code="settings.missing_file"
            )
        )
    needs = needs_of(settings)
    info = probe(needs[SOURCE])
    chosen = choose(settings, info)
    width, height, warnings = _size(settings, info, math.lcm(8, capabilities.multiple_of))
    resolved = settings.changed(
        {
            "seed": draw_seed if settings.seed == -1 else settings.seed,
            "frames": len(chosen.picks),
            "fps": chosen.rate,
            "width": width,
            "height": height,
            "scale": 1.0,
        }
    )
    context = Context.of(resolved)  # type: ignore[arg-type]  # the rate is known here
    curves = evaluate(resolved, context)
    problems, warnings = list(curves.problems), [*warnings, *curves.warnings]
    if info.names:
        warnings += gap_warning(info.names[chosen.picks[0] : chosen.picks[-1] + 1])
    travel: tuple[Travel, ...] = ()
    styles = chosen_styles(resolved.styles, capabilities, problems)
    try:
        track = resolved.prompt_track()
        travel = styled(track.travel(context), styles)
        warnings += track.warnings(context)
    except FlipbookError as error:
        problems += error.problems
    picks: dict[str, Picks] = {SOURCE: chosen.picks}
    for name, need in needs.items():
        if name == SOURCE:
            continue
        try:
            picks[name] = follow(need, probe(need), info, chosen.picks, settings.tracks_follow)
        except FlipbookError as error:
            problems += error.problems
    units = _units(resolved, context, problems)
    scripts = ScriptCurves(resolved.scripts, context, resolved.dialect)
    problems += scripts.problems
    warnings += scripts.warnings
    said: tuple[PictureParameters, ...] = ()
    try:
        said = said_by_pictures(resolved, info, chosen.picks, probe, capabilities)
        warnings += silent_warning(said)
    except FlipbookError as error:
        problems += error.problems
    if not problems:
        curves = _with_said(curves, said)
        curves = replace(curves, words=spelled(curves.words, capabilities))
        problems += unsupported(
            curves.words, (width, height), curves.numbers["subseed_strength"], capabilities
        )
        problems += _lacking(resolved, info, units, capabilities)
    if problems:
        raise FlipbookError(*problems)
    return RestylePlan(
        settings=resolved,
        size=(width, height),
        shown=tuple(range(len(chosen.picks))),
        travel=travel,
        curves=curves,
        seeds=_seeds(resolved, curves, said),
        picks=picks,
        units=units,
        scripts=scripts,
        styles=styles,
        said=said,
        sound_start=chosen.start,
        sounds=info.audio,
        trial=WHOLE,
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _size(settings: Restyle, info: SourceInfo, unit: int) -> tuple[int, int, list[str]]:
    """(width, height, warnings): what is given, the rest after the video's shape, in multiples of `unit`."""
    s = settings
    if s.width and s.height:
        return s.width, s.height, []
    factor = s.width / info.width if s.width else s.height / info.height if s.height else s.scale
    exact = info.width * factor, info.height * factor
    width = s.width or max(round(exact[0] / unit), 1) * unit
    height = s.height or max(round(exact[1] / unit), 1) * unit
    problems = []
    for name, side in (("width", width), ("height", height)):
        if not LEAST <= side <= 8192:
            own = f"the video is {info.width} × {info.height}"
            sentence = f"{side} is not between {LEAST} and 8192; {own}, so give width and height, or scale"
            problems.append(Problem(sentence, field=name, code="size.invalid"))
    if problems:
        raise FlipbookError(*problems)
    if s.width or s.height or exact == (width, height):
        return width, height, []
    shape = f"{exact[0]:g} × {exact[1]:g}"
    return width, height, [f"{shape} is painted as {width} × {height}, since sides are multiples of {unit}"]


def _units(settings: Restyle, context: Context, problems: list[Problem]) -> tuple[UnitPlan, ...]:
    """The units that are switched on, evaluated; what is wrong with them goes to `problems`."""
    found = []
    for number, unit in enumerate(settings.units):
        if not unit.enabled:
            continue
        curves = evaluate(unit, context)
        problems += [replace(p, field=f"units {number} {p.field}") for p in curves.problems]
        found.append(UnitPlan(number=number, unit=unit, curves=curves))
        if curves.problems:
            continue
        start, end = curves.numbers["guidance_start"], curves.numbers["guidance_end"]
        wrong = np.flatnonzero(start > end)
        if wrong.size:
            frame = int(wrong[0])
            sentence = f"it begins at {start[frame]:g} and ends before, at {end[frame]:g}, in frame {frame}"
            problems.append(Problem(sentence, field=f"units {number} guidance_start", code="control.invalid"))
    return tuple(found)


def _with_said(curves: Curves, said: tuple[PictureParameters, ...]) -> Curves:
    """Curves in which the frames take what their pictures say."""
    if not said:
        return curves
    numbers, words = dict(curves.numbers), dict(curves.words)
    for name in ("steps", "cfg_scale"):
        own = [getattr(one, name) for one in said]
        values = [v if v is not None else d for v, d in zip(own, numbers[name], strict=True)]
        numbers[name] = np.array(values, np.float64)
    for name in ("sampler", "scheduler", "checkpoint"):
        before = words.get(name, ("",) * len(said))
        own = [getattr(one, name) for one in said]
        words[name] = tuple(v if v is not None else d for v, d in zip(own, before, strict=True))
    return replace(curves, numbers=numbers, words=words)


def _seeds(settings: Restyle, curves: Curves, said: tuple[PictureParameters, ...]) -> tuple[int, ...]:
    scheduled = [int(value) for value in curves.numbers["seed_schedule"]]
    seeds = painted_seeds(
        settings.seed_behavior, settings.seed, settings.frames, settings.seed_iter_n, scheduled
    )
    for frame, one in enumerate(said):
        seeds[frame] = one.seed if one.seed is not None else seeds[frame]
    return tuple(seeds)


def _lacking(
    settings: Restyle, info: SourceInfo, units: Iterable[UnitPlan], can: Capabilities
) -> Iterable[Problem]:
    s = settings
    if s.mask and not can.inpaint:
        yield Problem(
            "this engine cannot paint a masked part; remove the mask",
            field="mask",
            code="engine.missing_feature",
        )
    if s.mask == ALPHA and not info.alpha:
        yield Problem(
            "the video has no alpha; give a picture, film or folder of masks",
            field="mask",
            code="mask.no_alpha",
        )
    if s.prompt_blend in ("lerp", "slerp") and not can.travel:
        sentence = f"this engine cannot mix conditioning ({s.prompt_blend}); AND works"
        yield Problem(sentence, field="prompt_blend", code="engine.missing_feature")
    for name, able in (("restore_faces", can.restore_faces), ("tiling", can.tiling)):
        if getattr(s, name) and not able:
            yield Problem(
                "this engine cannot do that; leave it off", field=name, code="engine.missing_feature"
            )
    yield from unknown_scripts(s.scripts, can)
    yield from unknown_upscaler(s, can)
    for one in units:
        if not can.control:
            yield Problem(
                "this engine has no ControlNet; the WebUI with sd-webui-controlnet does, or remove it",
                field=f"units {one.number}",
                code="engine.missing_feature",
            )
            continue
        for name, have in (("model", can.control_models), ("module", can.control_modules)):
            for word in sorted(set(one.curves.words[name]) - set(have)):
                known = f"it has {', '.join(have)}" if have else "it has none"
                sentence = f'"{word}" is not a ControlNet {name} here; {known}'
                yield Problem(sentence, field=f"units {one.number} {name}", code="control.unknown_model")


def _fingerprint_text(said: tuple[PictureParameters, ...]) -> str:
    """The form of pictures' parameters in fingerprints. Runs of older versions have it, so it stays."""
    texts = [
        "Said(" + ", ".join(f"{field.name}={getattr(one, field.name)!r}" for field in fields(one)) + ")"
        for one in said
    ]
    return f"({texts[0]},)" if len(texts) == 1 else f"({', '.join(texts)})"
