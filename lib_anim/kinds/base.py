"""What a kind of film is: one record per kind, from which every entry point takes what differs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

from lib_anim.engines.contract.capabilities import Capabilities
from lib_anim.engines.contract.engine import Engine, OnStep, StillPainter
from lib_anim.kinds.clip.motion_settings import Motion
from lib_anim.kinds.draft import DraftOptions
from lib_anim.kinds.events import Event
from lib_anim.kinds.needs import Need, Probe, SoundNeed
from lib_anim.settings.base import Settings
from lib_anim.timeline.prompts import PromptTrack
from lib_anim.types import Picture


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
        """Width and height of the painted frames in pixels."""
        ...

    @property
    def painted(self) -> tuple[int, ...]:
        """Frames after which the loop's state is known, ascending; the film's last frame is one of them."""
        ...

    def fingerprint(self, engine: str) -> str: ...


@dataclass(frozen=True, kw_only=True)
class Studio:
    """The tools that a loop may use. A new tool is added here and needs no change of job code."""

    engine: Engine
    estimators: Mapping[str, Any] = field(default_factory=dict)
    """Estimators by job, such as "depth"; a composition root chooses them. None exist yet."""
    on_step: OnStep | None = None
    """Called after each denoising step; raises Interrupted to cancel."""


@dataclass(frozen=True, kw_only=True)
class MotionPreview:
    """The camera motion of a film on a checkerboard, without an engine."""

    frames: int
    rate: Fraction
    size: tuple[int, int]
    """Width and height of the preview in pixels."""
    pictures: Iterator[Picture]
    warnings: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Importer:
    """Reads another program's settings as settings of a kind."""

    name: str
    """The program, as it is shown to users."""
    recognises: Callable[[Mapping[str, Any]], bool]
    """Whether an object without `kind` is in this program's format."""
    read: Callable[[Mapping[str, Any], Mapping[str, Any]], tuple[Settings, tuple[str, ...]]]
    """(the object, changed values by the program's or Flipbook's names) → (settings, warnings)."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of film and what entry points need to know of it."""

    name: str
    title: str
    settings: type[Settings]
    importers: tuple[Importer, ...] = ()
    """Formats of other programs that are read as this kind."""
    prompts: Callable[[Any], PromptTrack] | None = None
    """settings → prompts over time; None for kinds without prompts."""
    motion_preview: Callable[[Any, Probe], MotionPreview] | None = None
    """(settings, probe) → camera motion on a checkerboard; None for kinds without a camera."""
    written_files: tuple[str, ...] = ()
    """Settings that name files to be written; only the command line may set them."""
    film_input: str = ""
    """The setting that takes a finished film ("send to"); empty where there is none."""
    picture_input: str = ""
    """The setting that takes a picture ("send to"); empty where there is none."""


@dataclass(frozen=True, kw_only=True)
class PaintedKind(Kind):
    """A kind whose frames an engine paints: plan, loop, state."""

    offer: type[Any] = StillPainter
    """The engine offer that the loop needs: StillPainter, ClipPainter or ImageToVideo."""
    needs: Callable[[Any], Mapping[str, Need]]
    """settings → input files, by the name under which `run` gets them."""
    plan: Callable[[Any, Capabilities, int, Probe], Plan]
    """(settings, capabilities, seed to use where none is given, probe for videos) → plan."""
    make_draft: Callable[[Any, DraftOptions, Capabilities], Plan]
    """(plan, what is left out, capabilities) → plan of the draft, which `run` takes too."""
    run: Callable[[Any, Studio, Mapping[str, Any], Any], Iterator[Event]]
    """(plan, studio, opened inputs, state or None) → events."""
    state: type[Any]
    """The dataclass of arrays and integers that FrameDone carries as state."""
    soundtrack: Callable[[Any], SoundNeed | None]
    """plan → the film's soundtrack."""
    backwards: Callable[[Any], bool] = lambda plan: False
    """plan → whether the film shows its last frame first."""
    film_level_settings: tuple[str, ...] = ()
    """Settings of the whole film, which re-rendering a range of frames cannot change."""
    denoised_as_one: str = ""
    """Why a range of frames cannot be re-rendered; empty where it can."""
    clip_output: Callable[[Any], Motion | None] = lambda plan: None
    """plan → further formats, frame order and in-betweens of a clip; None writes the film alone."""
    state_before: Callable[[Any, int, Any], Any] | None = None
    """(plan, frame above 0, an earlier state or None) → the state before that frame, if it can be computed
    without the frames between, else None. None for kinds in which every frame depends on the previous one."""


def sound_file(path: str) -> SoundNeed | None:
    """The soundtrack that a setting names; None where it is empty."""
    return SoundNeed(path=Path(path)) if path else None


def titles(kinds: Sequence[Kind]) -> str:
    """Names of kinds for an error sentence."""
    return ", ".join(kind.name for kind in kinds)
