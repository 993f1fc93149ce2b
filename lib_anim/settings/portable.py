"""Remove folder names from settings that leave the machine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lib_anim.errors import FlipbookError
from lib_anim.settings.base import Settings, specs
from lib_anim.settings.fields import NATIVE, MaskWords, Spec, Wrong

_FOLDERS = re.compile(r"^(?:[A-Za-z]:|\\\\|/|~|file:).*[/\\]", re.DOTALL)
"""What stands before a file's name where a text begins like a path: a drive, a share, a root, a home."""
_MASK_FILE = re.compile(r"\[([^\[\]]*)\]")


def without_folders(cls: type[Settings], data: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as JSON in which every path of a file has become the file's name.

    Masks of expressions and keys that are no settings count as well; all other texts stay as they are.
    """
    known = specs(cls)
    return {name: _named(known.get(name), name, value) for name, value in data.items()}


def file_name(path: str) -> str:
    """The last part of a path of any system."""
    return re.split(r"[/\\]", path.rstrip("/\\"))[-1]


def _named(spec: Spec | None, name: str, value: Any) -> Any:
    if isinstance(spec, MaskWords) and isinstance(value, str):
        return _MASK_FILE.sub(lambda found: f"[{file_name(found[1])}]", value)
    if spec is None:
        return _unknown(value)
    if type(spec).rooted is Spec.rooted:
        return value
    try:
        return spec.to_json(spec.rooted(spec.check(value, field=name, dialect=NATIVE), file_name))
    except (Wrong, FlipbookError):
        return _unknown(value)


def _unknown(value: Any) -> Any:
    """A value that no setting explains: texts that begin like a path lose their folders."""
    if isinstance(value, str):
        return _FOLDERS.sub("", value)
    if isinstance(value, Mapping):
        return {key: _unknown(child) for key, child in value.items()}
    return [_unknown(child) for child in value] if isinstance(value, list) else value
