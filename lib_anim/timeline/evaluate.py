"""Expressions to numbers: one numpy operation per node for all frames asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lib_anim.errors import FlipbookError, Problem
from lib_anim.timeline.context import Context
from lib_anim.timeline.diagnostics import at_column, unknown_function, unknown_name
from lib_anim.timeline.functions import FRAME_NAMES, FUNCTIONS, NAMES
from lib_anim.timeline.nodes import Binary, Call, Expression, Name, Number, Unary, walk
from lib_anim.timeline.randomness import smooth_noise, uniform

Float = NDArray[np.float64]

_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide,
    "//": np.floor_divide, "%": np.mod, "**": np.power,
}  # fmt: skip
_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal,
    "==": np.equal, "!=": np.not_equal,
}  # fmt: skip
_LOGIC: dict[str, Callable[[Any, Any], Any]] = {"&": np.bitwise_and, "|": np.bitwise_or}

_WHOLE = 2.0**53
"""Up to here every whole number is a float."""


UNKNOWN, NOT_IN_KEY = "schedule.unknown_name", "schedule.not_in_key"
"""Problem codes."""


def name_problems(
    node: Expression, signals: Iterable[str], text: str, *, in_key: bool = False
) -> list[Problem]:
    """What names and calls cannot mean, without evaluating: one problem for each, in the text's order."""
    known, problems = frozenset(signals), []
    for part, _ in walk(node):
        message, code = _name_problem(part, known, in_key)
        if message:
            problems.append(at_column(message, text, part.column, code=code))
    return problems


def _name_problem(node: Expression, signals: frozenset[str], in_key: bool) -> tuple[str, str]:
    """(message, code) of what is wrong with a name or call; empty where it is right."""
    if isinstance(node, Name):
        if node.name not in NAMES and node.name not in signals:
            return unknown_name(node.name, signals), UNKNOWN
        if in_key and (node.name in FRAME_NAMES or node.name in signals):
            message = (
                f'"{node.name}" changes from frame to frame and cannot be in a key; use max_f or a number'
            )
            return message, NOT_IN_KEY
    if isinstance(node, Call):
        if node.name not in FUNCTIONS and node.name not in signals:
            return unknown_function(node.name, signals), UNKNOWN
        if node.name in signals and len(node.arguments) != 1:
            message = f'the signal "{node.name}" takes one frame, not {len(node.arguments)} values'
            return message, "schedule.wrong_arguments"
        if in_key and node.name == "rand":
            return '"rand" changes from frame to frame and cannot be in a key; use noise(x, k)', NOT_IN_KEY
    return "", ""


def evaluate(node: Expression, context: Context, frames: Float, text: str = "") -> Float:
    """The expression at each of `frames` (float64, shape (n,)) as float64 of shape (n,).

    Truth values become 1 and 0. Results may be NaN or infinite: what that means is the caller's to
    say. `text` is what the nodes' columns point into. Raises FlipbookError for unknown names, for
    `bpm` without a tempo, and for `& | ~` of fractions.
    """
    problems = name_problems(node, context.signals, text)
    if problems:
        raise FlipbookError(*problems)
    with np.errstate(all="ignore"):
        values = _number(_Evaluation(context, frames, text).value(node))
    return np.array(np.broadcast_to(values, frames.shape), dtype=np.float64)


def constant(node: Expression, context: Context, text: str = "") -> float:
    """The value of an expression without a frame, as in a key. Raises FlipbookError, also for `t`."""
    problems = name_problems(node, context.signals, text, in_key=True)
    if problems:
        raise FlipbookError(*problems)
    return float(evaluate(node, context, np.zeros(1), text)[0])


def _number(value: Any) -> Any:
    """Truth values as 1.0 and 0.0; floats as they are."""
    return value.astype(np.float64) if value.dtype == np.bool_ else value


class _Evaluation:
    """Evaluates an expression for one film and one set of frames."""

    def __init__(self, context: Context, frames: Float, text: str) -> None:
        self.context, self.frames, self.text = context, frames, text

    def value(self, node: Expression) -> Any:
        """An array or numpy scalar, float64 or truth values, that broadcasts with the frames."""
        if isinstance(node, Number):
            return np.float64(node.value)
        if isinstance(node, Name):
            return self._name(node)
        if isinstance(node, Call):
            return self._call(node, [_number(self.value(argument)) for argument in node.arguments])
        if isinstance(node, Unary):
            operand = self.value(node.operand)
            return -_number(operand) if node.operator == "-" else self._logic(node, np.invert, operand)
        left, right = self.value(node.left), self.value(node.right)
        if node.operator in _LOGIC:
            return self._logic(node, _LOGIC[node.operator], left, right)
        if node.operator in _COMPARISONS:
            return _COMPARISONS[node.operator](_number(left), _number(right))
        return _ARITHMETIC[node.operator](_number(left), _number(right))

    def _name(self, node: Name) -> Any:
        context, name = self.context, node.name
        if name in context.signals:
            return self._signal(name, self.frames)
        if name in ("t", "f"):
            return self.frames
        if name == "sec":
            return self.frames / float(context.fps)
        if name == "beat":
            return self.frames / float(context.fps) * self._bpm(node) / 60.0
        if name == "bpm":
            return np.float64(self._bpm(node))
        fixed: dict[str, float] = {
            "max_f": context.frames - 1, "s": context.seed, "fps": float(context.fps), "w": context.width,
            "h": context.height, "cadence": context.cadence, "pi": np.pi, "e": np.e,
        }  # fmt: skip
        return np.float64(fixed[name])

    def _bpm(self, node: Name) -> float:
        if self.context.bpm is None:
            message = f'"{node.name}" needs a tempo; set bpm, the beats per minute'
            raise FlipbookError(at_column(message, self.text, node.column, code="schedule.not_computable"))
        return self.context.bpm

    def _signal(self, name: str, frames: Float) -> Float:
        """The signal at fractional frames: linear between two, the end's value beyond an end."""
        values = self.context.signals[name]
        return np.interp(frames, np.arange(len(values), dtype=np.float64), values)

    def _call(self, node: Call, arguments: list[Any]) -> Any:
        if node.name in self.context.signals:
            return self._signal(node.name, np.asarray(arguments[0], dtype=np.float64))
        if node.name == "noise":
            return smooth_noise(self.context.seed, *arguments, *[np.zeros(1)] * (2 - len(arguments)))
        if node.name == "rand":
            return uniform(self.context.seed, arguments[0] if arguments else np.zeros(1), self.frames)
        apply = FUNCTIONS[node.name].apply
        assert apply is not None
        return apply(*arguments)

    def _logic(self, node: Unary | Binary, apply: Callable[..., Any], *operands: Any) -> Any:
        """Truth values by truth table; whole numbers bit by bit, as Python and numexpr do."""
        if all(operand.dtype == np.bool_ for operand in operands):
            return apply(*operands)
        numbers = [_number(operand) for operand in operands]
        if not all(np.all((np.abs(x) < _WHOLE) & (x == np.rint(x))) for x in numbers):
            message = f'"{node.operator}" joins truth values such as (t < 5), not fractions'
            raise FlipbookError(at_column(message, self.text, node.column, code="schedule.not_computable"))
        return apply(*[x.astype(np.int64) for x in numbers]).astype(np.float64)
