"""The kinds of film: one record each. Every door lists them from here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

from lib_anim.engines.contract.capabilities import Capabilities
from lib_anim.engines.contract.engine import Engine, OnStep
from lib_anim.kinds.assemble.settings import Assemble
from lib_anim.kinds.clip.inputs import ClipInputs
from lib_anim.kinds.clip.inputs import needs_of as clip_needs
from lib_anim.kinds.clip.loop import ClipState
from lib_anim.kinds.clip.loop import run as run_clip
from lib_anim.kinds.clip.motion_settings import Motion
from lib_anim.kinds.clip.plan import ClipFilmPlan
from lib_anim.kinds.clip.plan import plan as plan_clip
from lib_anim.kinds.clip.plan import try_out as try_clip
from lib_anim.kinds.clip.settings import Clip
from lib_anim.kinds.draft import Trial
from lib_anim.kinds.events import Event
from lib_anim.kinds.keyframed.draft import TrialPlan, run_trial, try_out
from lib_anim.kinds.keyframed.inputs import Inputs, needs_of
from lib_anim.kinds.keyframed.loop import LoopState
from lib_anim.kinds.keyframed.loop import run as run_keyframed
from lib_anim.kinds.keyframed.plan import KeyframedPlan
from lib_anim.kinds.keyframed.plan import plan as plan_keyframed
from lib_anim.kinds.keyframed.settings import Keyframed
from lib_anim.kinds.needs import Look, Need, SoundNeed
from lib_anim.kinds.restyle.draft import try_out as try_out_restyle
from lib_anim.kinds.restyle.loop import RestyleState
from lib_anim.kinds.restyle.loop import run as run_restyle
from lib_anim.kinds.restyle.loop import state_before as restyle_state_before
from lib_anim.kinds.restyle.plan import RestylePlan
from lib_anim.kinds.restyle.plan import plan as plan_restyle
from lib_anim.kinds.restyle.settings import Restyle
from lib_anim.kinds.restyle.tracks import needs_of as needs_of_restyle
from lib_anim.settings.base import Settings


class Plan(Protocol):
    """What jobs know of any kind's plan."""

    @property
    def settings(self) -> Settings: ...

    @property
    def frames(self) -> int: ...

    @property
    def rate(self) -> Fraction: ...

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the film in pixels."""
        ...

    @property
    def painted(self) -> tuple[int, ...]:
        """Frames after which the loop's state is known, in order; the last one of the film is among them."""
        ...

    def fingerprint(self, engine: str) -> str: ...


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One way of making a film."""

    name: str
    title: str
    settings: type[Settings]
    needs: Callable[[Any], Mapping[str, Need]]
    """settings → the files they need, by the name under which `run` gets them."""
    plan: Callable[[Any, Capabilities, int, Look], Plan]
    """(settings, what the engine can do, a seed to use where none is given, a look at videos) → plan."""
    try_out: Callable[[Any, Trial, Capabilities], Plan]
    """(plan, what is left out, what the engine can do) → plan of the trial, which `run` takes too."""
    run: Callable[[Any, Engine, Mapping[str, Any], Any, OnStep | None], Iterator[Event]]
    """(plan, engine, opened needs, state or None, step callback) → events."""
    state: type[Any]
    """The dataclass of arrays and whole numbers that FrameDone carries as state."""
    soundtrack: Callable[[Any], SoundNeed | None]
    """plan → the sound of its film, if it has one."""
    backwards: Callable[[Any], bool]
    """plan → whether the film shows its last frame first."""
    whole: tuple[str, ...]
    """Settings of the film as a whole: a part that is made anew cannot change them."""
    indivisible: str = ""
    """Why some frames cannot be made anew by themselves; empty where they can."""
    motion: Callable[[Any], Motion | None] = lambda plan: None
    """plan → settings of a clip's films: further formats, order, in-betweens. None has the film alone."""
    state_before: Callable[[Any, int, Any], Any] | None = None
    """(plan, frame above 0, any earlier state or None) → the state before that frame where it can be had
    without making the frames between, else None. Kinds whose frames all hang together have none."""


def sound_of(path: str) -> SoundNeed | None:
    """A setting that names a file of sound, or is empty."""
    return SoundNeed(path=Path(path)) if path else None


def _run_keyframed(
    plan: KeyframedPlan | TrialPlan,
    engine: Engine,
    opened: Mapping[str, Any],
    state: LoopState | None,
    on_step: OnStep | None,
) -> Iterator[Event]:
    if isinstance(plan, TrialPlan):
        return run_trial(plan, engine, Inputs.of(opened), state, on_step)
    return run_keyframed(plan, engine, Inputs.of(opened), state, on_step)


KEYFRAMED = Kind(
    name="keyframed",
    title="Keyframed animation",
    settings=Keyframed,
    plan=plan_keyframed,
    needs=needs_of,
    try_out=try_out,
    run=_run_keyframed,
    state=LoopState,
    soundtrack=lambda plan: sound_of(plan.settings.soundtrack),
    backwards=lambda plan: plan.settings.init_last,
    whole=("frames", "fps", "width", "height", "soundtrack", "init_last", "upscale", "upscaler"),
)


def _run_clip(
    plan: ClipFilmPlan,
    engine: Engine,
    opened: Mapping[str, Any],
    state: ClipState | None,
    on_step: OnStep | None,
) -> Iterator[Event]:
    return run_clip(plan, engine, ClipInputs(**opened), state, on_step)


CLIP = Kind(
    name="clip",
    title="Clip (AnimateDiff)",
    settings=Clip,
    plan=plan_clip,
    needs=clip_needs,
    try_out=try_clip,
    run=_run_clip,
    state=ClipState,
    soundtrack=lambda plan: sound_of(plan.settings.soundtrack),
    backwards=lambda plan: False,
    whole=(),
    indivisible="a clip is denoised as one, so a part of it cannot be made anew; render the clip again",
    motion=lambda plan: plan.settings,
)


def _sound_of_restyle(plan: RestylePlan) -> SoundNeed | None:
    """The soundtrack, or the video's own sound from where the film begins."""
    s = plan.settings
    if s.soundtrack or s.sound == "none" or not plan.sounds:
        return sound_of(s.soundtrack)
    return SoundNeed(path=Path(s.video), start=plan.sound_start)


RESTYLE = Kind(
    name="restyle",
    title="Restyle a film",
    settings=Restyle,
    plan=plan_restyle,
    needs=needs_of_restyle,
    try_out=try_out_restyle,
    run=run_restyle,
    state=RestyleState,
    soundtrack=_sound_of_restyle,
    backwards=lambda plan: False,
    whole=(
        *("video", "video_start", "video_stop", "video_every"),
        *("frames", "fps", "width", "height", "scale", "sound", "soundtrack", "upscale", "upscaler"),
    ),
    state_before=restyle_state_before,
)

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (KEYFRAMED, CLIP, RESTYLE)}

SETTINGS: Mapping[str, type[Settings]] = {cls.kind: cls for cls in (Keyframed, Clip, Restyle, Assemble)}
"""The settings class of every kind, by the kind's name."""
