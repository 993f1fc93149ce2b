"""Evaluation context of schedules: the film's length, rate, size, seed and signals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from types import MappingProxyType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lib_anim.errors import FlipbookError, Problem
from lib_anim.timeline.functions import FUNCTIONS, NAMES


class Film(Protocol):
    """What a context takes from a film's settings; `cadence` too, where they have it."""

    @property
    def frames(self) -> int: ...
    @property
    def fps(self) -> Fraction: ...
    @property
    def seed(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def bpm(self) -> float: ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Context:
    """The film that schedules and prompts are evaluated for.

    `signals` holds one float per frame under each name, shape `(frames,)`; a name must be a word that
    is not a name or function of the language already. Raises FlipbookError for a film that cannot be.
    """

    frames: int
    """Number of frames, at least 1; the last one is `max_f = frames - 1`."""
    fps: Fraction = Fraction(15)
    """Frames per second."""
    seed: int = 0
    """The run's base seed, drawn already: `s` in expressions, and what `noise` and `rand` start from."""
    width: int = 512
    """Pixels."""
    height: int = 512
    """Pixels."""
    bpm: float | None = None
    """Beats per minute; None leaves `bpm`, `beat` and keys in beats without a meaning."""
    cadence: int = 1
    """Every how many frames one is painted."""
    signals: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    @classmethod
    def of(cls, film: Film, signals: Mapping[str, NDArray[np.float64]] | None = None) -> Context:
        """The context of a film's resolved settings (frames counted, seed drawn) and its signals."""
        return cls(
            frames=film.frames,
            fps=film.fps,
            seed=film.seed,
            width=film.width,
            height=film.height,
            bpm=film.bpm,
            cadence=getattr(film, "cadence", 1),
            signals=signals or {},
        )

    def __post_init__(self) -> None:
        problems = [*self._bad_numbers(), *(p for name in self.signals for p in self._bad_signal(name))]
        if problems:
            raise FlipbookError(*problems)
        object.__setattr__(self, "fps", Fraction(self.fps))
        signals = {name: np.array(values, dtype=np.float64) for name, values in self.signals.items()}
        for values in signals.values():
            values.setflags(write=False)
        object.__setattr__(self, "signals", MappingProxyType(signals))

    def _bad_numbers(self) -> list[Problem]:
        least = {"frames": 1, "width": 1, "height": 1, "cadence": 1}
        problems = [
            Problem(
                f"{getattr(self, name)} is too few; the least is {low}", field=name, code="value.not_allowed"
            )
            for name, low in least.items()
            if getattr(self, name) < low
        ]
        if self.fps <= 0:
            problems.append(
                Problem(
                    f"{self.fps} frames per second is not a rate; give more than 0",
                    field="fps",
                    code="media.bad_rate",
                )
            )
        if self.bpm is not None and not 0 < self.bpm < float("inf"):
            problems.append(
                Problem(
                    f"{self.bpm} beats per minute is not a tempo; give more than 0",
                    field="bpm",
                    code="media.bad_rate",
                )
            )
        return problems

    def _bad_signal(self, name: str) -> list[Problem]:
        if not name.isidentifier():
            return [
                Problem(
                    f'"{name}" cannot name a signal; use letters, digits and _',
                    field="signals",
                    code="signals.invalid",
                )
            ]
        if name in NAMES or name in FUNCTIONS:
            return [
                Problem(
                    f'"{name}" is a word of the language; choose another name for the signal',
                    field="signals",
                    code="signals.invalid",
                )
            ]
        shape = np.shape(self.signals[name])
        count = str(shape[0]) if len(shape) == 1 else str(shape)
        if shape != (self.frames,):
            return [
                Problem(
                    f'"{name}" holds {count} values for {self.frames} frames; it needs one for each',
                    field="signals",
                    code="signals.invalid",
                )
            ]
        return []
