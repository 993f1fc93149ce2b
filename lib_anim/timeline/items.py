"""Items of a schedule: reading them by the rules of a dialect, and printing them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from lib_anim.errors import FlipbookError, Problem
from lib_anim.timeline.deforum_text import is_held, parse_loosely, unwrapped
from lib_anim.timeline.diagnostics import at_column, quoted
from lib_anim.timeline.grammar import FormulaKey, Key, ParsedItem, Text, check_tree, parse
from lib_anim.timeline.keys import fraction_problem, key_text
from lib_anim.timeline.limits import MAX_ITEMS, MAX_SCHEDULE_CHARACTERS
from lib_anim.timeline.nodes import Expression, plain_number
from lib_anim.timeline.printing import expression_text

Dialect = Literal["native", "deforum"]


@dataclass(frozen=True)
class Unreadable:
    """A value of a Deforum file that is not an expression; an error only where a frame needs it."""

    text: str
    problem: Problem = dataclasses.field(default=Problem(""), compare=False, repr=False)


@dataclass(frozen=True)
class Item:
    """One key with its value. `easing` is empty where the schedule's own applies."""

    key: Key
    value: Expression | str | Unreadable
    easing: str = ""
    written: str = dataclasses.field(default="", compare=False, repr=False)
    """The key as the user wrote it, for sentences."""
    column: int = dataclasses.field(default=1, compare=False, repr=False)
    """Where the value starts."""
    key_column: int = dataclasses.field(default=1, compare=False, repr=False)
    """Where the key starts."""
    ignored: bool = dataclasses.field(default=False, compare=False, repr=False)
    """Whether the text went on behind a second colon, which Deforum passes over."""

    def __str__(self) -> str:
        if isinstance(self.value, Unreadable):
            return f"{key_text(self.key)}:{self.value.text}"
        if isinstance(self.value, str):
            quote = "'" if '"' in self.value else '"'
            value = f"{quote}{self.value}{quote}"
        else:
            value = expression_text(self.value)
        return f"{key_text(self.key)}:({value})" + (f" {self.easing}" if self.easing else "")


class _Reader:
    """Turns parsed items into checked ones, by the rules of one dialect."""

    def __init__(self, text: str, field: str, strings: bool, dialect: Dialect) -> None:
        self.text, self.field, self.strings, self.dialect = text, field, strings, dialect
        self.unreadable: dict[int, tuple[str, Problem]] = {}

    def items(self) -> tuple[Item, ...]:
        """All items in the text's order."""
        parsed = self._parsed()
        count = sum(isinstance(part, ParsedItem) for part in parsed)
        if count > MAX_ITEMS:
            raise FlipbookError(
                Problem(
                    f"{count:,} keys are too many; at most {MAX_ITEMS:,} are read",
                    self.field,
                    code="schedule.too_long",
                )
            )
        items, start = [], 0
        for index in range(0, len(parsed), 2):
            end = parsed[index + 1].start_pos if index + 1 < len(parsed) else len(self.text)
            items.append(self._item(parsed[index], start, end))
            start = end + 1
        return tuple(items)

    def _parsed(self) -> list[Any]:
        if self.dialect == "native" or self.strings:
            rule = "schedule" if self.dialect == "native" else "raw_schedule"
            found: list[Any] = parse(self.text, rule, field=self.field, limit=MAX_SCHEDULE_CHARACTERS)
            return found
        found, self.unreadable = parse_loosely(self.text, field=self.field)
        return found

    def _item(self, parsed: ParsedItem, start: int, end: int) -> Item:
        """The item whose text runs from offset `start` to `end`."""
        key_text_here = self.text[start : parsed.colon]
        written = key_text_here.strip(" \t\r\n\"'\ufeff")
        key_column = start + len(key_text_here) - len(key_text_here.lstrip()) + 1
        value_end = end if parsed.easing_start is None else parsed.easing_start
        if parsed.ignored:
            value_end = self.text.index(":", parsed.colon + 1)
        value_text = self.text[parsed.colon + 1 : value_end]
        column = parsed.colon + 2 + len(value_text) - len(value_text.lstrip())
        key = self._key(parsed.key, key_text_here.strip(), key_column)
        if parsed.colon in self.unreadable:
            raw, problem = self.unreadable[parsed.colon]
            return Item(key, Unreadable(raw, problem), "", written, column, key_column)
        value = self._value(parsed.value, value_text, written, column)
        if isinstance(value, str) and parsed.easing not in ("", "step"):
            raise self._fail(
                f"text cannot change by degrees; leave out {parsed.easing}", value_end + 1, written
            )
        easing = parsed.easing
        if not easing and self.dialect == "deforum" and _is_plain(value) and is_held(value_text):
            easing = "step"
        return Item(key, value, easing, written, column, key_column, parsed.ignored)

    def _fail(self, message: str, column: int, written: str) -> FlipbookError:
        return FlipbookError(at_column(message, self.text, column, field=self.field, key=written))

    def _key(self, key: Key, written: str, column: int) -> Key:
        if isinstance(key, FormulaKey):
            check_tree([key.formula], self.text, field=self.field, key=written)
            message = fraction_problem(key, written)
            if message:
                raise self._fail(message, column, written)
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


def _is_plain(value: Expression | str | Unreadable) -> bool:
    return not isinstance(value, str | Unreadable) and plain_number(value) is not None


def read_items(text: str, field: str, strings: bool, dialect: Dialect) -> tuple[Item, ...]:
    """The items of a schedule, checked as far as they can be without a film. Raises FlipbookError."""
    return _Reader(text, field, strings, dialect).items()
