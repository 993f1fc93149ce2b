"""Spec of a picture source: one of a few words, or a path."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lib_anim.settings.fields import PathText, Wrong, shown
from lib_anim.timeline.items import Dialect


@dataclass(frozen=True, kw_only=True)
class SourceText(PathText):
    """One of a few words, or the path of a picture, a film or a folder of pictures.

    A file that is called like a word is written with a slash, such as `./video`.
    """

    words: tuple[str, ...]

    def allowed(self) -> str:
        return (
            f"{', '.join(map(shown, self.words))}, or the path of a picture, a film or a folder of pictures"
        )

    def check(self, value: Any, *, field: str, dialect: Dialect) -> str:
        try:
            text = super().check(value, field=field, dialect=dialect)
        except Wrong:
            raise Wrong(self.allowed()) from None
        return {word.lower(): word for word in self.words}.get(text.lower(), text)

    def is_path(self, value: str) -> bool:
        return bool(value) and value not in self.words

    def rooted(self, value: Any, place: Callable[[str], str]) -> Any:
        return place(value) if self.is_path(value) else value
