"""Specs: the types of settings. Entry points derive their controls, flags and schemas from them.

A *spec* knows a setting's words (label, help, unit), what it allows, and its JSON, text and schema
forms. msgspec and cattrs were tried on paper first: both stop at, or bury, the sentence that people
need (field, value, what is allowed, all problems at once), so wrapping them takes as much code as this.
Longer than most files: it is the list of all specs, each a few lines.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from lib_anim.errors import FlipbookError, Problem
from lib_anim.rates import rate_of
from lib_anim.timeline.items import Dialect
from lib_anim.timeline.masks import parse_mask
from lib_anim.timeline.prompts import parse_prompts
from lib_anim.timeline.schedule import parse_schedule

KEY = "flipbook"
"""Where a dataclass field's metadata holds its spec."""

NATIVE: Dialect = "native"
DEFORUM: Dialect = "deforum"
DIALECTS = (NATIVE, DEFORUM)
"""The readings of schedules and prompts."""


class Wrong(ValueError):
    """A value that a spec refuses; the text says what is allowed, without field or value."""


def shown(value: object) -> str:
    """A value as it stands in an error sentence: as in JSON, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, str | bool | None) else str(value)
    return text if len(text) <= 80 else text[:77] + "…"


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What all settings have in common."""

    label: str
    """The words on the control, in infotext and in the reference."""
    help: str
    """One sentence: what it does, and which way it goes."""
    group: str = ""
    """The heading under which views and the reference show it."""
    unit: str = ""
    basic: bool = False
    """Whether a newcomer sees it at once; views fold the others away."""

    def check(self, value: Any, *, field: str, dialect: Dialect) -> Any:
        """The value in its canonical form. Raises Wrong, or FlipbookError with columns."""
        raise NotImplementedError(type(self).__name__)

    def check_names(self, value: Any, *, field: str, signals: Collection[str]) -> None:
        """Raise FlipbookError for names in a canonical value's expressions that the film does not have.

        `signals` are the film's signals; the names of the language are known anyway.
        """

    def schema(self) -> dict[str, Any]:
        """JSON Schema (draft 2020-12) of what `check` accepts, without label and help."""
        raise NotImplementedError(type(self).__name__)

    def allowed(self) -> str:
        """What is allowed, in words."""
        raise NotImplementedError(type(self).__name__)

    def to_json(self, value: Any) -> Any:
        """A canonical value as JSON."""
        return value

    def rooted(self, value: Any, place: Callable[[str], str]) -> Any:
        """A canonical value with every path in it replaced by what `place` says."""
        return value

    def paths(self, value: Any) -> tuple[str, ...]:
        """Every path in a canonical value."""
        found: list[str] = []

        def take(path: str) -> str:
            found.append(path)
            return path

        self.rooted(value, take)
        return tuple(found)

    def to_text(self, value: Any) -> str:
        """A canonical value as text, for infotext; `from_text` is its inverse."""
        value = self.to_json(value)
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

    def from_text(self, text: str) -> Any:
        """A value for `check` from text; JSON where it parses as such, else the text itself."""
        try:
            return json.loads(text)
        except ValueError:
            return text


def _bounds(low: float | Fraction | None, high: float | Fraction | None) -> str:
    def plain(bound: float | Fraction) -> str:
        return str(int(bound)) if bound == int(bound) else f"{float(bound):g}"

    if low is not None and high is not None:
        return f"{plain(low)} to {plain(high)}"
    if low is not None:
        return f"{plain(low)} or more"
    return f"{plain(high)} or less" if high is not None else "any finite number"


@dataclass(frozen=True, kw_only=True)
class Number(Spec):
    """A number that does not change over time. `whole` numbers may be a `multiple` of something."""

    low: float | None = None
    high: float | None = None
    whole: bool = False
    multiple: int = 1

    def allowed(self) -> str:
        what = "a whole number" if self.whole else "a number"
        step = f", a multiple of {self.multiple}" if self.multiple > 1 else ""
        return f"{what}, {_bounds(self.low, self.high)}{step}"

    def check(self, value: Any, *, field: str, dialect: Dialect) -> int | float:
        if isinstance(value, str):
            try:
                value = float(value)
            except ValueError:
                raise Wrong(self.allowed()) from None
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise Wrong(self.allowed())
        number: int | float = float(value)
        if self.whole:
            if value != int(value) or int(value) % self.multiple:
                raise Wrong(self.allowed())
            number = int(value)
        if (self.low is not None and number < self.low) or (self.high is not None and number > self.high):
            raise Wrong(self.allowed())
        return number

    def schema(self) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": "integer" if self.whole else "number"}
        if self.low is not None:
            schema["minimum"] = self.low
        if self.high is not None:
            schema["maximum"] = self.high
        if self.multiple > 1:
            schema["multipleOf"] = self.multiple
        return schema


@dataclass(frozen=True, kw_only=True)
class Rate(Spec):
    """Frames per second as a rational number: 24, 29.97 (read as 30000/1001) or "30000/1001"."""

    low: Fraction = Fraction(1, 10)
    high: Fraction = Fraction(240)
    optional: bool = False
    """None (JSON null, or empty text) is allowed and stands for the source's own."""

    def allowed(self) -> str:
        empty = ", or null for the source's own" if self.optional else ""
        return f'a frame rate, {_bounds(self.low, self.high)}, such as 24, 29.97 or "30000/1001"{empty}'

    def check(self, value: Any, *, field: str, dialect: Dialect) -> Fraction | None:
        if self.optional and value in (None, ""):
            return None
        if isinstance(value, bool) or not isinstance(value, str | int | float | Fraction):
            raise Wrong(self.allowed())
        try:
            rate = rate_of(value)
        except ValueError:
            raise Wrong(self.allowed()) from None
        if not self.low <= rate <= self.high:
            raise Wrong(self.allowed())
        return rate

    def schema(self) -> dict[str, Any]:
        number = {"type": "number", "minimum": float(self.low), "maximum": float(self.high)}
        none = [{"type": "null"}] if self.optional else []
        return {"anyOf": [number, {"type": "string", "pattern": r"^\d+(\.\d+|/\d+)?$"}, *none]}

    def to_json(self, value: Fraction | None) -> Any:
        if value is None:
            return None
        return int(value) if value.denominator == 1 else str(value)


@dataclass(frozen=True, kw_only=True)
class Flag(Spec):
    """On or off."""

    def allowed(self) -> str:
        return "true or false"

    def check(self, value: Any, *, field: str, dialect: Dialect) -> bool:
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        raise Wrong(self.allowed())

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


@dataclass(frozen=True, kw_only=True)
class Choice(Spec):
    """One of a few words; upper and lower case are the same."""

    options: tuple[str, ...]

    def allowed(self) -> str:
        return "one of " + ", ".join(json.dumps(option) for option in self.options)

    def check(self, value: Any, *, field: str, dialect: Dialect) -> str:
        found = {option.lower(): option for option in self.options}.get(str(value).strip().lower())
        if found is None:
            raise Wrong(self.allowed())
        return found

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "enum": list(self.options)}


@dataclass(frozen=True, kw_only=True)
class Choices(Spec):
    """One or several of a few words, each once and in the order of the options; as text joined by `+`."""

    options: tuple[str, ...]
    optional: bool = False
    """None of them is allowed too."""

    def allowed(self) -> str:
        how = "any" if self.optional else "one or several"
        return f"{how} of " + ", ".join(json.dumps(option) for option in self.options)

    def check(self, value: Any, *, field: str, dialect: Dialect) -> tuple[str, ...]:
        given = re.split(r"[+,]", value) if isinstance(value, str) else value
        if self.optional and (given is None or value == ""):
            return ()
        if not isinstance(given, Sequence) or not (given or self.optional):
            raise Wrong(self.allowed())
        known = {option.lower(): option for option in self.options}
        found = {known.get(str(word).strip().lower()) for word in given}
        if None in found:
            raise Wrong(self.allowed())
        return tuple(option for option in self.options if option in found)

    def schema(self) -> dict[str, Any]:
        least = {} if self.optional else {"minItems": 1}
        return {"type": "array", "items": {"type": "string", "enum": list(self.options)}, **least}

    def to_json(self, value: tuple[str, ...]) -> list[str]:
        return list(value)

    def to_text(self, value: tuple[str, ...]) -> str:
        return "+".join(value)

    def from_text(self, text: str) -> str:
        return text


@dataclass(frozen=True, kw_only=True)
class Text(Spec):
    """One text, kept as it is."""

    longest: int = 100_000

    def allowed(self) -> str:
        return f"text of at most {self.longest} characters"

    def check(self, value: Any, *, field: str, dialect: Dialect) -> str:
        if not isinstance(value, str) or len(value) > self.longest:
            raise Wrong(self.allowed())
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "maxLength": self.longest}

    def to_text(self, value: str) -> str:
        # Quoted where bare text would come back as something else: `12` or `"a"`.
        return value if isinstance(self.from_text(value), str) and value[:1] != '"' else json.dumps(value)


@dataclass(frozen=True, kw_only=True)
class PathText(Text):
    """The path of a file or folder; empty for none. Quotes and spaces around it, which copying adds, go."""

    longest: int = 4096

    def allowed(self) -> str:
        return "the path of a file, or empty for none"

    def check(self, value: Any, *, field: str, dialect: Dialect) -> str:
        if value is None:
            return ""
        if not isinstance(value, str) or len(value) > self.longest or "\0" in value:
            raise Wrong(self.allowed())
        return value.strip().strip('"').strip()

    def rooted(self, value: Any, place: Callable[[str], str]) -> Any:
        return place(value) if value else value


@dataclass(frozen=True, kw_only=True)
class Schedule(Spec):
    """A number over time: a schedule's text, or a plain number. The plan checks the bounds at every frame."""

    low: float | None = None
    high: float | None = None
    whole: bool = False
    """Values are truncated to whole numbers at each frame."""
    optional: bool = False
    """Empty text is allowed and leaves the number to the engine."""

    def allowed(self) -> str:
        what = "whole numbers" if self.whole else "numbers"
        empty = ", or empty for the engine's own" if self.optional else ""
        return f"a schedule of {what}, {_bounds(self.low, self.high)}{empty}"

    def check(self, value: Any, *, field: str, dialect: Dialect) -> str:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise Wrong(self.allowed() + ', such as "0:(1), 30:(1.02)"')
        if self.optional and value == "":
            return ""
        if isinstance(value, str) and not value.strip():
            raise Wrong(self.allowed())
        schedule = parse_schedule(value, field=field, dialect=dialect)
        return value.strip() if isinstance(value, str) else str(schedule)

    def check_names(self, value: str, *, field: str, signals: Collection[str]) -> None:
        if value:
            parse_schedule(value, field=field).check(signals)

    def schema(self) -> dict[str, Any]:
        return {"type": ["string", "number"], "x-schedule": "number"}

    def to_text(self, value: str) -> str:
        return value

    def from_text(self, text: str) -> str:
        return text


@dataclass(frozen=True, kw_only=True)
class Words(Schedule):
    """A word over time (a sampler, a checkpoint): a string schedule, or one plain word for all frames."""

    def allowed(self) -> str:
        return 'a word, or a schedule of words such as 0:("Euler a"), 30:("Euler")'

    def check(self, value: Any, *, field: str, dialect: Dialect) -> str:
        if not isinstance(value, str):
            raise Wrong(self.allowed())
        if self.optional and not value.strip():
            return ""
        if ":" not in value:
            self.check_words([value.strip()], field)
            return value.strip()
        schedule = parse_schedule(value, field=field, strings=True, dialect=dialect)
        self.check_words([str(item.value) for item in schedule.items], field)
        return value.strip()

    def check_names(self, value: str, *, field: str, signals: Collection[str]) -> None:
        if ":" in value:
            parse_schedule(value, field=field, strings=True).check(signals)

    def check_words(self, words: list[str], field: str) -> None:
        """Raise FlipbookError for words that can mean nothing at any frame; all words may."""

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "x-schedule": "string"}


@dataclass(frozen=True, kw_only=True)
class MaskWords(Words):
    """A mask expression over time."""

    def allowed(self) -> str:
        return 'a mask expression such as {init} & ![box.png], or a schedule of them such as 0:("{init}")'

    def check_words(self, words: list[str], field: str) -> None:
        for word in words:
            parse_mask(word, field=field)


@dataclass(frozen=True, kw_only=True)
class Prompts(Spec):
    """Prompts over time in any of the timeline's forms, kept as the user gave them."""

    def allowed(self) -> str:
        return (
            'prompts: text, lines such as "30: winter", or an object such as {"0": "spring", "50%": "fall"}'
        )

    def check(self, value: Any, *, field: str, dialect: Dialect) -> str | dict[str, Any]:
        if not isinstance(value, str | Mapping):
            raise Wrong(self.allowed())
        parse_prompts(value, field=field, dialect=dialect)
        return value if isinstance(value, str) else {str(key): text for key, text in value.items()}

    def check_names(self, value: str | dict[str, Any], *, field: str, signals: Collection[str]) -> None:
        parse_prompts(value, field=field).check(tuple(signals))

    def schema(self) -> dict[str, Any]:
        return {"type": ["string", "object"], "x-schedule": "prompts"}

    def from_text(self, text: str) -> Any:
        value = super().from_text(text)
        return value if isinstance(value, str | dict) else text

    def to_text(self, value: str | dict[str, Any]) -> str:
        if isinstance(value, str) and (not isinstance(self.from_text(value), str) or value[:1] == '"'):
            return json.dumps(value, ensure_ascii=False)
        return super().to_text(value)


def setting(default: Any, spec: Spec) -> Any:
    """A dataclass field that carries its spec. Defaults are checked like any other value."""
    if isinstance(default, Mapping):
        return dataclasses.field(default_factory=lambda: dict(default), metadata={KEY: spec})
    return dataclasses.field(default=default, metadata={KEY: spec})


def problems_of(
    spec: Spec, name: str, value: Any, dialect: Dialect = NATIVE
) -> tuple[Any, tuple[Problem, ...]]:
    """(canonical value, no problems) or (the value as given, what is wrong with it)."""
    try:
        return spec.check(value, field=name, dialect=dialect), ()
    except Wrong as wrong:
        return value, (
            Problem(f"{shown(value)} is not allowed; it takes {wrong}", field=name, code="value.not_allowed"),
        )
    except FlipbookError as error:
        return value, error.problems
