"""Keys of keyframes: as written, and as a whole frame."""

from __future__ import annotations

import re
from fractions import Fraction
from math import isfinite, trunc

from lib_anim.errors import FlipbookError, Problem
from lib_anim.timeline.context import Context
from lib_anim.timeline.diagnostics import at_column
from lib_anim.timeline.evaluate import constant, name_problems
from lib_anim.timeline.grammar import FormulaKey, FrameKey, Key, UnitKey
from lib_anim.timeline.nodes import Name, Number
from lib_anim.timeline.printing import expression_text

_BARE_NUMBER = re.compile(r"[\d.]+([eE][+-]?\d+)?")


def key_text(key: Key, *, bare: bool = False) -> str:
    """The canonical text of a key; `bare` leaves out the parentheses where a formula needs none."""
    if isinstance(key, FrameKey):
        return str(key.frame)
    if isinstance(key, UnitKey):
        return f"{key.amount:f}{key.unit}"
    text = expression_text(key.formula)
    open_ended = bare and not isinstance(key.formula, Number)
    return text if open_ended or isinstance(key.formula, Name) else f"({text})"


def fraction_problem(key: Key, written: str) -> str:
    """The sentence for a plain number that is not a whole frame; in parentheses it would be cut."""
    number = key.formula if isinstance(key, FormulaKey) else None
    if not isinstance(number, Number) or not _BARE_NUMBER.fullmatch(written) or not number.value % 1:
        return ""
    return f"{written} is not a whole frame; write {int(number.value)}, or ({written}) to have it cut"


def key_frame(key: Key, context: Context, text: str = "") -> int:
    """The whole frame, cut towards zero; may lie before the film or after it.

    `%` counts from frame 0 to the last frame, `s` and `b` in exact fractions. `text` is what a
    formula's columns point into. Raises FlipbookError for names that mean nothing in a key, for beats
    without a tempo and for formulas without a finite value.
    """
    if isinstance(key, FrameKey):
        return key.frame
    if isinstance(key, UnitKey):
        return trunc(_unit_frames(key, context))
    value = constant(key.formula, context, text)
    if not isfinite(value):
        raise FlipbookError(
            at_column("the key has no finite value", text, key.formula.column, code="schedule.bad_key")
        )
    return trunc(value)


def _unit_frames(key: UnitKey, context: Context) -> Fraction:
    amount = Fraction(key.amount)
    if key.unit == "%":
        return amount * (context.frames - 1) / 100
    if key.unit == "s":
        return amount * context.fps
    if context.bpm is None:
        raise FlipbookError(
            Problem("a key in beats needs a tempo; set bpm, the beats per minute", code="schedule.no_tempo")
        )
    return amount * 60 / Fraction(str(context.bpm)) * context.fps


def key_problems(key: Key, signals: frozenset[str], text: str) -> list[Problem]:
    """What the key's names cannot mean, without evaluating."""
    return name_problems(key.formula, signals, text, in_key=True) if isinstance(key, FormulaKey) else []
