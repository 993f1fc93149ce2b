"""Schedules and prompts as values per frame, for graphs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lib_anim.actions.settings_files import settings_of
from lib_anim.errors import FlipbookError, Problem
from lib_anim.settings.base import specs
from lib_anim.settings.fields import DIALECTS, NATIVE, Number, Rate, Schedule, Spec, Words, problems_of
from lib_anim.timeline.context import Context
from lib_anim.timeline.items import Dialect
from lib_anim.timeline.prompts import FramePrompt, parse_prompts
from lib_anim.timeline.schedule import parse_schedule

MOST_SCHEDULES = 200
MOST_VALUES = 1_000_000
"""Schedules times frames of one request: a graph of more is not a graph."""


def _whole(low: int, high: int) -> Number:
    return Number(label="", help="", whole=True, low=low, high=high)


_CONTEXT: dict[str, tuple[Any, Spec]] = {
    "frames": (None, _whole(1, MOST_VALUES)),
    "fps": (15, Rate(label="", help="")),
    "seed": (0, _whole(-1, 2**32 - 1)),
    "width": (512, _whole(1, 65_536)),
    "height": (512, _whole(1, 65_536)),
    "bpm": (120, Number(label="", help="", low=1, high=1000)),
    "cadence": (1, _whole(1, 1_000)),
}
"""Name → (default, what it takes)."""


def curves(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The values of schedules at every frame, and a sentence for each schedule that is wrong.

    `asked` has `schedules` (name → text or number), `frames`, and maybe `fps`, `seed`, `width`, `height`,
    `bpm`, `cadence`, `dialect`, `signals` (name → a number per frame), and `kind`, whose settings' bounds
    then hold for schedules of their names.
    Returns `{"curves": {name: [number or word, …]}, "errors": {name: sentence}, "problems": {name: […]},
    "warnings": [sentence, …]}`. Raises FlipbookError when it is the question that is wrong.
    """
    schedules = asked.get("schedules")
    if not isinstance(schedules, Mapping):
        raise FlipbookError(
            Problem(
                "is missing; give an object of schedules by name", field="schedules", code="request.invalid"
            )
        )
    known: Mapping[str, Spec] = specs(settings_of(asked["kind"])) if asked.get("kind") else {}
    dialect = _dialect(asked)
    context = context_of(asked, ("schedules", "kind"))
    if len(schedules) > MOST_SCHEDULES or len(schedules) * context.frames > MOST_VALUES:
        sentence = f"{len(schedules)} schedules of {context.frames} frames are too many at once; ask in parts"
        raise FlipbookError(Problem(sentence, field="schedules", code="request.too_many"))
    found: dict[str, Any] = {}
    wrong: dict[str, FlipbookError] = {}
    warnings: list[str] = []
    for name, text in schedules.items():
        try:
            values, sentences = _values(name, text, known.get(name), dialect, context)
            found[name] = values
            warnings += sentences
        except FlipbookError as error:
            wrong[name] = error
    return {
        "curves": found,
        "errors": {n: " ".join(p.sentence for p in error.problems) for n, error in wrong.items()},
        "problems": {n: [p.as_json() for p in error.problems] for n, error in wrong.items()},
        "warnings": warnings,
    }


def _values(
    name: str, text: Any, spec: Spec | None, dialect: Dialect, context: Context
) -> tuple[list[float] | list[str], tuple[str, ...]]:
    if isinstance(spec, Schedule):
        text, problems = problems_of(spec, name, text, dialect)
        if problems:
            raise FlipbookError(*problems)
        if text == "":
            return [], ()
        if isinstance(spec, Words):
            if ":" not in text:
                return [text] * context.frames, ()
            return parse_schedule(text, field=name, strings=True, dialect=dialect).texts(context), ()
    try:
        schedule = parse_schedule(text, field=name, dialect=dialect)
    except FlipbookError as as_numbers:
        try:
            return parse_schedule(text, field=name, strings=True, dialect=dialect).texts(context), ()
        except FlipbookError:
            raise as_numbers from None
    values = schedule.numbers(context)
    if isinstance(spec, Schedule):
        _check_bounds(name, values, spec)
        values = np.trunc(values) if spec.whole else values
    # Asking for warnings evaluates once more, and natively there are none: what is odd is an error.
    return values.tolist(), () if dialect == NATIVE else schedule.warnings(context)


def _check_bounds(name: str, values: np.ndarray[Any, Any], spec: Schedule) -> None:
    low = -np.inf if spec.low is None else spec.low
    high = np.inf if spec.high is None else spec.high
    outside = np.flatnonzero((values < low) | (values > high))
    if outside.size:
        frame = int(outside[0])
        sentence = f"{values[frame]:g} at frame {frame} is not allowed; it takes {spec.allowed()}"
        raise FlipbookError(Problem(sentence, field=name, code="schedule.out_of_range"))


def prompts(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The prompts of a film as spans of frames that show the same.

    `asked` has `prompts` in any of the language's forms, `frames`, and what `curves` takes besides.
    Returns `{"spans": [{"first", "last", "positive", "negative"}, …], "keyframes": [frame, …],
    "warnings": […]}`; keys beyond the film's end are among `keyframes`. Raises FlipbookError.
    """
    context = context_of(asked, ("prompts",))
    source = asked.get("prompts")
    if not isinstance(source, str | Mapping):
        raise FlipbookError(
            Problem(
                "is missing; give a text or an object of prompts by key",
                field="prompts",
                code="request.invalid",
            )
        )
    if isinstance(source, Mapping) and not all(isinstance(key, str) for key in source):
        raise FlipbookError(
            Problem("has a key that is not a string", field="prompts", code="request.invalid")
        )
    track = parse_prompts(source, dialect=_dialect(asked))
    return {
        "spans": _spans(track.frames(context)),
        "keyframes": [keyframe.frame for keyframe in track.keyframes(context)],
        "warnings": list(track.warnings(context)),
    }


def _spans(frames: list[FramePrompt]) -> list[dict[str, Any]]:
    spans: list[dict[str, Any]] = []
    for index, prompt in enumerate(frames):
        text = {"positive": prompt.positive, "negative": prompt.negative}
        if spans and {name: spans[-1][name] for name in text} == text:
            spans[-1]["last"] = index
        else:
            spans.append({"first": index, "last": index, **text})
    return spans


def _dialect(asked: Mapping[str, Any]) -> Dialect:
    dialect = asked.get("dialect", NATIVE)
    for known in DIALECTS:
        if dialect == known:
            return known
    raise FlipbookError(
        Problem(f"it takes {' or '.join(DIALECTS)}", field="dialect", code="value.not_allowed")
    )


def context_of(asked: Mapping[str, Any], others: tuple[str, ...] = ()) -> Context:
    """The film that a query is about; `others` names further fields it may hold. Raises all problems."""
    unknown = [name for name in asked if name not in (*_CONTEXT, *others, "dialect", "signals")]
    problems = [
        Problem(
            f"there is no such field; there are {', '.join((*others, *_CONTEXT))}",
            field=str(name),
            code="request.unknown_field",
        )
        for name in unknown
    ]
    values: dict[str, Any] = {}
    for name, (default, spec) in _CONTEXT.items():
        given = asked.get(name, default)
        values[name], wrong = problems_of(spec, name, given)
        problems += wrong
    if problems:
        raise FlipbookError(*problems)
    # -1 leaves the seed to be drawn when the film is rendered; until then schedules are shown for 0.
    values["seed"] = max(values["seed"], 0)
    return Context(**values, signals=_signals(asked.get("signals", {})))


def _signals(given: Any) -> dict[str, np.ndarray[Any, Any]]:
    """Signals of a query: name → one number per frame. Raises FlipbookError for anything else."""
    numbers = isinstance(given, Mapping) and all(
        isinstance(values, list)
        and all(isinstance(one, int | float) and not isinstance(one, bool) for one in values)
        for values in given.values()
    )
    if not numbers:
        sentence = "must be an object of lists of numbers, one number per frame"
        raise FlipbookError(Problem(sentence, field="signals", code="signals.not_numbers"))
    return {str(name): np.array(values, np.float64) for name, values in given.items()}
