"""Schedules: `0:(1), 30:(2*t) ease-in, …` as data, as canonical text, and as one value per frame."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lib_anim.errors import FlipbookError, Problem
from lib_anim.timeline.context import Context
from lib_anim.timeline.curves import Keyframe, bridged, curve
from lib_anim.timeline.diagnostics import at_column, quoted, shown
from lib_anim.timeline.easings import EASINGS
from lib_anim.timeline.evaluate import evaluate, name_problems
from lib_anim.timeline.items import Dialect, Item, Unreadable, read_items
from lib_anim.timeline.keys import key_frame, key_problems
from lib_anim.timeline.nodes import plain_number
from lib_anim.timeline.printing import number_text

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Schedule:
    """A checked schedule. `str()` prints it canonically; parsing that gives an equal schedule.

    Two schedules are equal when they mean the same: spaces, redundant parentheses and the way a key or
    string is quoted do not count.
    """

    items: tuple[Item, ...]
    strings: bool = False
    easing: str = "linear"
    dialect: Dialect = "native"
    field: str = dataclasses.field(default="", compare=False)
    text: str = dataclasses.field(default="", compare=False, repr=False)
    """What the user typed."""

    def __str__(self) -> str:
        return ", ".join(str(item) for item in self.items)

    def check(self, signals: Collection[str] = ()) -> None:
        """Raises FlipbookError with every name that means nothing, given the attached signals' names."""
        problems: list[Problem] = []
        for item in self.items:
            found = key_problems(item.key, frozenset(signals), self.text)
            if not isinstance(item.value, str | Unreadable):
                found += name_problems(item.value, signals, self.text)
            problems += [self._placed(problem, item) for problem in found]
        if problems:
            raise FlipbookError(*problems)

    def curve(self, context: Context) -> Float | list[str]:
        """The value of every frame: float64 of shape (frames,), or a list of strings for a string schedule.

        Raises FlipbookError for names that mean nothing, and, outside Deforum's dialect, for negative
        keys and for frames whose value is not finite.
        """
        return self._evaluated(context)[0]

    def numbers(self, context: Context) -> Float:
        """`curve` of a schedule of numbers, typed as such."""
        values = self.curve(context)
        assert isinstance(values, np.ndarray)
        return values

    def texts(self, context: Context) -> list[str]:
        """`curve` of a string schedule, typed as such."""
        values = self.curve(context)
        assert isinstance(values, list)
        return values

    def warnings(self, context: Context) -> tuple[str, ...]:
        """One sentence for each thing that Deforum's dialect passed over: NaN frames, negative keys."""
        return self._evaluated(context)[1]

    def _evaluated(self, context: Context) -> tuple[Float | list[str], tuple[str, ...]]:
        if self.dialect == "native":
            self.check(context.signals)
        placed, warnings = self._placed_items(context)
        if self.strings:
            return _held([(frame, str(item.value)) for frame, item in placed], context.frames), tuple(
                warnings
            )
        keyframes = [self._keyframe(frame, item, context) for frame, item in placed]
        values = curve(keyframes, context.frames)
        bad = np.flatnonzero(~np.isfinite(values))
        if len(bad) and (self.dialect == "native" or len(bad) == len(values)):
            raise FlipbookError(self._not_finite(values, bad, placed))
        if len(bad):
            warnings.append(
                f"{self._front}{len(bad)} of {context.frames} frames have no finite value (the first is "
                f"frame {bad[0]}); they are interpolated from their neighbours, as Deforum does"
            )
            values = bridged(values)
        return values, tuple(warnings)

    @property
    def _front(self) -> str:
        return f"{self.field}: " if self.field else ""

    def _placed_items(self, context: Context) -> tuple[list[tuple[int, Item]], list[str]]:
        """The items by frame, the later of two on one frame, and a warning for keys before the film."""
        frames: dict[int, Item] = {}
        problems: list[Problem] = []
        warnings: list[str] = []
        for item in self.items:
            try:
                frame = key_frame(item.key, context, self.text)
            except FlipbookError as error:
                problems += [self._placed(problem, item) for problem in error.problems]
                continue
            if frame >= 0:
                frames[frame] = item
            elif self.dialect == "deforum":
                warnings.append(
                    f"{self._front}the key {item.written} is frame {frame} and counts for nothing"
                )
            else:
                message = f"this key is frame {frame}; the first frame is 0"
                problems.append(
                    at_column(
                        message,
                        self.text,
                        item.key_column,
                        field=self.field,
                        key=item.written,
                        code="schedule.bad_key",
                    )
                )
        if problems:
            raise FlipbookError(*problems)
        if not frames:
            raise FlipbookError(
                Problem(
                    "no key gives a value; write 0:(1.5), say",
                    self.field,
                    text=shown(self.text),
                    code="schedule.no_key",
                )
            )
        warnings += self._passed_over(frames, context)
        return sorted(frames.items(), key=lambda pair: pair[0]), warnings

    def _passed_over(self, frames: dict[int, Item], context: Context) -> list[str]:
        """A sentence for each text that Deforum does not look at: behind a second colon, or never needed."""
        used = {id(item) for frame, item in frames.items() if frame < context.frames}
        sentences = []
        for item in self.items:
            if item.ignored:
                sentences.append(
                    f'{self._front}what follows the second ":" of key {item.written} counts for nothing'
                )
            if isinstance(item.value, Unreadable) and id(item) not in used:
                sentences.append(
                    f"{self._front}the value of key {item.written} cannot be read, and is not needed"
                )
        return sentences

    def _keyframe(self, frame: int, item: Item, context: Context) -> Keyframe:
        formula = item.value
        assert not isinstance(formula, str)

        def values(frames: Float) -> Float:
            if isinstance(formula, Unreadable):
                raise FlipbookError(formula.problem)
            try:
                return evaluate(formula, context, frames, self.text)
            except FlipbookError as error:
                raise FlipbookError(*(self._placed(problem, item) for problem in error.problems)) from None

        number = None if isinstance(formula, Unreadable) else plain_number(formula)
        return Keyframe(frame, item.easing or self.easing, number, values)

    def _placed(self, problem: Problem, item: Item) -> Problem:
        """The problem with this schedule's field and the item's key."""
        column, text = problem.column or item.key_column, problem.text or shown(self.text)
        return Problem(problem.message, self.field, item.written, column, text, code=problem.code)

    def _not_finite(self, values: Float, bad: NDArray[np.intp], placed: list[tuple[int, Item]]) -> Problem:
        """The problem of the first formula that fails, not of the numbers that lead up to it."""
        starts = [start for start, _ in placed]
        owners = np.maximum(np.searchsorted(starts, bad, side="right") - 1, 0)
        formulas = np.array([plain_number(item.value) is None for _, item in placed])  # type: ignore[arg-type]
        own = bad[formulas[owners]]
        frame, more_frames = int(own[0]), len(own) - 1
        item = placed[int(owners[formulas[owners]][0])][1]
        kind = "not a number" if np.isnan(values[frame]) else "infinite"
        more = f", and at {more_frames} more" if more_frames else ""
        message = f"the value at frame {frame} is {kind}{more}; keep it finite with clamp, max or where"
        return at_column(
            message,
            self.text,
            item.column,
            field=self.field,
            key=item.written,
            code="schedule.not_finite",
        )


def _held(placed: list[tuple[int, str]], frames: int) -> list[str]:
    """Each text from its frame to the next; the first one also before it."""
    starts = np.array([frame for frame, _ in placed])
    current = np.searchsorted(starts, np.arange(frames), side="right") - 1
    return [placed[index][1] for index in np.maximum(current, 0)]


def parse_schedule(
    text: str | int | float,
    *,
    field: str = "",
    strings: bool = False,
    easing: str = "linear",
    dialect: Dialect = "native",
) -> Schedule:
    """Reads a schedule; a bare int or float is a schedule that holds it.

    `field` names the setting in sentences, `strings` asks for text instead of numbers, `easing` is the
    way between numbers where no key says otherwise, `dialect` is "native" or "deforum". Names are
    checked by `Schedule.check` and on evaluation, since only a film knows its signals.
    Raises FlipbookError for text that is not a schedule.
    """
    if easing not in EASINGS:
        raise FlipbookError(
            Problem(
                f"{quoted(easing)} is not an easing; easings are {', '.join(EASINGS)}",
                field,
                code="schedule.unknown_easing",
            )
        )
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        raise FlipbookError(
            Problem(
                f"a schedule is a text or a number, not {quoted(repr(text))}", field, code="schedule.invalid"
            )
        )
    if not isinstance(text, str):
        text = f"0:({number_text(text)})" if np.isfinite(text) else f"0:({text})"
    return Schedule(read_items(text, field, strings, dialect), strings, easing, dialect, field, text)
