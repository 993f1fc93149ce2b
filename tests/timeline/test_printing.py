"""Printing and parsing are inverse, and a printed expression means what Python makes of it."""

from __future__ import annotations

import ast
import warnings
from decimal import Decimal
from typing import Any

import numpy as np
from hypothesis import assume, example, given
from hypothesis import strategies as st

from lib_anim.timeline.context import Context
from lib_anim.timeline.easings import EASINGS
from lib_anim.timeline.evaluate import evaluate
from lib_anim.timeline.functions import FUNCTIONS
from lib_anim.timeline.grammar import FormulaKey, FrameKey, UnitKey, parse_expression
from lib_anim.timeline.items import Item
from lib_anim.timeline.nodes import Binary, Call, Name, Number, Unary
from lib_anim.timeline.printing import expression_text
from lib_anim.timeline.schedule import Schedule, parse_schedule

ARITHMETIC = ["+", "-", "*", "/", "//", "%", "**"]
COMPARISONS = ["<", "<=", ">", ">=", "==", "!="]

_numbers = st.one_of(
    st.integers(0, 10**18).map(float), st.floats(0, allow_nan=False, allow_infinity=False).map(abs)
).map(Number)
_names = st.sampled_from(["t", "max_f", "s", "pi", "kick", "ünï", "linear", "step", "b"]).map(Name)


def _calls(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    def with_arguments(name: str) -> st.SearchStrategy[Any]:
        function = FUNCTIONS[name]
        most = function.least + 2 if function.most is None else function.most
        arguments = st.lists(inner, min_size=function.least, max_size=most)
        return arguments.map(lambda given_: Call(name, tuple(given_)))

    return st.sampled_from(sorted(FUNCTIONS)).flatmap(with_arguments)


expressions = st.recursive(
    _numbers | _names,
    lambda inner: (
        st.builds(Unary, st.sampled_from(["-", "~"]), inner)
        | st.builds(Binary, st.sampled_from([*ARITHMETIC, *COMPARISONS, "&", "|"]), inner, inner)
        | _calls(inner)
    ),
    max_leaves=25,
)

_amounts = st.decimals(0, 10**9, places=6, allow_nan=False).map(lambda x: Decimal(abs(x)).normalize())
_keys = (
    st.integers(0, 10**14).map(FrameKey)
    | st.builds(UnitKey, _amounts, st.sampled_from("%sb"))
    | expressions.filter(lambda node: not isinstance(node, Number)).map(FormulaKey)
)
_easings = st.sampled_from(["", *EASINGS])
_texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters='"'), max_size=12) | st.just(
    'say "a"'
)


@given(expressions)
def test_printed_expressions_parse_back(node: Any) -> None:
    assert parse_expression(expression_text(node)) == node


@given(st.lists(st.builds(Item, _keys, expressions, _easings), max_size=5))
def test_printed_schedules_parse_back(items: list[Item]) -> None:
    schedule = Schedule(tuple(items))
    assert parse_schedule(str(schedule)) == schedule


@given(st.lists(st.builds(Item, _keys, _texts, st.sampled_from(["", "step"])), max_size=5))
def test_printed_string_schedules_parse_back(items: list[Item]) -> None:
    schedule = Schedule(tuple(items), strings=True)
    assert parse_schedule(str(schedule), strings=True) == schedule


_plain = st.recursive(
    st.integers(0, 9).map(float).map(Number) | st.sampled_from([Number(0.5), Name("t"), Name("t")]),
    lambda inner: (
        st.builds(Unary, st.just("-"), inner)
        | st.builds(Binary, st.sampled_from([*ARITHMETIC, *COMPARISONS]), inner, inner)
        | inner.map(lambda x: Call("abs", (x,)))
    ),
    max_leaves=12,
)


class _RealPowers(ast.NodeTransformer):
    """Calls `power` for `**`, also inside comparisons and abs, where a complex number would not be seen."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if not isinstance(node.op, ast.Pow):
            return node
        return ast.Call(ast.Name("power", ast.Load()), [node.left, node.right], [])


def _power(base: float, exponent: float) -> float:
    found = base**exponent
    if isinstance(found, complex):
        raise OverflowError("not a real number")
    return float(found)


@given(_plain)
@example(Call("abs", (Binary("**", Unary("-", Number(1.0)), Number(0.5)),)))
def test_arithmetic_is_pythons(node: Any) -> None:
    """Python evaluates the printed text frame by frame, on floats; what it refuses is skipped."""
    text = expression_text(node)
    tree = ast.fix_missing_locations(_RealPowers().visit(ast.parse(text.replace("t", "T"), mode="eval")))
    code = compile(tree, "expression", "eval")
    film = Context(frames=6)
    got = evaluate(node, film, np.arange(6.0))
    for frame in range(6):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                want = eval(code, {"T": float(frame), "abs": abs, "power": _power})
        except (ZeroDivisionError, OverflowError):
            continue
        if not np.isfinite(float(want)):
            continue
        assume(abs(float(want)) < 1e12)
        np.testing.assert_allclose(got[frame], float(want), rtol=1e-9, atol=1e-9, err_msg=text)
