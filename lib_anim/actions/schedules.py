"""Schedules and prompts as values per frame, for people who want to look before they render."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lib_anim.actions.settings_files import read_json, settings_from
from lib_anim.errors import FlipbookError, NotFound, Problem
from lib_anim.timeline.context import Context
from lib_anim.timeline.prompts import FramePrompt, parse_prompts
from lib_anim.timeline.schedule import parse_schedule


def values(text: str, context: Context) -> tuple[list[float] | list[str], tuple[str, ...]]:
    """(a value per frame, warnings) of one schedule: numbers, or words where it is a schedule of strings.

    Raises FlipbookError; a text that is neither is told what is wrong with it as numbers.
    """
    try:
        schedule = parse_schedule(text, field="schedule")
    except FlipbookError as as_numbers:
        try:
            return parse_schedule(text, field="schedule", strings=True).words(context), ()
        except FlipbookError:
            raise as_numbers from None
    curve = schedule.curve(context)
    return [float(value) for value in curve.values], curve.warnings


def prompts(path: Path, context: Context) -> tuple[list[FramePrompt], tuple[str, ...]]:
    """(a prompt per frame, warnings) of a file: a settings file, a JSON object of prompts, or lines."""
    source, positive, negative, warnings, dialect = _prompt_source(path)
    track = parse_prompts(source, dialect=dialect).with_affixes(positive, negative)
    return track.frames(context), warnings


def _prompt_source(path: Path) -> tuple[Any, str, str, tuple[str, ...], str]:
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        raise NotFound(Problem(f'there is no file "{path}"', field="file")) from None
    except (OSError, UnicodeDecodeError) as error:
        raise FlipbookError(Problem(f'"{path}" cannot be read as text: {error}', field="file")) from error
    if not text.lstrip().startswith("{"):
        return text, "", "", (), "native"
    data = read_json(path)
    if not {"kind", "prompts", "animation_prompts"} & set(data):
        return data, "", "", (), "native"
    if "kind" not in data and set(data) <= {"prompts", "positive", "negative"}:
        return data, "", "", (), "native"
    loaded = settings_from(data, {}, path.parent)
    settings = loaded.settings.values()
    affixes = settings["positive"], settings["negative"]
    return settings["prompts"], *affixes, loaded.warnings, loaded.settings.dialect
