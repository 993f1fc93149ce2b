"""Events that a loop yields while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lib_anim.types import Picture


@dataclass(frozen=True, eq=False)
class FrameDone:
    """A finished frame. Frames are yielded in order, each once."""

    index: int
    """Below 0 for what is painted for the sake of a later frame and is no frame of the film."""
    picture: Picture
    painted: bool
    """False for a frame that was moved and blended, not painted."""
    values: Mapping[str, str | int | float] = field(default_factory=dict)
    """What made this frame (prompt, seed, …), for the metadata of its file."""
    state: Any = None
    """The loop's state after this frame, from which the pipeline can go on; None where it cannot."""


@dataclass(frozen=True)
class Estimated:
    """Amount of work, reported before the first frame."""

    paint: int
    """Frames that an engine must paint."""
    frames: int
    """Frames that are made, with those between painted ones."""
    most_bytes: int
    """What frames and states of the whole run take at most: as much as without compression."""


@dataclass(frozen=True)
class Progress:
    """Work done so far, in frames; `phase` is a word for people."""

    done: int
    total: int
    phase: str


@dataclass(frozen=True)
class Warned:
    """A warning for the user."""

    sentence: str


@dataclass(frozen=True)
class Finished:
    """All frames are done."""

    frames: int


Event = FrameDone | Estimated | Progress | Warned | Finished
