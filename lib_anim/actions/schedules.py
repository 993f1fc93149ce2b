"""Evaluate one schedule or prompt file for the command line."""

from __future__ import annotations

from pathlib import Path

from lib_anim.actions.settings_files import read_json, settings_from
from lib_anim.errors import FlipbookError, NotFound, Problem
from lib_anim.kinds.registry import find_kind, importer_of
from lib_anim.timeline.context import Context
from lib_anim.timeline.prompts import FramePrompt, PromptTrack, parse_prompts
from lib_anim.timeline.schedule import parse_schedule


def values(text: str, context: Context) -> tuple[list[float] | list[str], tuple[str, ...]]:
    """(a value per frame, warnings) of one schedule: numbers, or words where it is a schedule of strings.

    Raises FlipbookError; for a text that is neither, with the problems of the numeric reading.
    """
    try:
        schedule = parse_schedule(text, field="schedule")
    except FlipbookError as as_numbers:
        try:
            return parse_schedule(text, field="schedule", strings=True).texts(context), ()
        except FlipbookError:
            raise as_numbers from None
    return schedule.numbers(context).tolist(), schedule.warnings(context)


def prompts(path: Path, context: Context) -> tuple[list[FramePrompt], tuple[str, ...]]:
    """(a prompt per frame, warnings) of a file: a settings file, a JSON object of prompts, or lines."""
    track, warnings = _track(path)
    return track.frames(context), (*warnings, *track.warnings(context))


def _track(path: Path) -> tuple[PromptTrack, tuple[str, ...]]:
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        raise NotFound(Problem(f'there is no file "{path}"', field="file", code="file.not_found")) from None
    except (OSError, UnicodeDecodeError) as error:
        raise FlipbookError(
            Problem(f'"{path}" cannot be read as text: {error}', field="file", code="file.unreadable")
        ) from error
    if not text.lstrip().startswith("{"):
        return parse_prompts(text), ()
    data = read_json(path)
    if "kind" not in data and importer_of(data) is None:
        return parse_prompts(data), ()
    loaded = settings_from(data, {}, path.parent)
    prompts_of = find_kind(loaded.settings.kind).prompts
    if prompts_of is None:
        sentence = f"a {loaded.settings.kind} film has no prompts"
        raise FlipbookError(Problem(sentence, field="file", code="prompts.none"))
    return prompts_of(loaded.settings), loaded.warnings
