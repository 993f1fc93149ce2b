r"""Mask expressions: `{human} & !<sky> | grow([box.png], 8)` as data, as canonical text, as a picture."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from typing import Any, Literal, TypeAlias

import numpy as np
from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedCharacters, UnexpectedToken
from numpy.typing import NDArray

from lib_anim.errors import FlipbookError, Problem
from lib_anim.timeline.diagnostics import at_column, nearest, quoted, refuse_long
from lib_anim.timeline.limits import MAX_DEPTH, MAX_EXPRESSION_CHARACTERS, MAX_MASK_REACH
from lib_anim.timeline.mask_shapes import SHAPES
from lib_anim.timeline.printing import number_text

Mask = NDArray[np.float32]

NAMES = ("init", "video", "human", "everywhere", "depth")
"""Masks that a run knows by name; Deforum's `{video_mask}` and its kin are read as well."""

GRAMMAR = r"""
?start: without
?without: apart | without WITHOUT apart -> combined
?apart: union | apart APART union -> combined
?union: meet | union UNION meet -> combined
?meet: inverse | meet MEET inverse -> combined
?inverse: atom | "!" inverse -> inverse
?atom: term
     | term COMPARE NUMBER -> threshold
     | "(" without ")"
     | FUNCTION "(" without "," NUMBER ")" -> shape
term: NAME | WORD | FILE

NAME: /\{[^{}]*\}/
WORD: /<[^<>]+>/
FILE: /\[[^\[\]]+\]/
FUNCTION: /[A-Za-z_]+/
COMPARE: /<=|>=|<|>/
NUMBER: /[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?/
MEET: "&"
UNION: "|"
APART: "^"
WITHOUT: "\\"
%ignore /\s+/
"""


@dataclass(frozen=True)
class MaskTerm:
    """A mask that the caller provides: a name, a word to look for in the picture, or a file."""

    kind: Literal["name", "word", "file"]
    value: str


@dataclass(frozen=True)
class Threshold:
    """Where a term's value is below or above a number."""

    term: MaskTerm
    operator: str
    number: float


@dataclass(frozen=True)
class Inverse:
    """What a mask leaves out."""

    operand: MaskNode


@dataclass(frozen=True)
class Combined:
    r"""Both (`&`), either (`|`), only one (`^`), or the left without the right (`\`)."""

    operator: str
    left: MaskNode
    right: MaskNode


@dataclass(frozen=True)
class Shaped:
    """A mask grown, blurred or feathered by pixels."""

    function: str
    operand: MaskNode
    pixels: float


MaskNode: TypeAlias = MaskTerm | Threshold | Inverse | Combined | Shaped

_COMPARE: dict[str, Callable[[Any, float], Any]] = {
    "<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal,
}  # fmt: skip

_COMBINE: dict[str, Callable[[Mask, Mask], Mask]] = {
    "&": np.minimum,
    "|": np.maximum,
    "^": lambda a, b: np.maximum(np.minimum(a, 1 - b), np.minimum(1 - a, b)),
    "\\": lambda a, b: np.minimum(a, 1 - b),
}
"""Zadeh's fuzzy logic: on masks of 0 and 1 these are and, or, exclusive or and and-not."""

_BRACKETS = {"name": ("{", "}"), "word": ("<", ">"), "file": ("[", "]")}

_BINDING = {"\\": 0, "^": 1, "|": 2, "&": 3}


@dataclass(frozen=True)
class MaskExpression:
    """A checked mask expression. `str()` prints it canonically; parsing that gives an equal expression."""

    root: MaskNode
    text: str = dataclasses.field(default="", compare=False, repr=False)

    def __str__(self) -> str:
        return _text(self.root)[0]

    def terms(self) -> tuple[MaskTerm, ...]:
        """The terms to provide, each once, in the text's order."""
        found = [node for node, _ in _walk(self.root) if isinstance(node, MaskTerm)]
        return tuple(dict.fromkeys(found))

    def evaluate(self, lookup: Callable[[MaskTerm], NDArray[Any]]) -> Mask:
        """The mask as float32 (H, W), 1 where it covers and 0 where it does not.

        `lookup` gives a term's mask, (H, W): bool, uint8 (0..255) or float (0..1). Soft values stay
        soft: both = minimum, either = maximum, inverse = 1 − x.
        """
        return _value(self.root, lookup)


def _value(node: MaskNode, lookup: Callable[[MaskTerm], NDArray[Any]]) -> Mask:
    if isinstance(node, MaskTerm):
        return np.clip(_floats(lookup(node)), 0.0, 1.0)
    if isinstance(node, Threshold):
        found: Mask = _COMPARE[node.operator](_floats(lookup(node.term)), node.number).astype(np.float32)
        return found
    if isinstance(node, Inverse):
        return np.float32(1.0) - _value(node.operand, lookup)
    if isinstance(node, Shaped):
        return SHAPES[node.function](_value(node.operand, lookup), node.pixels)
    return _COMBINE[node.operator](_value(node.left, lookup), _value(node.right, lookup))


def _floats(values: NDArray[Any]) -> Mask:
    scale = 255.0 if values.dtype == np.uint8 else 1.0
    return (np.asarray(values, dtype=np.float32) / np.float32(scale)).astype(np.float32)


def _text(node: MaskNode) -> tuple[str, int]:
    """The node's text and how tightly it binds; terms and functions bind at 5, `!` at 4."""
    if isinstance(node, MaskTerm):
        left, right = _BRACKETS[node.kind]
        return f"{left}{node.value}{right}", 5
    if isinstance(node, Threshold):
        return f"{_text(node.term)[0]} {node.operator} {number_text(node.number)}", 5
    if isinstance(node, Shaped):
        return f"{node.function}({_text(node.operand)[0]}, {number_text(node.pixels)})", 5
    if isinstance(node, Inverse):
        return f"!{_inside(node.operand, 4)}", 4
    own = _BINDING[node.operator]
    return f"{_inside(node.left, own)} {node.operator} {_inside(node.right, own + 1)}", own


def _inside(node: MaskNode, least: int) -> str:
    text, binding = _text(node)
    return text if binding >= least else f"({text})"


def _walk(node: MaskNode) -> Iterator[tuple[MaskNode, int]]:
    stack = [(node, 1)]
    while stack:
        current, depth = stack.pop()
        yield current, depth
        inside: list[MaskNode] = []
        if isinstance(current, Threshold):
            inside = [current.term]
        elif isinstance(current, Inverse | Shaped):
            inside = [current.operand]
        elif isinstance(current, Combined):
            inside = [current.right, current.left]
        stack.extend((part, depth + 1) for part in inside)


class _Misread(Exception):
    """What a reduction cannot accept, with its column; becomes a FlipbookError that knows field and text."""

    def __init__(self, message: str, token: Token) -> None:
        super().__init__(message)
        self.column = (token.start_pos or 0) + 1


class _Builder(Transformer[Token, Any]):
    def term(self, parts: list[Token]) -> MaskTerm:
        token = parts[0]
        value = str(token)[1:-1].strip()
        if not value:
            raise _Misread(f"nothing stands inside {token[0]}{token[-1]}", token)
        if token.type != "NAME":
            return MaskTerm("word" if token.type == "WORD" else "file", value)
        name = value.removesuffix("_mask")
        if name not in NAMES:
            hint = nearest(value, NAMES) or f"; names are {', '.join(NAMES)}"
            raise _Misread(f"{quoted(value)} is not a mask here{hint}", token)
        return MaskTerm("name", name)

    def threshold(self, parts: list[Any]) -> Threshold:
        term, operator, number = parts
        if not isfinite(float(number)):
            raise _Misread("this number is too large", number)
        return Threshold(term, str(operator), float(number))

    def inverse(self, parts: list[Any]) -> Inverse:
        return Inverse(parts[0])

    def combined(self, parts: list[Any]) -> Combined:
        left, operator, right = parts
        return Combined(str(operator), left, right)

    def shape(self, parts: list[Any]) -> Shaped:
        function, operand, number = parts
        if function not in SHAPES:
            hint = nearest(function, SHAPES) or f"; functions are {', '.join(SHAPES)}"
            raise _Misread(f"{quoted(function)} is not a mask function{hint}", function)
        pixels, least = float(number), -MAX_MASK_REACH if function == "grow" else 0.0
        if not least <= pixels <= MAX_MASK_REACH:
            allowed = f"{least:.0f} to {MAX_MASK_REACH:.0f}"
            raise _Misread(f"{function} takes {allowed} pixels, not {number[:20]}", number)
        return Shaped(str(function), operand, pixels)


@lru_cache(maxsize=1)
def _parser() -> Lark:
    return Lark(GRAMMAR, parser="lalr", lexer="contextual", transformer=_Builder(), maybe_placeholders=False)


def parse_mask(text: str, *, field: str = "mask") -> MaskExpression:
    r"""Reads a mask expression; an empty one covers everything.

    `!` binds tightest, then `&`, `|`, `^` and `\`, each from left to right. Raises FlipbookError.
    """
    refuse_long(text, MAX_EXPRESSION_CHARACTERS, field=field)
    if not text.strip():
        return MaskExpression(MaskTerm("name", "everywhere"), text)
    try:
        root: MaskNode = _parser().parse(text)  # type: ignore[assignment]
    except _Misread as error:
        raise FlipbookError(
            at_column(str(error), text, error.column, field=field, code="mask.syntax")
        ) from None
    except UnexpectedToken as error:
        column = (len(text) if error.token.type == "$END" else error.token.start_pos or 0) + 1
        raise FlipbookError(at_column(_about(error), text, column, field=field, code="mask.syntax")) from None
    except UnexpectedCharacters as error:
        character = text[error.pos_in_stream or 0]
        message = f"{quoted(character)} has no meaning here; masks are {{name}}, <word> and [file]"
        raise FlipbookError(
            at_column(message, text, (error.pos_in_stream or 0) + 1, field=field, code="mask.syntax")
        ) from None
    if any(depth > MAX_DEPTH for _, depth in _walk(root)):
        message = f"more than {MAX_DEPTH} operators stand inside each other; split the mask"
        raise FlipbookError(Problem(message, field, code="mask.too_deep"))
    return MaskExpression(root, text)


def _about(error: UnexpectedToken) -> str:
    """The sentence for a word that cannot stand where it does."""
    token, accepted = error.token, error.accepts
    if accepted == {"LPAR"}:
        return 'a "(" is missing after the function; a mask\'s name is written {name}, a word <word>'
    if token.type == "$END":
        return 'a ")" is missing at the end' if "RPAR" in accepted else "a mask is missing at the end"
    word = quoted(str(token))
    if (token.type == "FUNCTION" and "NAME" in accepted) or (token.type == "FUNCTION" and "MEET" in accepted):
        return f"{word} has no meaning here; a name is {{{token[:30]}}}, a word to look for <{token[:30]}>"
    if "MEET" in accepted:
        return f"an operator is missing before {word}; they are & | ^ \\ and !"
    if "NUMBER" in accepted:
        return f"a number is missing before {word}"
    return f"a mask is missing before {word}"
