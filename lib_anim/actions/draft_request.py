"""Read which draft a request asks for: every n-th frame, half size, one frame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lib_anim.errors import FlipbookError, Problem
from lib_anim.kinds.draft import DraftOptions
from lib_anim.settings.fields import Flag, Number, Spec, problems_of

_OPTIONS: Mapping[str, Spec] = {
    "every": Number(label="", help="", whole=True, low=1),
    "half": Flag(label="", help=""),
    "only": Number(label="", help="", whole=True, low=0),
}


def read_draft(asked: Mapping[str, Any]) -> DraftOptions:
    """Draft options from a request's JSON. Raises FlipbookError with every option that is wrong."""
    problems = [
        Problem(
            f"unknown draft option; there are {', '.join(_OPTIONS)}",
            field=f"trial.{name}",
            code="draft.unknown_option",
        )
        for name in asked
        if name not in _OPTIONS
    ]
    values: dict[str, Any] = {}
    for name, spec in _OPTIONS.items():
        if asked.get(name) is not None:
            values[name], wrong = problems_of(spec, f"trial.{name}", asked[name])
            problems += wrong
    if problems:
        raise FlipbookError(*problems)
    return DraftOptions(**values)
