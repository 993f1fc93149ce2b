"""Settings as one line of text in the WebUI's form, `Label: value, Label: value`.

Values with a comma, colon, quote or line break stand as JSON strings, as the WebUI writes and reads
them, so the line survives next to its own in a picture's parameters.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, TypeVar

from lib_anim.errors import FlipbookError, Problem
from lib_anim.settings.base import VERSION, Settings, specs
from lib_anim.settings.fields import NATIVE

HEAD = "Flipbook"
"""The first label: its value is the kind and the version of the form."""
DIALECT = "Flipbook dialect"

_START = re.compile(rf"(?:^|\n|, ){HEAD}: ")
_PAIR = re.compile(r'[ \t]*([^:,"\n]+):[ \t]*("(?:\\.|[^"\\])*"|[^,\n]*)[ \t]*(?:,|$|(?=\n))')
_PLAIN = re.compile(r'(?!\s)[^,:"\x00-\x1f\x85\u2028\u2029]+(?<!\s)')

S = TypeVar("S", bound=Settings)


def to_infotext(settings: Settings, *, every: bool = False) -> str:
    """The settings that differ from the defaults, or every one, on one line. `extra` is not in it."""
    default = type(settings)()
    pairs = [f"{HEAD}: {settings.kind} {VERSION}"]
    if settings.dialect != NATIVE:
        pairs.append(f"{DIALECT}: {settings.dialect}")
    for name, spec in specs(type(settings)).items():
        value = getattr(settings, name)
        if every or value != getattr(default, name):
            pairs.append(f"{spec.label}: {_quoted(spec.to_text(value))}")
    return ", ".join(pairs)


def from_infotext(cls: type[S], text: str) -> tuple[S, tuple[str, ...]]:
    """(settings, warnings) from a text that holds such a line, alone or after a WebUI's own parameters.

    Labels that the kind does not know are named in warnings. Raises FlipbookError where there is no
    line of Flipbook's or it is of another kind, and with every value that is not allowed.
    """
    start = _START.search(text)
    if start is None:
        sentence = f'the text holds no "{HEAD}: …"; copy the parameters of a film'
        raise FlipbookError(Problem(sentence, field="infotext", code="infotext.invalid"))
    pairs = dict(label_pairs(text[start.start() :].lstrip(", \n")))
    kind, _, version = pairs.pop(HEAD).partition(" ")
    if kind != cls.kind or version != str(VERSION):
        sentence = f"the text is of {kind} {version}, not of {cls.kind} {VERSION}; open it with that kind"
        raise FlipbookError(Problem(sentence, field="infotext", code="infotext.invalid"))
    dialect: Any = pairs.pop(DIALECT, NATIVE)
    names = {spec.label: name for name, spec in specs(cls).items()}
    values: dict[str, Any] = {}
    warnings = []
    for label, value in pairs.items():
        if label in names:
            values[names[label]] = specs(cls)[names[label]].from_text(value)
        else:
            warnings.append(f'infotext: "{label}" is not a setting of {cls.kind}; it is ignored')
    return cls(**values, dialect=dialect), tuple(warnings)


def _quoted(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    # JSON leaves these line breaks as they are.
    return re.sub("[\x85\u2028\u2029]", lambda c: f"\\u{ord(c[0]):04x}", json.dumps(text, ensure_ascii=False))


def label_pairs(line: str) -> Iterator[tuple[str, str]]:
    """Label and text of each pair, up to the line's end or the first thing that is none."""
    position = 0
    while pair := _PAIR.match(line, position):
        text = pair[2]
        if text.startswith('"'):
            text = json.loads(text, strict=False)
        yield pair[1].strip(), text.rstrip() if not pair[2].startswith('"') else text
        position = pair.end()
        if line[position : position + 1] == "\n":
            return
