"""Expressions as canonical text: parsing what is printed gives the same expression back."""

from __future__ import annotations

from lib_anim.timeline.nodes import Binary, Call, Expression, Name, Number, Unary

_COMPARISON, _UNION, _MEET, _SUM, _PRODUCT, _UNARY, _POWER, _ATOM = range(8)

_BINDING = {
    **dict.fromkeys(("<", "<=", ">", ">=", "==", "!="), _COMPARISON),
    "|": _UNION,
    "&": _MEET,
    "+": _SUM,
    "-": _SUM,
    **dict.fromkeys(("*", "/", "//", "%"), _PRODUCT),
    "**": _POWER,
}
"""How tightly an operator binds, loosest first."""


def number_text(value: float) -> str:
    """The shortest text that reads back as the same float; whole numbers without a point."""
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return repr(value)


def expression_text(node: Expression) -> str:
    """The canonical text: spaces round binary operators, parentheses only where they change the meaning."""
    return _text(node)[0]


def _text(node: Expression) -> tuple[str, int]:
    if isinstance(node, Number):
        return number_text(node.value), _ATOM
    if isinstance(node, Name):
        return node.name, _ATOM
    if isinstance(node, Call):
        return f"{node.name}({', '.join(_text(argument)[0] for argument in node.arguments)})", _ATOM
    if isinstance(node, Unary):
        return node.operator + _inside(node.operand, _UNARY), _UNARY
    return _binary_text(node), _BINDING[node.operator]


def _binary_text(node: Binary) -> str:
    own = _BINDING[node.operator]
    if own == _COMPARISON:
        least_left, least_right = _UNION, _UNION
    elif own == _POWER:
        least_left, least_right = _ATOM, _UNARY
    else:
        least_left, least_right = own, own + 1
    return f"{_inside(node.left, least_left)} {node.operator} {_inside(node.right, least_right)}"


def _inside(node: Expression, least: int) -> str:
    """The operand's text, in parentheses when it binds more loosely than `least`."""
    text, binding = _text(node)
    return text if binding >= least else f"({text})"
