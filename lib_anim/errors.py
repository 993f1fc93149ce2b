"""The one error that people see, and the sentences inside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with what the user gave, in one sentence that names the way out."""

    message: str
    """The sentence, without the field's name: every door puts `where` in front of it."""
    field: str = ""
    """The setting, file or argument it is about; empty when the sentence stands alone."""
    key: str = ""
    """The keyframe inside a schedule, as the user wrote it."""
    column: int | None = None
    """1-based column inside `text`, where the caret goes."""
    text: str = ""
    """The user's text that `column` points into, one line."""

    @property
    def where(self) -> str:
        """Field, key and column in words, for the front of the sentence."""
        parts = [self.field] if self.field else []
        if self.key:
            parts.append(f"key {self.key}")
        if self.column is not None:
            parts.append(f"column {self.column}")
        return ", ".join(parts)

    @property
    def sentence(self) -> str:
        """The whole sentence on one line, the same at every door."""
        return f"{self.where}: {self.message}" if self.where else self.message

    def __str__(self) -> str:
        """The sentence; below it the text and a caret, when a column is known."""
        if self.column is None or not self.text:
            return self.sentence
        return f"{self.sentence}\n    {self.text}\n    {' ' * (self.column - 1)}^"

    def as_json(self) -> dict[str, Any]:
        """The shape that the API and `--json` show."""
        return {
            "field": self.field or None,
            "key": self.key or None,
            "column": self.column,
            "message": self.sentence,
        }


class FlipbookError(Exception):
    """Something the user can put right. Carries every problem found, never only the first.

    The command line prints the sentences and exits with 2; the API answers with `status` and the
    problems as JSON; the WebUI shows the same sentences. Nothing has been changed when it is raised
    unless a sentence says so.
    """

    status = 422
    """HTTP status with which the API answers."""

    def __init__(self, *problems: Problem | str) -> None:
        self.problems = tuple(Problem(p) if isinstance(p, str) else p for p in problems)
        super().__init__("\n".join(str(p) for p in self.problems))

    def as_json(self) -> dict[str, Any]:
        """`{"errors": [{"field", "key", "column", "message"}, …]}`."""
        return {"errors": [p.as_json() for p in self.problems]}


class NotFound(FlipbookError):
    """A file, run, preset or model that was named does not exist."""

    status = 404


class Conflict(FlipbookError):
    """What was asked contradicts the present state: a run that another process holds, say."""

    status = 409


@contextmanager
def under_field(field: str) -> Iterator[None]:
    """Errors of a file that is opened inside stand under the name of the setting that names the file."""
    try:
        yield
    except FlipbookError as error:
        raise type(error)(*(Problem(p.message, field=field) for p in error.problems)) from error
