"""What an engine can do, as data: samplers, models, features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class MotionChoice:
    """A motion module that an engine offers."""

    name: str
    """Value for `Steering.module`."""
    title: str
    """Description in one sentence."""
    most_frames: int
    """Largest context that it supports, in frames."""
    why_not: str = ""
    """Why it cannot be used with the engine's checkpoint; empty where it can."""


@dataclass(frozen=True)
class Style:
    """A saved prompt style in the WebUI's format."""

    prompt: str
    """Appended to the prompt, or contains it at `{prompt}`."""
    negative: str


@dataclass(frozen=True, kw_only=True)
class ClipCapabilities:
    """What a ClipPainter can do."""

    motion_modules: tuple[MotionChoice, ...] = ()
    """In order of preference; automatic selection takes the first without `why_not`."""


@dataclass(frozen=True, kw_only=True)
class VideoCapabilities:
    """What an ImageToVideo engine can do."""

    models: tuple[str, ...] = ()
    """Names that `VideoRequest.model` may take."""


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What an engine can do: shared by all its offers, and per offer."""

    still: bool = True
    """Whether the engine is a StillPainter."""
    clip: ClipCapabilities | None = None
    """Set where the engine is a ClipPainter."""
    video: VideoCapabilities | None = None
    """Set where the engine is an ImageToVideo."""

    samplers: tuple[str, ...]
    schedulers: tuple[str, ...]
    multiple_of: int = 8
    inpaint: bool = False
    travel: bool = False
    """Whether `StillRequest.travel` is supported."""
    restore_faces: bool = False
    tiling: bool = False
    subseed: bool = False
    checkpoints: tuple[str, ...] = ()
    """Names that `StillRequest.checkpoint` may take."""
    vaes: tuple[str, ...] = ()
    """Names that `StillRequest.vae` may take."""
    control: bool = False
    """Whether `StillRequest.control` is supported."""
    control_models: tuple[str, ...] = ()
    """Names that `ControlUnit.model` may take."""
    control_modules: tuple[str, ...] = ()
    """Names that `ControlUnit.module` may take."""
    scripts: tuple[str, ...] = ()
    """Titles that requests' `scripts` may name."""
    styles: Mapping[str, Style] = field(default_factory=dict)
    """Saved styles by name."""
    upscalers: tuple[str, ...] = ("Lanczos",)
    """Names that `Engine.upscale` takes."""
    native_size: int = 512
    """Side in pixels that the loaded checkpoint was trained for."""

    def as_json(self) -> dict[str, Any]:
        """The flat JSON object of the API: `clip` is a boolean, `motion_modules` a list."""
        fields = asdict(self)
        clip = fields.pop("clip") or {}
        return {**fields, "clip": self.clip is not None, "motion_modules": clip.get("motion_modules", ())}
