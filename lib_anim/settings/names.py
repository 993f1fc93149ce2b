"""Spec of a list of names that only an engine knows, such as saved styles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lib_anim.settings.fields import Spec, Wrong
from lib_anim.timeline.items import Dialect

BETWEEN = "|"
"""What separates names in a text: names of styles hold commas."""


@dataclass(frozen=True, kw_only=True)
class Names(Spec):
    """Names in the order in which they count; text may part them by `|`. The plan checks that they exist."""

    def allowed(self) -> str:
        return f"a list of names, or names separated by {BETWEEN}"

    def check(self, value: Any, *, field: str, dialect: Dialect) -> tuple[str, ...]:
        given = value.split(BETWEEN) if isinstance(value, str) else () if value is None else value
        if not isinstance(given, Sequence) or not all(isinstance(name, str) for name in given):
            raise Wrong(self.allowed())
        return tuple(name.strip() for name in given if name.strip())

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": {"type": "string"}}

    def to_json(self, value: tuple[str, ...]) -> list[str]:
        return list(value)
