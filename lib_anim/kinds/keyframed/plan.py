"""The plan of keyframed animation: resolved settings, every schedule evaluated per frame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from lib_anim.engines.contract.capabilities import Capabilities, Style
from lib_anim.errors import FlipbookError, Problem
from lib_anim.imaging.warp import Matrix, affine_matrix, flip_matrix
from lib_anim.kinds.curves import Numbers, evaluate, spelled, unknown_scripts
from lib_anim.kinds.keyframed.inputs import EXPRESSIONS, MASK_NAMES, needs_of, terms_of
from lib_anim.kinds.keyframed.settings import Keyframed
from lib_anim.kinds.needs import Probe, VideoNeed
from lib_anim.kinds.plans import fingerprint, unsupported
from lib_anim.kinds.script_curves import ScriptCurves
from lib_anim.kinds.seeds import painted_seeds
from lib_anim.kinds.styles import chosen_styles, styled
from lib_anim.kinds.upscale_step import unknown_upscaler
from lib_anim.timeline.context import Context
from lib_anim.timeline.prompts import Travel

CLAMPED_BY_DEFORUM = ("strength",)
"""Settings that Deforum clamps into their range; its files rely on it. Elsewhere that is an error."""


@dataclass(frozen=True, kw_only=True, eq=False)
class KeyframedPlan:
    """What will happen, frame by frame."""

    settings: Keyframed
    """As the user gave them, but with the seed drawn and the frames counted."""
    travel: tuple[Travel, ...]
    """Every frame's place between its prompts."""
    numbers: Mapping[str, Numbers]
    """Every schedule of numbers: name → a value per frame."""
    words: Mapping[str, tuple[str, ...]]
    """Every schedule of words: name → a word per frame."""
    scripts: ScriptCurves
    styles: tuple[Style, ...]
    """What stands in `travel`'s texts already; kept for the fingerprint: their user may rewrite them."""
    painted: tuple[int, ...]
    """Frames that are painted: 0, every cadence-th, and the last."""
    seeds: Mapping[int, int]
    """Painted frame → seed."""
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

    def at(self, name: str, frame: int) -> float:
        """A schedule's value at a frame; whole-number schedules are truncated here already."""
        return float(self.numbers[name][frame])

    def word(self, name: str, frame: int) -> str:
        """A schedule of words at a frame; empty where the setting is."""
        return self.words[name][frame] if name in self.words else ""

    def motion(self, frame: int) -> Matrix:
        """The step from frame − 1 to `frame`, source → destination pixels. Frame 0 has none."""
        s = self.settings
        move = affine_matrix(
            s.width,
            s.height,
            angle_deg=self.at("angle", frame),
            zoom=self.at("zoom", frame),
            translation_x=self.at("translation_x", frame),
            translation_y=self.at("translation_y", frame),
            center_x=self.at("center_x", frame),
            center_y=self.at("center_y", frame),
        )
        if not s.perspective_flip:
            return move
        flip = flip_matrix(
            s.width,
            s.height,
            theta=self.at("flip_theta", frame),
            phi=self.at("flip_phi", frame),
            gamma=self.at("flip_gamma", frame),
            fov=self.at("flip_fov", frame),
        )
        return np.asarray(flip @ move, np.float64)

    def fingerprint(self, engine: str) -> str:
        """Equal fingerprints give equal frames: a hash of the resolved settings and the engine's own."""
        return fingerprint(self.settings, self.styles, engine)


def plan(
    settings: Keyframed, capabilities: Capabilities | None, draw_seed: int, probe: Probe
) -> KeyframedPlan:
    """Resolve settings against what an engine can do; None where no engine will paint.

    `draw_seed` (0 … 2³² − 1) becomes the seed where the settings leave it to be drawn; `look` tells
    what videos are. Raises FlipbookError with every problem: schedules out of range, sizes and
    samplers the engine lacks, videos that are too short.
    """
    if settings.seed == -1:
        settings = settings.changed({"seed": draw_seed})
    settings = _counted(settings, probe)
    context = Context.of(settings)
    curves = evaluate(settings, context, CLAMPED_BY_DEFORUM)
    numbers, warnings, problems = curves.numbers, list(curves.warnings), list(curves.problems)
    scripts = ScriptCurves(settings.scripts, context, settings.dialect)
    problems.extend(scripts.problems)
    warnings.extend(scripts.warnings)
    travel: tuple[Travel, ...] = ()
    styles = chosen_styles(settings.styles, capabilities, problems)
    try:
        track = settings.prompt_track()
        travel = styled(track.travel(context), styles)
        warnings.extend(track.warnings(context))
    except FlipbookError as error:
        problems.extend(error.problems)
    if not problems and capabilities is not None:
        curves = replace(curves, words=spelled(curves.words, capabilities))
        size = settings.width, settings.height
        problems.extend(unsupported(curves.words, size, numbers["subseed_strength"], capabilities))
        problems.extend(_lacking(settings, numbers, capabilities))
    if problems:
        raise FlipbookError(*problems)
    cadence = settings.cadence if settings.mode == "2D" else 1
    if cadence != settings.cadence:
        warnings.append(f"cadence: {settings.mode} paints every frame; {settings.cadence} is not used")
    painted = painted_frames(settings.frames, cadence)
    scheduled = [int(numbers["seed_schedule"][frame]) for frame in painted]
    seeds = painted_seeds(
        settings.seed_behavior, settings.seed, len(painted), settings.seed_iter_n, scheduled
    )
    return KeyframedPlan(
        settings=settings,
        travel=travel,
        numbers=numbers,
        words=curves.words,
        scripts=scripts,
        styles=styles,
        painted=painted,
        seeds=dict(zip(painted, seeds, strict=True)),
        warnings=tuple(warnings),
    )


def _counted(settings: Keyframed, probe: Probe) -> Keyframed:
    """Settings with as many frames as the film will have; videos that are too short are refused."""
    problems = []
    for name, need in needs_of(settings).items():
        if not isinstance(need, VideoNeed) or name == "color_video":
            continue
        have = probe(need).frames
        if name == "video" and settings.frames == 0:
            settings = settings.changed({"frames": have}) if have else settings
        if have < max(settings.frames, 1):
            way = "; 0 takes all of them" if name == "video" else "; every frame needs its own"
            problems.append(
                Problem(
                    f'"{need.path}" gives {have} frames for {settings.frames}{way}',
                    field=need.field,
                    code="video.too_short",
                )
            )
    problems.extend(_unknown_masks(settings))
    if problems:
        raise FlipbookError(*problems)
    return settings


MASKS = ("mask_image", "mask_alpha", "mask_video")
"""Settings that give a film its mask."""


def _unknown_masks(settings: Keyframed) -> Iterable[Problem]:
    for name in EXPRESSIONS:
        for term in terms_of(settings, name):
            if term.kind == "word" or (term.kind == "name" and term.value in ("human", "depth")):
                what = f"<{term.value}>" if term.kind == "word" else f"{{{term.value}}}"
                yield Problem(
                    f"{what} needs a network that is not built in yet; use a mask file",
                    field=name,
                    code="mask.not_built",
                )
            elif term.value in MASK_NAMES and not any(getattr(settings, mask) for mask in MASKS):
                yield Problem(
                    f"{{{term.value}}} is the film's mask, and none of {', '.join(MASKS)} is set",
                    field=name,
                    code="mask.not_set",
                )


def painted_frames(frames: int, cadence: int) -> tuple[int, ...]:
    """0, every cadence-th frame, and the last one."""
    return tuple(sorted({*range(0, frames, cadence), frames - 1}))


def _lacking(
    settings: Keyframed, numbers: Mapping[str, Numbers], capabilities: Capabilities
) -> Iterable[Problem]:
    masks = [n for n in (*MASKS, "mask_expression") if getattr(settings, n)]
    if masks and not capabilities.inpaint:
        yield Problem(
            "this engine cannot paint a masked part; remove the mask",
            field=masks[0],
            code="engine.missing_feature",
        )
    if settings.mode == "Interpolation" and settings.prompt_blend != "AND" and not capabilities.travel:
        yield Problem(
            f"this engine cannot mix conditioning ({settings.prompt_blend}); AND works",
            field="prompt_blend",
            code="engine.missing_feature",
        )
    yield from unknown_scripts(settings.scripts, capabilities)
    yield from unknown_upscaler(settings, capabilities)
    sharpening = numbers["sharpen_amount"] > 0
    even = np.flatnonzero(sharpening & (numbers["sharpen_kernel"] % 2 == 0))
    if even.size:
        value = int(numbers["sharpen_kernel"][even[0]])
        yield Problem(
            f"{value} at frame {even[0]} is even; it takes odd sizes such as 5",
            field="sharpen_kernel",
            code="schedule.out_of_range",
        )
