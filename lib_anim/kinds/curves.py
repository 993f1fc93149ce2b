"""Evaluate the schedules of settings to a value per frame, within their bounds."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lib_anim.engines.contract.capabilities import Capabilities
from lib_anim.engines.contract.scripts import Scripts, missing_models, unknown_titles
from lib_anim.errors import FlipbookError, Problem
from lib_anim.settings.base import Settings, specs
from lib_anim.settings.fields import NATIVE, Schedule, Words
from lib_anim.timeline.context import Context
from lib_anim.timeline.items import Dialect
from lib_anim.timeline.schedule import parse_schedule

Numbers = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Curves:
    """Every schedule of some settings, evaluated."""

    numbers: Mapping[str, Numbers]
    """Name → a value per frame; settings that are empty are left out."""
    words: Mapping[str, tuple[str, ...]]
    """Name → a word per frame; settings that are empty are left out."""
    warnings: tuple[str, ...]
    problems: tuple[Problem, ...]
    """What is wrong; the schedules concerned are missing then."""


def evaluate(settings: Settings, context: Context, clamped: Collection[str] = ()) -> Curves:
    """Evaluate every schedule. `clamped` names those that another dialect brings into their range; all
    others outside it are problems."""
    numbers: dict[str, Numbers] = {}
    words: dict[str, tuple[str, ...]] = {}
    warnings: list[str] = []
    problems: list[Problem] = []
    for name, spec in specs(type(settings)).items():
        text = getattr(settings, name)
        if not isinstance(spec, Schedule) or not text:
            continue
        try:
            if isinstance(spec, Words):
                words[name] = word_curve(text, name, settings.dialect, context)
            else:
                values, sentences = number_curve(
                    text, name, spec, settings.dialect, context, clamp=name in clamped
                )
                numbers[name] = values
                warnings.extend(sentences)
        except FlipbookError as error:
            problems.extend(error.problems)
    return Curves(numbers=numbers, words=words, warnings=tuple(warnings), problems=tuple(problems))


def word_curve(text: str, name: str, dialect: Dialect, context: Context) -> tuple[str, ...]:
    """A schedule of words, or one plain word, as a word per frame. Raises FlipbookError."""
    if ":" not in text:
        return (text,) * context.frames
    return tuple(parse_schedule(text, field=name, strings=True, dialect=dialect).texts(context))


def number_curve(
    text: str | float, name: str, spec: Schedule, dialect: Dialect, context: Context, clamp: bool = False
) -> tuple[Numbers, list[str]]:
    """(a number per frame within the spec's bounds, warnings). Raises FlipbookError under `name`."""
    schedule = parse_schedule(text, field=name, dialect=dialect)
    values, warnings = schedule.numbers(context), list(schedule.warnings(context))
    if spec.whole:
        values = np.trunc(values)
    low = -math.inf if spec.low is None else spec.low
    high = math.inf if spec.high is None else spec.high
    outside = np.flatnonzero((values < low) | (values > high))
    if outside.size and dialect != NATIVE and clamp:
        values = np.clip(values, low, high)
        share = f"{outside.size} of {context.frames} frames"
        warnings.append(f"{name}: {share} were outside {low:g} to {high:g} and set to the nearest")
    elif outside.size:
        frame = int(outside[0])
        sentence = f"{values[frame]:g} at frame {frame} is not allowed; it takes {spec.allowed()}"
        raise FlipbookError(Problem(sentence, field=name, code="schedule.out_of_range"))
    return values, warnings


def spelled(words: Mapping[str, tuple[str, ...]], capabilities: Capabilities) -> dict[str, tuple[str, ...]]:
    """Samplers and schedulers as the engine spells them: people write "euler a" too."""
    found = dict(words)
    for name, have in (("sampler", capabilities.samplers), ("scheduler", capabilities.schedulers)):
        own = {word.lower(): word for word in have}
        found[name] = tuple(own.get(word.lower(), word) for word in words[name])
    return found


def unknown_scripts(scripts: Scripts, capabilities: Capabilities) -> Iterable[Problem]:
    """Scripts that this engine does not have, and models of ControlNet that are not there."""
    for title in unknown_titles(scripts, capabilities):
        have = f"it has {', '.join(capabilities.scripts)}" if capabilities.scripts else "it has none"
        yield Problem(
            f'"{title}" is not a script of this engine; {have}', field="scripts", code="engine.unknown_script"
        )
    yield from missing_models(scripts, capabilities)
