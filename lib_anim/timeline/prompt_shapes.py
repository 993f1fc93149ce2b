"""Input forms of prompts over time, all parsed into keys and texts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lib_anim.errors import FlipbookError, Problem
from lib_anim.timeline.diagnostics import quoted, refuse_long, shown
from lib_anim.timeline.limits import MAX_PROMPT_CHARACTERS

NEGATIVE = "--neg"
"""Separates what a picture should show from what it should not."""


@dataclass(frozen=True)
class Shape:
    """Prompts as keys (still text) with their texts, and what every frame gets besides."""

    entries: tuple[tuple[str, str], ...]
    """Key and text in the order written; of a key given twice, the later one."""
    prefix: str = ""
    suffix: str = ""


def read_shape(source: str | Mapping[str, Any], field: str) -> Shape:
    """Tells the shape of `source` and reads it. Raises FlipbookError when it is none.

    A mapping or a JSON object of keys; `{"prompts": …, "positive": …, "negative": …}` round any
    shape; `"0": "…", "30": "…"` without braces; lines `N: text` between head and tail lines; or text
    without keys, which holds for the whole film.
    """
    if isinstance(source, Mapping):
        return _from_mapping(source, field)
    if not isinstance(source, str):
        raise FlipbookError(
            Problem(
                f"prompts are text or an object, not {quoted(repr(source))}", field, code="prompts.syntax"
            )
        )
    refuse_long(source, MAX_PROMPT_CHARACTERS, field=field)
    text = source.strip().lstrip("\ufeff")
    if re.match(r"""\{\s*["'}]""", text):
        return _from_mapping(_json(text, field), field)
    if re.match(r'"[^"]*"\s*:\s*"', text):
        return _from_mapping(_json("{" + text.rstrip(",").rstrip() + "}", field), field)
    return _from_lines(source, field)


class _Pairs(dict[str, Any]):
    """A JSON object that puts a repeated key at its later place."""

    def __init__(self, pairs: Iterable[tuple[str, Any]]) -> None:
        super().__init__()
        for key, value in pairs:
            self.pop(key, None)
            self[key] = value


def _json(text: str, field: str) -> Mapping[str, Any]:
    """The JSON object, with a comma allowed after the last entry and line breaks inside texts."""
    text = re.sub(r",\s*\}\s*$", "}", text)
    try:
        found = json.loads(text, strict=False, object_pairs_hook=_Pairs)
    except RecursionError:
        raise FlipbookError(
            Problem('prompts nest too deep; write {"0": "…", "30": "…"}', field, code="prompts.syntax")
        ) from None
    except ValueError as error:
        raise FlipbookError(_json_problem(error, text, field)) from None
    return found  # type: ignore[no-any-return]


def _json_problem(error: ValueError, text: str, field: str) -> Problem:
    if not isinstance(error, json.JSONDecodeError):
        return Problem(f"the JSON object cannot be read: {error}", field, code="file.invalid_json")
    line = text.split("\n")[error.lineno - 1]
    message = f"this is not JSON from line {error.lineno} on ({error.msg}); a key and its text are"
    message += ' written "30": "text" and separated by commas'
    return Problem(message, field, column=error.colno, text=shown(line), code="prompts.syntax")


def _from_mapping(source: Mapping[str, Any], field: str) -> Shape:
    if "prompts" not in source:
        return Shape(tuple(_entry(key, text, field) for key, text in source.items()))
    unknown = [key for key in source if key not in ("prompts", "positive", "negative")]
    if unknown:
        message = f'{quoted(unknown[0])} is not allowed next to "prompts"; "positive" and "negative" are'
        raise FlipbookError(Problem(message, field, code="prompts.syntax"))
    inner = read_shape(source["prompts"], field)
    added = [source.get(name, "") for name in ("positive", "negative")]
    if not all(isinstance(text, str) for text in added):
        raise FlipbookError(Problem('"positive" and "negative" are texts', field, code="prompts.syntax"))
    return Shape(inner.entries, f"{added[0]} {inner.prefix}", f"{inner.suffix} {added[1]}")


def _entry(key: Any, text: Any, field: str) -> tuple[str, str]:
    if isinstance(key, int) and not isinstance(key, bool):
        key = str(key)
    if not isinstance(key, str):
        raise FlipbookError(
            Problem(
                f'{quoted(repr(key))} is not a key; write a frame such as "30"', field, code="prompts.syntax"
            )
        )
    if not isinstance(text, str):
        raise FlipbookError(
            Problem(
                f"the prompt is a text, not {quoted(repr(text))}", field, key.strip(), code="prompts.syntax"
            )
        )
    return key.strip(), text


_KEY_LINE = re.compile(r"\s*(\d{1,15})\s*(?:-\s*(\d{1,15})\s*)?:(.*)", re.DOTALL)


def _from_lines(source: str, field: str) -> Shape:
    lines = source.split("\n")
    keyed = {index: match for index, line in enumerate(lines) if (match := _KEY_LINE.match(line))}
    if not keyed:
        return Shape((("0", source.strip()),))
    first, last = min(keyed), max(keyed)
    for index in range(first, last):
        if index not in keyed and lines[index].strip():
            message = f"line {index + 1} is between keys and has none; write its frame in front, as in 30: …"
            raise FlipbookError(
                Problem(message, field, column=1, text=shown(lines[index]), code="prompts.syntax")
            )
    head, tail = lines[:first], lines[last + 1 :]
    entries = []
    for match in keyed.values():
        start, end, text = match.groups()
        key = start if end is None else f"{start}:{int(end) + 1}"
        entries.append((key, joined([*head, text, *tail], ", ")))
    return Shape(tuple(entries))


def split_negative(text: str) -> tuple[str, str]:
    """What a text asks for and what it rules out; everything after the first `--neg` counts as the latter."""
    positive, *negative = re.split(rf"{NEGATIVE}\b", text)
    return positive.strip(), "".join(negative).strip()


def joined(texts: Iterable[str], separator: str) -> str:
    """Texts joined, those without content left out, positive and negative parts each for themselves."""
    parts = [split_negative(text) for text in texts]
    positive = separator.join(positive for positive, _ in parts if positive)
    negative = separator.join(negative for _, negative in parts if negative)
    return f"{positive} {NEGATIVE} {negative}" if negative else positive
