"""Expression tree: frozen nodes that compare by meaning, not by position in the text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True)
class Number:
    """A number as written, never negative: a sign in front is a `Unary`."""

    value: float
    column: int = field(default=1, compare=False, repr=False)


@dataclass(frozen=True)
class Name:
    """A name: `t`, `max_f`, a signal, …"""

    name: str
    column: int = field(default=1, compare=False, repr=False)


@dataclass(frozen=True)
class Unary:
    """`-x` or `~x`; a plus sign in front leaves no trace."""

    operator: str
    operand: Expression
    column: int = field(default=1, compare=False, repr=False)


@dataclass(frozen=True)
class Binary:
    """`+ - * / // % ** & |` and the six comparisons between two expressions."""

    operator: str
    left: Expression
    right: Expression
    column: int = field(default=1, compare=False, repr=False)


@dataclass(frozen=True)
class Call:
    """A function, or a signal at a frame."""

    name: str
    arguments: tuple[Expression, ...]
    column: int = field(default=1, compare=False, repr=False)


Expression: TypeAlias = Number | Name | Unary | Binary | Call
"""`column` is 1-based in the text that was parsed; every node has it and none compares by it."""


def children(node: Expression) -> tuple[Expression, ...]:
    """The expressions directly inside."""
    if isinstance(node, Unary):
        return (node.operand,)
    if isinstance(node, Binary):
        return (node.left, node.right)
    if isinstance(node, Call):
        return node.arguments
    return ()


def walk(node: Expression) -> Iterator[tuple[Expression, int]]:
    """Every node with its depth, the root at 1, without recursion: safe for any depth."""
    stack = [(node, 1)]
    while stack:
        current, depth = stack.pop()
        yield current, depth
        stack.extend((child, depth + 1) for child in reversed(children(current)))


def plain_number(node: Expression) -> float | None:
    """The value of a number with at most one sign, which keys interpolate between; None for a formula."""
    if isinstance(node, Number):
        return node.value
    if isinstance(node, Unary) and node.operator == "-" and isinstance(node.operand, Number):
        return -node.operand.value
    return None
