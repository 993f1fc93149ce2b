"""Texts with expressions between backticks: `` (snow:`t/max_f`) ``."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lib_anim.errors import FlipbookError, Problem
from lib_anim.timeline.context import Context
from lib_anim.timeline.curves import bridged
from lib_anim.timeline.diagnostics import at_column
from lib_anim.timeline.evaluate import evaluate, name_problems
from lib_anim.timeline.grammar import parse_expression
from lib_anim.timeline.nodes import Expression
from lib_anim.timeline.printing import expression_text

Float = NDArray[np.float64]

_SPAN = re.compile(r"`([^`]*)`")


@dataclass(frozen=True)
class Span:
    """One expression inside a text."""

    formula: Expression
    source: str = field(default="", compare=False)
    """As written, between the backticks: what columns point into."""


@dataclass(frozen=True)
class Template:
    """Literal text and expressions in turn. `str()` writes it back with canonical expressions."""

    parts: tuple[str | Span, ...]

    def __str__(self) -> str:
        return "".join(
            part if isinstance(part, str) else f"`{expression_text(part.formula)}`" for part in self.parts
        )

    @property
    def spans(self) -> tuple[Span, ...]:
        """The expressions alone."""
        return tuple(part for part in self.parts if isinstance(part, Span))

    def problems(self, signals: Collection[str]) -> list[Problem]:
        """Every name that means nothing, given the attached signals' names."""
        return [found for span in self.spans for found in name_problems(span.formula, signals, span.source)]

    def printed(self, context: Context, frames: Float, *, bridge: bool, warnings: list[str]) -> list[str]:
        """The text at each of `frames`, numbers with at most four decimals.

        Raises FlipbookError where a number is not finite; with `bridge` such frames are interpolated
        from their neighbours and `warnings` gets a sentence, unless no frame is finite.
        """
        columns: list[list[str]] = []
        for part in self.parts:
            if isinstance(part, str):
                columns.append([part] * len(frames))
            else:
                columns.append([decimal(value) for value in _values(part, context, frames, bridge, warnings)])
        return ["".join(row) for row in zip(*columns, strict=True)] if columns else [""] * len(frames)


def _values(span: Span, context: Context, frames: Float, bridge: bool, warnings: list[str]) -> Float:
    values = evaluate(span.formula, context, frames, span.source)
    bad = np.flatnonzero(~np.isfinite(values))
    if not len(bad):
        return values
    where = f"`{span.source}` has no finite value at frame {frames[bad[0]]:.0f}"
    if not bridge or len(bad) == len(values):
        message = f"{where}; keep it finite with clamp, max or where"
        raise FlipbookError(at_column(message, span.source, span.formula.column))
    warnings.append(f"{where}, {len(bad)} frames in all; they are interpolated from their neighbours")
    return bridged(values)


def decimal(value: float) -> str:
    """A number with at most four decimals and no needless zeros."""
    text = f"{value:.4f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def parse_template(text: str, *, field: str = "", key: str = "") -> Template:
    """Reads a text; a backtick without a partner is plain text. Raises FlipbookError for a bad expression."""
    parts: list[str | Span] = []
    end = 0
    for match in _SPAN.finditer(text):
        parts += [text[end : match.start()], Span(_formula(match.group(1), field, key), match.group(1))]
        end = match.end()
    parts.append(text[end:])
    return Template(tuple(part for part in parts if part != ""))


def _formula(source: str, field: str, key: str) -> Expression:
    if not source.strip():
        raise FlipbookError(
            Problem("there is nothing between these backticks", field, key, code="prompts.syntax")
        )
    return parse_expression(source, field=field, key=key)
