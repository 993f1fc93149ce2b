r"""Mask expressions: precedence against a truth table, soft values, shapes, sentences, canonical text."""

from __future__ import annotations

import itertools
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lib_anim.errors import FlipbookError
from lib_anim.timeline.masks import (
    Combined,
    Inverse,
    MaskExpression,
    MaskTerm,
    Shaped,
    Threshold,
    parse_mask,
)

TABLE = np.array(list(itertools.product([False, True], repeat=4))).T[:, None, :]
"""All combinations of four masks, each as a picture of one row."""


def _lookup(term: MaskTerm) -> NDArray[Any]:
    index = {"init": 0, "video": 1, "human": 2, "everywhere": 3, "cat": 0, "b.png": 1}[term.value]
    return TABLE[index]


A, B, C, D = TABLE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{init}", A),
        ("!{init}", ~A),
        ("!!{init}", A),
        ("{init} & {video}", A & B),
        ("{init} | {video}", A | B),
        ("{init} ^ {video}", A ^ B),
        ("{init} \\ {video}", A & ~B),
        ("!{init} & {video}", ~A & B),
        ("!({init} & {video})", ~(A & B)),
        ("{init} | {video} & {human}", A | (B & C)),
        ("{init} ^ {video} | {human}", A ^ (B | C)),
        ("{init} \\ {video} ^ {human}", A & ~(B ^ C)),
        ("{init} \\ {video} \\ {human}", (A & ~B) & ~C),
        ("{init} \\ ({video} \\ {human})", A & ~(B & ~C)),
        ("{init} & !{video} | {human} ^ {everywhere}", ((A & ~B) | C) ^ D),
        ("<cat>^[ b.png ]", A ^ B),
        ("{ video_mask } & {init_mask} & {human_mask}", A & B & C),
        ("", D),
    ],
)
def test_operators_bind_as_in_deforum(text: str, expected: NDArray[np.bool_]) -> None:
    mask = parse_mask(text)
    np.testing.assert_array_equal(mask.evaluate(_lookup), expected.astype(np.float32))
    again = parse_mask(str(mask))
    assert again == mask
    np.testing.assert_array_equal(again.evaluate(_lookup), expected.astype(np.float32))


def test_depth_compares_and_words_do_not_swallow_it() -> None:
    depth = np.array([[0.1, 0.5, 0.9]])
    word = np.array([[True, True, False]])
    mask = parse_mask("{depth} < 0.6 & <a red cat> | {depth} >= 0.9")
    assert mask.terms() == (MaskTerm("name", "depth"), MaskTerm("word", "a red cat"))
    found = mask.evaluate(lambda term: depth if term.value == "depth" else word)
    np.testing.assert_array_equal(found, [[1, 1, 1]])
    assert found.dtype == np.float32


def test_soft_masks_stay_soft_and_bytes_count_255() -> None:
    values = {"init": np.array([[0.25, 0.75]]), "video": np.array([[51, 255]], dtype=np.uint8)}

    def soft(text: str) -> list[float]:
        return [float(x) for x in parse_mask(text).evaluate(lambda term: values[term.value])[0]]

    assert soft("!{init}") == [0.75, 0.25]
    assert soft("{init} & {video}") == pytest.approx([0.2, 0.75])
    assert soft("{init} | {video}") == pytest.approx([0.25, 1])
    assert soft("{init} \\ {video}") == pytest.approx([0.25, 0])


def test_grow_shrink_blur_feather() -> None:
    dot = np.zeros((21, 21))
    dot[10, 10] = 1
    yy, xx = np.mgrid[-10:11, -10:11]

    def shaped(text: str, mask: NDArray[Any]) -> NDArray[np.float32]:
        return parse_mask(text).evaluate(lambda _: mask)

    disc = shaped("grow({init}, 4)", dot)
    np.testing.assert_array_equal(disc, (yy**2 + xx**2 <= 16).astype(np.float32))
    np.testing.assert_array_equal(shaped("grow({init}, -4)", disc), dot)
    np.testing.assert_array_equal(shaped("grow({init}, 0)", dot), dot)
    soft = shaped("blur({init}, 2)", disc)
    assert soft.sum() == pytest.approx(disc.sum(), rel=1e-3)
    assert 0 < soft[10, 16] < soft[10, 13] < 1
    half = np.zeros((5, 20))
    half[:, :10] = 1
    faded = shaped("feather({init}, 3)", half)
    np.testing.assert_allclose(faded[2, 5:12], [1, 1, 0.75, 0.5, 0.25, 0, 0], atol=1e-6)


@pytest.mark.parametrize("function", ["grow", "blur", "feather"])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_empty_and_full_masks_stay_as_they_are(function: str, value: float) -> None:
    mask = np.full((8, 8), value)
    found = parse_mask(f"{function}({{init}}, 3)").evaluate(lambda _: mask)
    np.testing.assert_allclose(found, mask, atol=1e-6)


@pytest.mark.parametrize(
    ("text", "column", "part"),
    [
        ("{hunam}", 1, '"hunam" is not a mask here; the nearest is "human"'),
        ("{init} {video}", 8, "an operator is missing before"),
        ("({init}", 8, 'a ")" is missing at the end'),
        ("{init} &", 9, "a mask is missing at the end"),
        ("{init} | ", 10, "a mask is missing at the end"),
        ("glow({init}, 3)", 1, '"glow" is not a mask function; the nearest is "grow"'),
        ("blur({init}, -2)", 14, "blur takes 0 to 1000 pixels, not -2"),
        ("grow({init}, 5000)", 14, "grow takes -1000 to 1000 pixels"),
        ("{init} @ 3", 8, '"@" has no meaning here'),
        ("human", 6, 'a "(" is missing after the function'),
        ("{init} and {video}", 8, '"and" has no meaning here'),
        ("{depth} < 1e999", 11, "this number is too large"),
        ("{depth} < ", 11, "a mask is missing at the end"),
        ("{}", 1, "nothing stands inside {}"),
        ("!" * 400 + "{init}", None, "more than 150 operators"),
        ("x" * 30_000, None, "the text has 30,000 characters"),
    ],
)
def test_mistakes_have_a_sentence_and_a_column(text: str, column: int | None, part: str) -> None:
    with pytest.raises(FlipbookError) as caught:
        parse_mask(text, field="mask_schedule")
    (problem,) = caught.value.problems
    assert part in problem.message
    assert problem.column == column
    assert problem.field == "mask_schedule"


def test_nested_parentheses_are_cheap() -> None:
    start = time.process_time()
    assert parse_mask("(" * 9_000 + "{init}" + ")" * 9_000) == parse_mask("{init}")
    assert time.process_time() - start < 1.0


_NAMES = st.sampled_from(["init", "video", "human", "everywhere", "depth"])
_TERMS = st.one_of(
    st.builds(MaskTerm, st.just("name"), _NAMES),
    st.builds(MaskTerm, st.just("word"), st.sampled_from(["cat", "a red & blue dog", "x^y"])),
    st.builds(MaskTerm, st.just("file"), st.sampled_from(["m.png", "C:\\a b\\m (1).png", "<x>.png"])),
)
_NUMBERS = st.floats(-900, 900, allow_nan=False).map(lambda x: x + 0.0)
_MASKS = st.recursive(
    _TERMS | st.builds(Threshold, _TERMS, st.sampled_from(["<", "<=", ">", ">="]), _NUMBERS),
    lambda inner: (
        st.builds(Inverse, inner)
        | st.builds(Combined, st.sampled_from(["&", "|", "^", "\\"]), inner, inner)
        | st.builds(Shaped, st.just("grow"), inner, _NUMBERS)
    ),
    max_leaves=12,
)


@given(_MASKS)
def test_printing_then_parsing_is_identity(root: Any) -> None:
    mask = MaskExpression(root)
    assert parse_mask(str(mask)) == mask
