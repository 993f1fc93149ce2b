"""Names and functions of expressions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

FRAME_NAMES = frozenset({"t", "f", "sec", "beat"})
"""Names whose value differs from frame to frame, and which a key therefore cannot use."""

NAMES = FRAME_NAMES | {"max_f", "s", "fps", "bpm", "w", "h", "cadence", "pi", "e"}
"""All names that are always there; signals add theirs."""


@dataclass(frozen=True)
class Function:
    """A function of the language: how many arguments it takes, and what it does to arrays."""

    least: int
    most: int | None
    """None: as many as one likes."""
    apply: Callable[..., Any] | None
    """Takes and returns float64 arrays that broadcast; None for what needs the film (`noise`, `rand`)."""

    @property
    def arity(self) -> str:
        """How many arguments, in words."""
        if self.most is None:
            return f"{self.least} or more values"
        if self.least == self.most:
            return f"{self.least} value" + ("s" if self.least != 1 else "")
        return f"{self.least} to {self.most} values"


def _where(condition: Float, yes: Float, no: Float) -> Any:
    return np.where(condition != 0, yes, no)


def _lowest(*values: Float) -> Any:
    return reduce(np.minimum, values)


def _highest(*values: Float) -> Any:
    return reduce(np.maximum, values)


def _clamp(x: Float, low: Float, high: Float) -> Any:
    return np.minimum(np.maximum(x, low), high)


def _lerp(a: Float, b: Float, x: Float) -> Any:
    return a + (b - a) * x


def _smoothstep(a: Float, b: Float, x: Float) -> Any:
    u = np.clip((x - a) / (b - a), 0.0, 1.0)
    return u * u * (3.0 - 2.0 * u)


def _saw(x: Float) -> Any:
    return x - np.floor(x)


def _tri(x: Float) -> Any:
    return 1.0 - np.abs(2.0 * _saw(x) - 1.0)


def _square(x: Float, duty: Float | float = 0.5) -> Any:
    return (_saw(x) < duty).astype(np.float64)


def _bump(x: Float, width: Float) -> Any:
    return np.exp(-((x / width) ** 2))


def _hold(x: Float, n: Float) -> Any:
    return n * np.floor(x / n)


_OF_ONE: dict[str, Callable[[Float], Any]] = {
    "sin": np.sin, "cos": np.cos, "tan": np.tan,
    "arcsin": np.arcsin, "arccos": np.arccos, "arctan": np.arctan,
    "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh,
    "arcsinh": np.arcsinh, "arccosh": np.arccosh, "arctanh": np.arctanh,
    "sqrt": np.sqrt, "exp": np.exp, "expm1": np.expm1,
    "log": np.log, "log10": np.log10, "log1p": np.log1p,
    "abs": np.abs, "floor": np.floor, "ceil": np.ceil, "round": np.rint, "trunc": np.trunc, "sign": np.sign,
    "saw": _saw, "tri": _tri,
}  # fmt: skip

FUNCTIONS: dict[str, Function] = {
    **{name: Function(1, 1, apply) for name, apply in _OF_ONE.items()},
    "arctan2": Function(2, 2, np.arctan2),
    "where": Function(3, 3, _where),
    "min": Function(2, None, _lowest),
    "max": Function(2, None, _highest),
    "clamp": Function(3, 3, _clamp),
    "lerp": Function(3, 3, _lerp),
    "smoothstep": Function(3, 3, _smoothstep),
    "square": Function(1, 2, _square),
    "bump": Function(2, 2, _bump),
    "hold": Function(2, 2, _hold),
    "noise": Function(1, 2, None),
    "rand": Function(0, 1, None),
}
"""`round` goes to the even neighbour at halves, as numexpr's does."""
