"""Settings from a command line: `--set key=value`, and a flag for every setting."""

from __future__ import annotations

import argparse
import json
from collections.abc import Collection, Iterable
from typing import Any

from lib_anim.errors import FlipbookError, Problem
from lib_anim.settings.base import Settings, specs
from lib_anim.settings.fields import Flag, shown


def parse_changes(pairs: Iterable[str]) -> dict[str, Any]:
    """Setting → value from texts `key=value`: JSON where the value is JSON, else the text itself.

    The last one of a name wins. Whether names and values are right is for the settings to say.
    Raises FlipbookError with every text that is not a pair.
    """
    changes: dict[str, Any] = {}
    problems = []
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name.strip():
            problems.append(
                Problem(
                    f"{shown(pair)} is not a KEY=VALUE, such as frames=48",
                    field="--set",
                    code="command.usage",
                )
            )
            continue
        changes[name.strip().replace("-", "_")] = _value(text)
    if problems:
        raise FlipbookError(*problems)
    return changes


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def add_flags(parser: argparse.ArgumentParser, cls: type[Settings], without: Collection[str] = ()) -> None:
    """Adds a flag for every setting of a kind (`cfg_scale` → `--cfg-scale`), grouped as everywhere else.

    An on-or-off setting's flag may stand without a value, which switches it on.
    """
    groups: dict[str, argparse._ArgumentGroup] = {}
    for name, spec in specs(cls).items():
        if name in without:
            continue
        group = groups.get(spec.group)
        if group is None:
            group = groups[spec.group] = parser.add_argument_group(spec.group or cls.kind)
        words = f"{spec.help} Takes {spec.allowed()}." + (f" [{spec.unit}]" if spec.unit else "")
        bare: dict[str, Any] = {"nargs": "?", "const": "true"} if isinstance(spec, Flag) else {}
        group.add_argument(
            f"--{name.replace('_', '-')}",
            dest=f"setting_{name}",
            metavar="VALUE",
            **bare,
            # argparse formats help with %.
            help=words.replace("%", "%%"),
        )


def flag_changes(options: argparse.Namespace, cls: type[Settings]) -> dict[str, Any]:
    """Setting → value of the flags that were given."""
    given = {name: getattr(options, f"setting_{name}", None) for name in specs(cls)}
    return {name: specs(cls)[name].from_text(text) for name, text in given.items() if text is not None}
