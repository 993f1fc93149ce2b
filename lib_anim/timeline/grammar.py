"""The grammar of schedules and expressions (lark, LALR) and the trees that it builds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from math import isfinite
from typing import Any

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedCharacters, UnexpectedToken

from lib_anim.errors import FlipbookError, Problem
from lib_anim.timeline.diagnostics import at_column, refuse_long, syntax_problem, unknown_function
from lib_anim.timeline.easings import EASINGS
from lib_anim.timeline.functions import FUNCTIONS
from lib_anim.timeline.limits import MAX_DEPTH, MAX_EXPRESSION_CHARACTERS, MAX_NESTING, MAX_TOKENS
from lib_anim.timeline.nodes import Binary, Call, Expression, Name, Number, Unary, walk

GRAMMAR = r"""
schedule: (item (COMMA item)* COMMA?)?
item: key COLON value EASING?
value: PLAIN -> plain
     | expr -> formula
     | STRING -> string
     | "(" STRING ")" -> string

loose_schedule: (loose_item (COMMA loose_item)* COMMA?)?
loose_item: key COLON loose_value EASING? (COLON RAW)?
?loose_value: value
            | LOOSE -> plain

raw_schedule: (raw_item (COMMA raw_item)* COMMA?)?
raw_item: key COLON RAW

lone_key: place (COLON place)?
key: place
   | OPEN place CLOSE
place: FRAME -> frame
     | PERCENT -> unit
     | SECONDS -> unit
     | BEATS -> unit
     | expr -> computed

?expr: union | union COMPARE union -> binary
?union: meet | union BAR meet -> binary
?meet: sum | meet AND sum -> binary
?sum: product | sum (PLUS | MINUS) product -> binary
?product: unary | product (STAR | SLASH | FLOOR | MODULO) unary -> binary
?unary: power | (MINUS | PLUS | TILDE) unary -> unary
?power: atom | atom POWER unary -> binary
?atom: NUMBER -> number
     | NAME -> name
     | NAME "(" (expr ("," expr)*)? ")" -> call
     | "(" expr ")"

FRAME.3: /\d{1,15}(?=\s*([\"']?\s*:|$))/
PERCENT.3: /(\d{1,15}(\.\d{0,12})?|\.\d{1,12})\s*%(?=\s*([\"']?\s*:|$))/
SECONDS.3: /(\d{1,15}(\.\d{0,12})?|\.\d{1,12})\s*s(?=\s*([\"']?\s*:|$))/
BEATS.3: /(\d{1,15}(\.\d{0,12})?|\.\d{1,12})\s*b(?=\s*([\"']?\s*:|$))/
EASING.2: /(@easings@)(?![\w-])/
PLAIN.3: /\(\s*-?/ NUMBER /\s*\)(?=\s*([,a-z]|$))/ | /-?/ NUMBER /(?=\s*(,|$))/
LOOSE.4: /[()]{0,9}[+-]?[()]{0,9}/ (_WHOLE _PART? | _PART) /(?=\s*(,|:|$))/
_WHOLE: /\d[\d()]{0,30}/
_PART: /\.[()]{0,9}\d[\d()]{0,30}/
NUMBER: /(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?/
NAME: /[^\W\d]\w*/
OPEN: /["'](?=[^"']*["']\s*:)/
CLOSE: /["'](?=\s*:)/
STRING: /"[^"]*"|'[^']*'/
RAW.-1: /(?:"[^"]*"|'[^']*'|[^,]|,(?!\s*$)(?![^,:]*:))+/
COMPARE: /<=|>=|==|!=|<|>/
COLON: ":"
COMMA: ","
BAR: "|"
AND: "&"
PLUS: "+"
MINUS: "-"
STAR: "*"
SLASH: "/"
FLOOR: "//"
MODULO: "%"
POWER: "**"
TILDE: "~"
%ignore /[\s\ufeff]+/
"""
"""Python's precedence. A comparison of a comparison needs parentheses, since Python's chains read as
something else here. PLAIN is the value that machine-written schedules hold ten thousand times: one word
instead of three takes a third of the time. RAW is the unquoted text that Deforum's string schedules may
hold: it ends at a comma that is followed by another key. The loose rules read numeric schedules as Deforum
does: LOOSE is a number with parentheses anywhere in it, and what follows a second colon is passed over.
LOOSE counts its repetitions, since two open-ended ones in a row would take quadratic time to fail."""


@dataclass(frozen=True)
class FrameKey:
    """A whole frame, counted from 0."""

    frame: int


@dataclass(frozen=True)
class UnitKey:
    """A part of the film (`%`), seconds (`s`) or beats (`b`), exact as written."""

    amount: Decimal
    unit: str


@dataclass(frozen=True)
class FormulaKey:
    """An expression whose value is cut to a whole frame."""

    formula: Expression


Key = FrameKey | UnitKey | FormulaKey


@dataclass(frozen=True)
class Text:
    """A string value without its quotes; of a raw schedule, all that stands between colon and comma."""

    text: str


@dataclass(frozen=True)
class ParsedItem:
    """One `key: value easing` with the places where its parts stand."""

    key: Key
    value: Expression | Text
    easing: str
    colon: int
    """Offset of the colon in the text."""
    easing_start: int | None = None
    """Offset of the easing's word."""
    ignored: bool = False
    """Whether a second colon followed, with text that Deforum passes over."""


_MOST_FRAMES = 1e15
"""Whole numbers below this are frames however they are written; larger ones have more digits than FRAME."""


class _Builder(Transformer[Token, Any]):
    """Builds nodes while the parser reduces, so that no step recurses over the text's nesting."""

    def number(self, parts: list[Token]) -> Number:
        return Number(float(parts[0]), column=_column(parts[0]))

    def name(self, parts: list[Token]) -> Name:
        return Name(str(parts[0]), column=_column(parts[0]))

    def call(self, parts: list[Any]) -> Call:
        return Call(str(parts[0]), tuple(parts[1:]), column=_column(parts[0]))

    def unary(self, parts: list[Any]) -> Expression:
        sign, operand = parts
        return operand if sign == "+" else Unary(str(sign), operand, column=_column(sign))  # type: ignore[no-any-return]

    def binary(self, parts: list[Any]) -> Binary:
        left, operator, right = parts
        return Binary(str(operator), left, right, column=_column(operator))

    def plain(self, parts: list[Token]) -> Expression:
        digits = re.sub(r"[()\s]", "", parts[0]).lstrip("+")
        column = _column(parts[0]) + next(i for i, c in enumerate(parts[0]) if c.isdigit() or c == ".")
        if digits.startswith("-"):
            minus = _column(parts[0]) + parts[0].index("-")
            return Unary("-", Number(float(digits[1:]), column=column), column=minus)
        return Number(float(digits), column=column)

    def frame(self, parts: list[Token]) -> FrameKey:
        return FrameKey(int(parts[0]))

    def unit(self, parts: list[Token]) -> UnitKey:
        return UnitKey(Decimal(parts[0][:-1].strip()).normalize(), parts[0][-1])

    def computed(self, parts: list[Expression]) -> Key:
        formula = parts[0]
        if isinstance(formula, Number) and formula.value < _MOST_FRAMES and not formula.value % 1:
            return FrameKey(int(formula.value))
        return FormulaKey(formula)

    def key(self, parts: list[Any]) -> Key:
        place: Key = next(part for part in parts if not isinstance(part, Token))
        return place

    def lone_key(self, parts: list[Any]) -> list[Key]:
        return [part for part in parts if not isinstance(part, Token)]

    def string(self, parts: list[Token]) -> Text:
        return Text(str(parts[0])[1:-1])

    def formula(self, parts: list[Any]) -> Any:
        return parts[0]

    def item(self, parts: list[Any]) -> ParsedItem:
        key, colon, value, *rest = parts
        easing = rest[0] if rest and rest[0].type == "EASING" else None
        start = None if easing is None else easing.start_pos
        ignored = bool(rest) and rest[-1].type == "RAW"
        return ParsedItem(key, value, str(easing or ""), colon.start_pos, start, ignored)

    loose_item = item

    def raw_item(self, parts: list[Any]) -> ParsedItem:
        key, colon, raw = parts
        return self.item([key, colon, Text(str(raw))])

    def schedule(self, parts: list[Any]) -> list[Any]:
        return parts

    loose_schedule = schedule
    raw_schedule = schedule


def _column(token: Token) -> int:
    return (token.start_pos or 0) + 1


@lru_cache(maxsize=1)
def _parser() -> Lark:
    """Built at the first use: it takes some 50 ms."""
    return Lark(
        GRAMMAR.replace("@easings@", "|".join(sorted(EASINGS, key=len, reverse=True))),
        parser="lalr",
        lexer="contextual",
        start=["schedule", "loose_schedule", "raw_schedule", "lone_key", "expr"],
        transformer=_Builder(),
        maybe_placeholders=False,
    )


_WORDS_AND_SIGNS = re.compile(r"\(-?[\d.]+\)|[\w.]+|[^\w\s.]")
_PAIRS = re.compile(r"""("[^"]*"|'[^']*')|[()]""")


def _refuse_deep(text: str, complain: Callable[[Problem], FlipbookError]) -> None:
    depth = 0
    for match in _PAIRS.finditer(text):
        if match.group(1):
            continue
        depth += 1 if match.group() == "(" else -1
        if depth > MAX_NESTING:
            message = f"more than {MAX_NESTING} parentheses stand inside each other; write it flatter"
            raise complain(at_column(message, text, match.start() + 1))


def parse(text: str, start: str, *, field: str, limit: int, key: str = "") -> Any:
    """The tree of `text` from the rule `start`. Raises FlipbookError with the column of what is wrong."""

    def complain(problem: Problem) -> FlipbookError:
        return FlipbookError(
            Problem(
                problem.message,
                field,
                problem.key or key,
                problem.column,
                problem.text,
                code=problem.code,
            )
        )

    refuse_long(text, limit, field=field)
    if sum(1 for _ in _WORDS_AND_SIGNS.finditer(text)) > MAX_TOKENS:
        raise complain(
            Problem(
                f"it holds more than {MAX_TOKENS:,} numbers, words and signs; shorten it",
                code="schedule.too_long",
            )
        )
    _refuse_deep(text, complain)
    try:
        return _parser().parse(text, start=start)
    except (UnexpectedToken, UnexpectedCharacters) as error:
        raise complain(syntax_problem(error, text, keyed=start.endswith("schedule"))) from None


def check_tree(roots: Iterable[Expression], text: str, *, field: str, key: str = "") -> None:
    """Raises FlipbookError for what the grammar cannot see: depth, numbers without end, arguments missing."""
    for root in roots:
        for node, depth in walk(root):
            message = _tree_problem(node, depth)
            if message:
                raise FlipbookError(at_column(message, text, node.column, field=field, key=key))


def _tree_problem(node: Expression, depth: int) -> str:
    if depth > MAX_DEPTH:
        return f"more than {MAX_DEPTH} operators or calls stand inside each other; split the expression"
    if isinstance(node, Number) and not isfinite(node.value):
        return "this number is too large; the largest is about 1.8e308"
    if isinstance(node, Call) and node.name in FUNCTIONS:
        function, given = FUNCTIONS[node.name], len(node.arguments)
        if given < function.least or (function.most is not None and given > function.most):
            return f'"{node.name}" takes {function.arity}, not {given}'
    if isinstance(node, Call) and node.name not in FUNCTIONS and len(node.arguments) > 1:
        return unknown_function(node.name, ())
    return ""


def parse_expression(text: str, *, field: str = "", key: str = "") -> Expression:
    """One expression on its own. Raises FlipbookError."""
    node: Expression = parse(text, "expr", field=field, key=key, limit=MAX_EXPRESSION_CHARACTERS)
    check_tree([node], text, field=field, key=key)
    return node
