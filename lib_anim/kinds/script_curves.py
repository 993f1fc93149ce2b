"""Arguments of the host's always-on scripts, in which any value may be a schedule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lib_anim.errors import FlipbookError, Problem
from lib_anim.kinds.curves import word_curve
from lib_anim.timeline.context import Context
from lib_anim.timeline.items import Dialect
from lib_anim.timeline.schedule import parse_schedule

SCHEDULE, WORDS = "schedule", "words"
"""An object with this one key stands for a number, or a word, that changes over time."""


@dataclass(frozen=True)
class Curve:
    """What stands in an argument's place, frame by frame."""

    where: str
    """Script and way to the argument, such as `ADetailer 2 ad_denoising_strength`."""
    values: tuple[float | int | str, ...]


class ScriptCurves:
    """The arguments of every script, for any frame of a film."""

    def __init__(self, arguments: Mapping[str, Sequence[Any]], context: Context, dialect: Dialect) -> None:
        """Evaluate the schedules in `arguments` (title → arguments)."""
        self.problems: list[Problem] = []
        """What is wrong; `at` has None in the place of such a schedule."""
        self.warnings: list[str] = []
        self.places: list[str] = []
        """Script and way to every schedule, also to wrong ones."""
        self._curves: list[Curve] = []
        self._context, self._dialect = context, dialect
        self._arguments = {title: self._read(given, title) for title, given in arguments.items()}

    def at(self, frame: int) -> dict[str, list[Any]]:
        """Title → arguments, with this frame's value in the place of every schedule."""
        return {title: _at(given, frame) for title, given in self._arguments.items()}

    def values(self, frame: int) -> dict[str, float | int | str]:
        """What the schedules say at a frame, by script and way to the argument."""
        return {curve.where: curve.values[frame] for curve in self._curves}

    def _read(self, value: Any, where: str) -> Any:
        if isinstance(value, Mapping):
            if set(value) in ({SCHEDULE}, {WORDS}):
                return self._curve(value, where)
            return {key: self._read(one, f"{where} {key}") for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [self._read(one, f"{where} {place}") for place, one in enumerate(value)]
        return value

    def _curve(self, value: Mapping[str, Any], where: str) -> Curve | None:
        self.places.append(where)
        try:
            curve = Curve(where, tuple(self._evaluated(value, f"scripts {where}")))
        except FlipbookError as error:
            self.problems.extend(error.problems)
            return None
        self._curves.append(curve)
        return curve

    def _evaluated(self, value: Mapping[str, Any], field: str) -> Iterator[float | int | str]:
        ((kind, text),) = value.items()
        if kind == WORDS:
            yield from word_curve(str(text), field, self._dialect, self._context)
            return
        schedule = parse_schedule(text, field=field, dialect=self._dialect)
        numbers = schedule.numbers(self._context).tolist()
        self.warnings.extend(schedule.warnings(self._context))
        # A script that counts (steps, pixels) takes no 2.0.
        whole = all(number.is_integer() for number in numbers)
        yield from (int(number) if whole else number for number in numbers)


def refuse_curves(curves: ScriptCurves) -> Iterator[Problem]:
    """A sentence for every schedule, where arguments hold for all frames together."""
    for where in curves.places:
        sentence = "a clip's frames are made together, so it takes a plain value; restyle takes schedules"
        yield Problem(sentence, field=f"scripts {where}", code="script.no_schedules")


def _at(value: Any, frame: int) -> Any:
    if isinstance(value, Curve):
        return value.values[frame]
    if isinstance(value, Mapping):
        return {key: _at(one, frame) for key, one in value.items()}
    if isinstance(value, list):
        return [_at(one, frame) for one in value]
    return value
