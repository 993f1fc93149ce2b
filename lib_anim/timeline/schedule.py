"""Schedules: `0:(1), 30:(2*t) ease-in, …` as data, as canonical text, and as one value per frame."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lib_anim.errors import FlipbookError, Problem
from lib_anim.timeline.complaints import at_column, quoted, shown
from lib_anim.timeline.context import Context
from lib_anim.timeline.curves import Keyframe, bridged, curve
from lib_anim.timeline.evaluate import evaluate, name_problems
from lib_anim.timeline.functions import EASINGS
from lib_anim.timeline.grammar import FormulaKey, Key, ParsedItem, Text, check_tree, parse
from lib_anim.timeline.keys import key_frame, key_problems, key_text
from lib_anim.timeline.limits import MAX_ITEMS, MAX_SCHEDULE_CHARACTERS
from lib_anim.timeline.nodes import Expression, Number, plain_number
from lib_anim.timeline.printing import expression_text, number_text

Dialect = Literal["native", "deforum"]
Float = NDArray[np.float64]


@dataclass(frozen=True)
class Item:
    """One key with its value. `easing` is empty where the schedule's own applies."""

    key: Key
    value: Expression | str
    easing: str = ""
    written: str = dataclasses.field(default="", compare=False, repr=False)
    """The key as the user wrote it, for sentences."""
    column: int = dataclasses.field(default=1, compare=False, repr=False)
    """Where the value starts."""
    key_column: int = dataclasses.field(default=1, compare=False, repr=False)
    """Where the key starts; a quoted key's formula counts its columns from there."""

    def __str__(self) -> str:
        if isinstance(self.value, str):
            quote = "'" if '"' in self.value else '"'
            value = f"{quote}{self.value}{quote}"
        else:
            value = expression_text(self.value)
        return f"{key_text(self.key)}:({value})" + (f" {self.easing}" if self.easing else "")


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
            if not isinstance(item.value, str):
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
        negative: list[str] = []
        for item in self.items:
            try:
                frame = key_frame(item.key, context, self.text)
            except FlipbookError as error:
                problems += [self._placed(problem, item) for problem in error.problems]
                continue
            if frame >= 0:
                frames[frame] = item
            elif self.dialect == "deforum":
                negative.append(f"{item.written} (frame {frame})")
            else:
                message = f"this key is frame {frame}; the first frame is 0"
                problems.append(
                    at_column(message, self.text, item.key_column, field=self.field, key=item.written)
                )
        if problems:
            raise FlipbookError(*problems)
        if not frames:
            raise FlipbookError(
                Problem("no key gives a value; write 0:(1.5), say", self.field, text=shown(self.text))
            )
        keys = "key lies" if len(negative) == 1 else "keys lie"
        listed = ", ".join(negative[:5])
        warning = f"{self._front}{len(negative)} {keys} before frame 0 and count for nothing: {listed}"
        return sorted(frames.items(), key=lambda pair: pair[0]), [warning] if negative else []

    def _keyframe(self, frame: int, item: Item, context: Context) -> Keyframe:
        formula = item.value
        assert not isinstance(formula, str)

        def values(frames: Float) -> Float:
            try:
                return evaluate(formula, context, frames, self.text)
            except FlipbookError as error:
                raise FlipbookError(*(self._placed(problem, item) for problem in error.problems)) from None

        return Keyframe(frame, item.easing or self.easing, plain_number(formula), values)

    def _placed(self, problem: Problem, item: Item) -> Problem:
        """The problem with this schedule's field and the item's key."""
        column, text = problem.column or item.key_column, problem.text or shown(self.text)
        return Problem(problem.message, self.field, item.written, column, text)

    def _not_finite(self, values: Float, bad: NDArray[np.intp], placed: list[tuple[int, Item]]) -> Problem:
        frame = int(bad[0])
        item = next((item for start, item in reversed(placed) if start <= frame), placed[0][1])
        kind = "not a number" if np.isnan(values[frame]) else "infinite"
        more = f", and at {len(bad) - 1} more" if len(bad) > 1 else ""
        message = f"the value at frame {frame} is {kind}{more}; keep it finite with clamp, max or where"
        return at_column(message, self.text, item.column, field=self.field, key=item.written)


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
    Raises FlipbookError for text that is no schedule.
    """
    if easing not in EASINGS:
        raise FlipbookError(
            Problem(f"{quoted(easing)} is not an easing; easings are {', '.join(EASINGS)}", field)
        )
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        raise FlipbookError(Problem(f"a schedule is a text or a number, not {quoted(repr(text))}", field))
    if not isinstance(text, str):
        text = f"0:({number_text(text)})" if np.isfinite(text) else f"0:({text})"
    reader = _Reader(text, field, strings, dialect)
    return Schedule(reader.items(), strings, easing, dialect, field, text)


_DEFORUM_NUMBER = re.compile(r"[+-]?\d*(\.\d+)?")
_BARE_NUMBER = re.compile(r"[\d.]+([eE][+-]?\d+)?")


class _Reader:
    """Turns parsed items into checked ones, by the rules of one dialect."""

    def __init__(self, text: str, field: str, strings: bool, dialect: Dialect) -> None:
        self.text, self.field, self.strings, self.dialect = text, field, strings, dialect

    def items(self) -> tuple[Item, ...]:
        """All items in the text's order."""
        loose = self.dialect == "deforum"
        rule = "raw_schedule" if loose and self.strings else "schedule"
        source = re.sub("[\"']", " ", self.text) if loose and not self.strings else self.text
        parsed = parse(source, rule, field=self.field, limit=MAX_SCHEDULE_CHARACTERS)
        count = sum(isinstance(part, ParsedItem) for part in parsed)
        if count > MAX_ITEMS:
            raise FlipbookError(
                Problem(f"{count:,} keys are too many; at most {MAX_ITEMS:,} are read", self.field)
            )
        items, start = [], 0
        for index in range(0, len(parsed), 2):
            end = parsed[index + 1].start_pos if index + 1 < len(parsed) else len(self.text)
            items.append(self._item(parsed[index], start, end))
            start = end + 1
        return tuple(items)

    def _item(self, parsed: ParsedItem, start: int, end: int) -> Item:
        """The item whose text runs from offset `start` to `end`."""
        key_text_here = self.text[start : parsed.colon]
        written = key_text_here.strip(" \t\r\n\"'\ufeff")
        key_column = start + len(key_text_here) - len(key_text_here.lstrip()) + 1
        value_end = end if parsed.easing_start is None else parsed.easing_start
        value_text = self.text[parsed.colon + 1 : value_end]
        column = parsed.colon + 2 + len(value_text) - len(value_text.lstrip())
        key = self._key(parsed.key, written, key_column)
        value = self._value(parsed.value, value_text, written, column)
        if isinstance(value, str) and parsed.easing not in ("", "step"):
            raise self._fail(
                f"text cannot change by degrees; leave out {parsed.easing}", value_end + 1, written
            )
        easing = parsed.easing
        if self._held_in_deforum(value, value_text):
            easing = easing or "step"
        return Item(key, value, easing, written, column, key_column)

    def _fail(self, message: str, column: int, written: str) -> FlipbookError:
        return FlipbookError(at_column(message, self.text, column, field=self.field, key=written))

    def _key(self, key: Key, written: str, column: int) -> Key:
        if isinstance(key, FormulaKey):
            number = key.formula
            if isinstance(number, Number) and _BARE_NUMBER.fullmatch(written) and number.value % 1:
                whole = int(number.value)
                message = f"{written} is not a whole frame; write {whole}, or ({written}) to have it cut"
                raise self._fail(message, column, written)
            check_tree([number], self.text, field=self.field, key=written)
        return key

    def _value(
        self, value: Expression | Text, value_text: str, written: str, column: int
    ) -> Expression | str:
        if isinstance(value, Text):
            if not self.strings:
                message = f"{quoted(value.text)} is text, and this takes numbers; write (1.5), say"
                raise self._fail(message, column, written)
            return value.text if self.dialect == "native" else unwrapped(value_text)
        if self.strings:
            raise self._fail('this takes text in quotes; write ("…")', column, written)
        check_tree([value], self.text, field=self.field, key=written)
        return value

    def _held_in_deforum(self, value: Expression | str, value_text: str) -> bool:
        """Whether Deforum holds this number instead of interpolating from it: when spaces or a bare point
        make it miss a plain number's pattern. `1e-3` is a number here."""
        if self.dialect == "native" or isinstance(value, str) or plain_number(value) is None:
            return False
        bare = re.sub("[\"'()]", "", value_text.strip())
        return not _DEFORUM_NUMBER.fullmatch(bare) and "e" not in bare.lower()


def unwrapped(text: str) -> str:
    """A string as Deforum's files hold it, without the quotes and parentheses round it.

    Quotes inside go too, as in Deforum; parentheses inside stay, unlike there: they belong to a mask's
    expression or a checkpoint's name.
    """
    text = text.strip()
    while text.startswith("(") and text.endswith(")") and _wraps(text):
        text = text[1:-1].strip()
    return re.sub("[\"']", "", text).strip()


def _wraps(text: str) -> bool:
    """Whether the first parenthesis closes with the last one."""
    depth = 0
    for offset, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return offset == len(text) - 1
    return False
