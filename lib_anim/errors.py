"""Errors that users see: problems with a stable code, a field and one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Problem:
    """One mistake in the user's input: a sentence that says what is wrong and what to do about it."""

    message: str
    """The sentence without the field's name; every entry point prefixes `where`."""
    field: str = ""
    """The setting, file or argument that is wrong; empty where there is none."""
    key: str = ""
    """The keyframe inside a schedule, as the user wrote it."""
    column: int | None = None
    """1-based column inside `text`, where the caret goes."""
    text: str = ""
    """The user's text that `column` points into, one line."""
    code: str = ""
    """Stable, documented identifier of the kind of mistake, `subject.mistake`: `schedule.unknown_name`."""

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
        """The whole sentence on one line, the same at every entry point."""
        return f"{self.where}: {self.message}" if self.where else self.message

    def __str__(self) -> str:
        """The sentence; below it the text and a caret, when a column is known."""
        if self.column is None or not self.text:
            return self.sentence
        return f"{self.sentence}\n    {self.text}\n    {' ' * (self.column - 1)}^"

    def as_json(self) -> dict[str, Any]:
        """The shape that the API and `--json` show."""
        return {
            "code": self.code or None,
            "field": self.field or None,
            "key": self.key or None,
            "column": self.column,
            "message": self.sentence,
        }


class FlipbookError(Exception):
    """An error that the user can correct. Carries every problem found, not only the first.

    The command line prints the sentences and exits with 2; the API responds with `status` and the problems
    as JSON; the WebUI shows the same sentences. Nothing has been changed when it is raised, unless a sentence
    says so.
    """

    status = 422
    """HTTP status of the API's response."""

    def __init__(self, *problems: Problem | str) -> None:
        self.problems = tuple(Problem(p) if isinstance(p, str) else p for p in problems)
        super().__init__("\n".join(str(p) for p in self.problems))

    def as_json(self) -> dict[str, Any]:
        """`{"errors": [{"code", "field", "key", "column", "message"}, …]}`."""
        return {"errors": [p.as_json() for p in self.problems]}


class NotFound(FlipbookError):
    """The named file, run, preset or model does not exist."""

    status = 404


class Conflict(FlipbookError):
    """The request conflicts with the current state, for example a run that another process has locked."""

    status = 409


@contextmanager
def under_field(field: str) -> Iterator[None]:
    """Report errors of a file opened inside the block under the setting that names the file."""
    try:
        yield
    except FlipbookError as error:
        raise type(error)(*(Problem(p.message, field=field, code=p.code) for p in error.problems)) from error
