"""Reads the goldens that were stored at commit 3f502a7, before the packages were reorganised.

They freeze what other programs and users' files rely on: setting names, command line options, API routes and
fields, infotext labels, presets, the queue database and half-finished runs. They are never rewritten; a
deliberate extension adds names, so the tests compare what the goldens hold and allow more.
"""

from __future__ import annotations

import json
import lzma
from pathlib import Path
from typing import Any

from lib_anim.engines.checker import CheckerEngine

GOLDEN = Path(__file__).with_name("golden")

PROSE = ("description", "title", "summary", "operationId", "example", "examples", "tags")
"""Keywords of JSON Schema and OpenAPI that hold text for people."""

NAMED = ("properties", "patternProperties", "paths", "responses", "$defs", "schemas")
"""Keywords whose children are named by us: a setting may be called `title`."""


class FixedChecker(CheckerEngine):
    """The checker engine under the fingerprint that the stored runs have."""

    fingerprint = "checker, compatibility tests"


def golden(name: str) -> Any:
    """The parsed content of a golden file, compressed or not."""
    path = GOLDEN / name
    data = lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()
    return json.loads(data)


def without_prose(schema: Any) -> Any:
    """A schema without the texts for people."""
    if isinstance(schema, list):
        return [without_prose(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {}
    for key, value in schema.items():
        if key in NAMED and isinstance(value, dict):
            found[key] = {name: without_prose(child) for name, child in value.items()}
        elif key not in PROSE:
            found[key] = without_prose(value)
    return found


def missing(old: Any, new: Any, where: str = "") -> list[str]:
    """What `old` has and `new` lacks or has otherwise; lists are compared as sets where they hold words."""
    if isinstance(old, dict) and isinstance(new, dict):
        found = [f"{where}/{key} is gone" for key in old if key not in new]
        return found + [
            text for key in old if key in new for text in missing(old[key], new[key], f"{where}/{key}")
        ]
    if isinstance(old, list) and isinstance(new, list) and all(isinstance(item, str) for item in old):
        gone = [item for item in old if item not in new]
        return [f"{where} lacks {gone}"] if gone else []
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = enumerate(zip(old, new, strict=True))
        return [text for place, (a, b) in pairs for text in missing(a, b, f"{where}/{place}")]
    return [] if old == new else [f"{where} was {old!r} and is {new!r}"]
