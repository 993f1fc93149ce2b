"""Schedules and prompts as values per frame, for people who want to look before they render."""

from __future__ import annotations

from pathlib import Path

from lib_anim.actions.settings_files import read_json, settings_from
from lib_anim.errors import FlipbookError, NotFound, Problem
from lib_anim.kinds.clip.settings import Clip
from lib_anim.kinds.keyframed.deforum.importer import is_deforum
from lib_anim.kinds.keyframed.settings import Keyframed
from lib_anim.kinds.restyle.mov2mov import is_mov2mov
from lib_anim.kinds.restyle.settings import Restyle
from lib_anim.timeline.context import Context
from lib_anim.timeline.prompts import FramePrompt, PromptTrack, parse_prompts
from lib_anim.timeline.schedule import parse_schedule


def values(text: str, context: Context) -> tuple[list[float] | list[str], tuple[str, ...]]:
    """(a value per frame, warnings) of one schedule: numbers, or words where it is a schedule of strings.

    Raises FlipbookError; a text that is neither is told what is wrong with it as numbers.
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
        raise NotFound(Problem(f'there is no file "{path}"', field="file")) from None
    except (OSError, UnicodeDecodeError) as error:
        raise FlipbookError(Problem(f'"{path}" cannot be read as text: {error}', field="file")) from error
    if not text.lstrip().startswith("{"):
        return parse_prompts(text), ()
    data = read_json(path)
    if "kind" not in data and not is_deforum(data) and not is_mov2mov(data):
        return parse_prompts(data), ()
    loaded = settings_from(data, {}, path.parent)
    if not isinstance(loaded.settings, Keyframed | Clip | Restyle):
        raise FlipbookError(Problem(f"a {loaded.settings.kind} film has no prompts", field="file"))
    return loaded.settings.prompt_track(), loaded.warnings
