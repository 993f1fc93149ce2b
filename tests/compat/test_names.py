"""Names that users' files and other programs rely on: settings, labels, options, routes, foreign keys."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from lib_anim.app.cli import make_parser
from lib_anim.kinds.clip import animatediff
from lib_anim.kinds.keyframed.deforum import keys
from lib_anim.kinds.registry import SETTINGS
from lib_anim.kinds.restyle import mov2mov
from lib_anim.settings.base import from_json, json_schema, specs, to_json
from lib_anim.settings.infotext import from_infotext, to_infotext
from tests.compat.goldens import golden, missing, without_prose


@pytest.mark.parametrize("kind", golden("schemas.json"))
def test_schemas_keep_names_types_and_bounds(kind: str) -> None:
    assert missing(golden("schemas.json")[kind], without_prose(json_schema(SETTINGS[kind]))) == []


@pytest.mark.parametrize("kind", golden("defaults.json"))
def test_defaults_are_the_same(kind: str) -> None:
    assert missing(golden("defaults.json")[kind], to_json(SETTINGS[kind]())) == []


@pytest.mark.parametrize("kind", golden("labels.json"))
def test_labels_are_infotext_keys_and_stay(kind: str) -> None:
    labels = {name: spec.label for name, spec in specs(SETTINGS[kind]).items()}
    assert missing(golden("labels.json")[kind], labels) == []


@pytest.mark.parametrize("kind", golden("infotext.json"))
def test_infotext_is_read_and_written_as_before(kind: str) -> None:
    stored = golden("infotext.json")[kind]
    read, warnings = from_infotext(SETTINGS[kind], stored["infotext"])
    assert warnings == ()
    assert missing(stored["settings"], to_json(read)) == []
    written, _ = from_json(SETTINGS[kind], stored["settings"])
    assert to_infotext(written) == stored["infotext"]
    assert to_infotext(from_json(SETTINGS[kind], {})[0]) == stored["default_infotext"]


def _options(parser: argparse.ArgumentParser) -> dict[str, dict[str, object]]:
    return {
        " ".join(action.option_strings) or action.dest: {
            "takes_value": action.nargs != 0,
            "choices": sorted(map(str, action.choices)) if action.choices else None,
        }
        for action in parser._actions
        if not isinstance(action, argparse._SubParsersAction | argparse._HelpAction)
    }


def test_commands_and_their_options_stay() -> None:
    parser = make_parser()
    commands = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    now = {"global": _options(parser)} | {name: _options(p) for name, p in commands.choices.items()}
    assert missing(golden("command_line.json"), now) == []


def test_keys_of_foreign_files_stay() -> None:
    now = {
        "deforum": [row.name for row in keys.ROWS],
        "deforum_units": [row.name for row in keys.UNIT_ROWS],
        "mov2mov": sorted(mov2mov.known_keys()),
        "animatediff": list(animatediff.KEYS),
    }
    assert missing(golden("foreign_keys.json"), now) == []


def test_element_ids_stay() -> None:
    """Ids as the sources write them: f-strings with their placeholders, whatever expression fills them."""
    sources = [
        path.read_text("utf-8")
        for folder in ("ui", "webui")
        for path in (Path(__file__).parents[2] / "lib_anim" / folder).rglob("*.py")
    ]
    text = "\n".join(sources)
    plain = [name for name in golden("element_ids.json") if "{" not in name]
    assert [name for name in plain if f'"{name}"' not in text] == []
