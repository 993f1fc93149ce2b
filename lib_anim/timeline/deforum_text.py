"""How Deforum's settings files write schedules, where that is wider than the language itself."""

from __future__ import annotations

import re
from typing import Any

from lib_anim.errors import FlipbookError, Problem
from lib_anim.timeline.diagnostics import item_span
from lib_anim.timeline.grammar import parse
from lib_anim.timeline.limits import MAX_SCHEDULE_CHARACTERS

_NUMBER = re.compile(r"[+-]?\d*(\.\d+)?")

MAX_REPAIRS = 4
"""Items of one schedule that may be unreadable; each costs one more pass over the text."""


def parse_loosely(text: str, *, field: str) -> tuple[list[Any], dict[int, tuple[str, Problem]]]:
    """The items of a numeric schedule, and its unreadable values: by the colon's offset, text and problem.

    Quotes count for nothing, as in Deforum. Deforum evaluates a value when its frame comes, so one
    that is overwritten by a later key or lies beyond the film may be anything; here it is read as 0
    and named, and whoever needs it raises the problem. Raises FlipbookError for text without keys.
    """
    source = re.sub("[\"']", " ", text)
    unreadable: dict[int, tuple[str, Problem]] = {}
    while True:
        try:
            return parse(source, "loose_schedule", field=field, limit=MAX_SCHEDULE_CHARACTERS), unreadable
        except FlipbookError as error:
            problem = error.problems[0]
            if problem.column is None or len(unreadable) == MAX_REPAIRS:
                raise
            start, end = item_span(source, problem.column - 1)
            colon = source.find(":", start, end)
            if not 0 <= colon < problem.column - 1 or colon in unreadable or colon + 1 == end:
                raise
            unreadable[colon] = (text[colon + 1 : end].strip(), problem)
            source = source[: colon + 1] + "0".ljust(end - colon - 1) + source[end:]


def is_held(value_text: str) -> bool:
    """Whether Deforum holds this number instead of interpolating from it.

    It does when spaces inside the parentheses or a bare point make the text miss its pattern of a plain
    number. `1e-3`, which it holds too, is a number here.
    """
    bare = re.sub("[\"'()]", "", value_text.strip())
    return not _NUMBER.fullmatch(bare) and "e" not in bare.lower()


_QUOTED = re.compile("\"[^\"]*\"|'[^']*'")


def unwrapped(text: str) -> str:
    """A string as Deforum's files hold it, without the quotes and parentheses round it.

    In quotes it stays as it is. Without, stray quotes go, as in Deforum; parentheses inside stay, unlike
    there: they belong to a mask's expression or a checkpoint's name.
    """
    text = text.strip()
    while _wraps(text):
        text = text[1:-1].strip()
    return text[1:-1] if _QUOTED.fullmatch(text) else re.sub("[\"']", "", text).strip()


def _wraps(text: str) -> bool:
    """Whether the text begins with a parenthesis that closes at its end; what is in quotes does not count."""
    if not text.startswith("("):
        return False
    depth = 0
    for match in re.finditer("\"[^\"]*\"|'[^']*'|[()]", text):
        depth += {"(": 1, ")": -1}.get(match.group(), 0)
        if depth == 0:
            return match.end() == len(text)
    return False
