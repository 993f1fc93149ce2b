r"""Parser of the WebUI's prompt syntax: AND, `[from:to:when]`, `[a|b]`, `(weight:1.2)`, `[less]`, BREAK.

The syntax is that of the WebUI v1.10.1, documented at
https://github.com/AUTOMATIC1111/stable-diffusion-webui/wiki/Features; malformed input has the
WebUI's meaning: unmatched brackets are text, an unclosed bracket applies to the end of the prompt.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from lark import Lark, Token, Transformer, Tree
from lark.exceptions import LarkError

from lib_anim.errors import FlipbookError, Problem

_EDITS = Lark(
    r"""
    start: (part | STRAY)*
    text: part*
    ?part: edit | turns | nested | LETTERS | SPACE

    edit.3: "[" (text ":")? text ":" SPACE? NUMBER SPACE? "]"
    turns.2: "[" text ("|" text)+ "]"
    nested: ROUND text (COLON text)? DNUOR | SQUARE text ERAUQS

    ROUND: "("
    DNUOR: ")"
    SQUARE: "["
    ERAUQS: "]"
    COLON: ":"
    STRAY: /[\[\]():]/
    LETTERS: /([^\\\[\]():|]|\\.)+/
    SPACE: /\s+/
    NUMBER: /[+-]?(\d+\.\d*|\.\d+|\d+)([eE][+-]?\d+)?/
    """,
    parser="earley",
)

_WEIGHTS = Lark(
    r"""
    start: (ESCAPED | OPEN | CLOSE | WEIGHT | LETTERS)*
    ESCAPED.3: /\\[()\[\]\\]?/
    WEIGHT.2: /:\s*[+-]?[.\d]+\s*\)/
    OPEN: /[(\[]/
    CLOSE: /[)\]]/
    LETTERS: /[^\\()\[\]:]+|:/
    """,
    parser="lalr",
    lexer="basic",
)

BREAK = ("BREAK", -1.0)
"""Marker of a forced new chunk in the result of `weighted`."""


@dataclass(frozen=True)
class PromptSchedule:
    """One AND part of a prompt: its share and its texts over the steps."""

    share: float
    texts: tuple[str, ...]
    ends: tuple[int, ...]
    """For each text the last call of the network that uses it, counted from 0."""

    def at(self, call: int) -> int:
        """Index of the text for the network's `call`-th call; after the last end the first one again."""
        return next((i for i, end in enumerate(self.ends) if call <= end), 0)


@lru_cache(maxsize=1024)
def prompt_schedules(prompt: str, calls: int) -> tuple[PromptSchedule, ...]:
    """Schedules of a prompt's AND parts, each with its share (`a :0.6 AND b`), over `calls` network calls."""
    parts = []
    for part in re.split(r"\bAND\b", prompt):
        found = re.fullmatch(r"(.*?)(?:\s*:\s*([-+]?(?:\d+\.?|\d*\.\d+)))?\s*", part, re.DOTALL)
        text, share = found.groups() if found else (part, None)
        parts.append(_schedule(text, 1.0 if share is None else float(share), calls))
    return tuple(parts)


@lru_cache(maxsize=1024)
def prompt_schedule(prompt: str, calls: int) -> PromptSchedule:
    """Schedule of a negative prompt, in which AND is plain text."""
    return _schedule(prompt, 1.0, calls)


def _schedule(text: str, share: float, calls: int) -> PromptSchedule:
    try:
        tree = _EDITS.parse(text)
    except LarkError:
        return PromptSchedule(share, (text,), (calls,))
    ends = {calls}
    for node in tree.iter_subtrees():
        if node.data == "edit":
            ends.add(_when(node, calls))
        elif node.data == "turns":
            ends.update(range(1, calls + 1))
    ordered = sorted(end for end in ends if end >= 1)
    return PromptSchedule(
        share, tuple(_AtCall(end, calls).transform(tree) for end in ordered), tuple(ordered)
    )


def _when(node: Tree[Token], calls: int) -> int:
    """The call after which an edit applies; a number with a point is a fraction of all calls."""
    number = next(t for t in reversed(node.children) if isinstance(t, Token) and t.type == "NUMBER")
    value = float(number) * calls if "." in number else float(number)
    return calls if value >= calls else int(value)


class _AtCall(Transformer[Token, str]):
    """Turns a parse tree into the text that is active up to and including call `end`."""

    def __init__(self, end: int, calls: int) -> None:
        super().__init__()
        self._end = end
        self._calls = calls

    def edit(self, parts: list[str]) -> str:
        texts = [p for p in parts if not isinstance(p, Token)]
        before, after = ("", *texts)[-2:]
        return before if self._end <= _when(Tree("edit", parts), self._calls) else after  # type: ignore[arg-type]

    def turns(self, parts: list[str]) -> str:
        return parts[(self._end - 1) % len(parts)]

    def _joined(self, parts: list[str]) -> str:
        return "".join(parts)

    start = text = nested = _joined


def weighted(text: str) -> list[tuple[str, float]]:
    """Splits `text` into pieces with weights; `BREAK` separates chunks.

    Round brackets multiply by 1.1 or by their own number, square ones divide by 1.1, a backslash
    escapes a bracket. Raises FlipbookError for a weight like 1.2.3.
    """
    pieces: list[tuple[str, float]] = []
    round_: list[int] = []
    square: list[int] = []

    def multiply(start: int, factor: float) -> None:
        pieces[start:] = [(piece, weight * factor) for piece, weight in pieces[start:]]

    for token in _WEIGHTS.lex(text):
        if token.type == "ESCAPED":
            pieces.append((token[1:], 1.0))
        elif token.type == "OPEN":
            (round_ if token == "(" else square).append(len(pieces))
        elif token.type == "WEIGHT" and round_:
            multiply(round_.pop(), _number(token))
        elif token == ")" and round_:
            multiply(round_.pop(), 1.1)
        elif token == "]" and square:
            multiply(square.pop(), 1 / 1.1)
        else:
            pieces.extend(_split_breaks(token))
    for start in round_:
        multiply(start, 1.1)
    for start in square:
        multiply(start, 1 / 1.1)
    return _merged(pieces) or [("", 1.0)]


def _number(token: str) -> float:
    number = token[1:-1].strip()
    try:
        return float(number)
    except ValueError as error:
        raise FlipbookError(
            Problem(
                f'"{number}" in "{token}" is not a weight; write a number such as 1.2',
                field="prompt",
                code="prompt.invalid_weight",
            )
        ) from error


def _split_breaks(text: str) -> Iterator[tuple[str, float]]:
    """Splits `text` at the word BREAK and strips the spaces around it."""
    first, *rest = re.split(r"\s*\bBREAK\b\s*", text)
    yield first, 1.0
    for part in rest:
        yield BREAK
        yield part, 1.0


def _merged(pieces: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
    """Joins adjacent pieces of equal weight."""
    merged: list[tuple[str, float]] = []
    for text, weight in pieces:
        if merged and merged[-1][1] == weight:
            merged[-1] = (merged[-1][0] + text, weight)
        else:
            merged.append((text, weight))
    return merged
