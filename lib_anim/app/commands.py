"""The commands: call the actions, print the results."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from lib_anim.actions import schedules
from lib_anim.actions.assembly import assemble as assemble_film
from lib_anim.actions.execute import Callbacks, execute, render_spec, rerender_spec, resume_spec
from lib_anim.actions.inspection import inspect as inspect_file
from lib_anim.actions.preview import preview as preview_film
from lib_anim.actions.reference import stale_pages, write_reference
from lib_anim.actions.settings_files import Loaded, load_settings, settings_of
from lib_anim.app.demo import install_demo
from lib_anim.app.engines import open_engine, stable_name
from lib_anim.app.progress import ProgressBar
from lib_anim.errors import FlipbookError, Problem
from lib_anim.jobs.run.runner import Result
from lib_anim.jobs.spec import JobSpec
from lib_anim.kinds.assemble.settings import Assemble
from lib_anim.kinds.draft import DraftOptions
from lib_anim.kinds.keyframed.settings import Keyframed
from lib_anim.kinds.registry import SETTINGS
from lib_anim.settings.base import json_schema
from lib_anim.settings.flags import flag_changes, parse_changes
from lib_anim.settings.parts import PARTS
from lib_anim.timeline.context import Context
from lib_anim.ui import localization

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""

STALE = 1
"""Exit code of `reference --check` when a page is outdated."""


def render(options: argparse.Namespace) -> int:
    """`render FILE`."""
    loaded = _load(options)
    draft = DraftOptions(every=options.every, half=options.half, only=options.only)
    spec = render_spec(loaded, stable_name(options.engine), draft, options.label)
    return _execute(spec, options.out, options)


def resume(options: argparse.Namespace) -> int:
    """`resume RUN`."""
    return _execute(resume_spec(options.run_folder), options.run_folder, options)


def rerender(options: argparse.Namespace) -> int:
    """`rerender RUN --from A --to B`."""
    changes = parse_changes(options.set)
    spec = rerender_spec(options.run_folder, options.first, options.last, changes)
    return _execute(spec, options.run_folder, options)


def _execute(spec: JobSpec, out: Path, options: argparse.Namespace) -> int:
    opener = partial(open_engine, attention=options.attention)
    with ProgressBar() as bar, _stop_on_interrupt() as stop:
        result = execute(spec, opener, out, Callbacks(hear=bar.hear, stop=stop))
    return _report(result, options.json)


def preview(options: argparse.Namespace) -> int:
    """`preview FILE --out FILM`."""
    with ProgressBar() as bar:
        plan = preview_film(_load(options), options.out, bar.hear)
    film = str(options.out.absolute())
    print(json.dumps({"film": film, "frames": plan.frames}) if options.json else f"film   {film}")
    return 0


def demo(options: argparse.Namespace) -> int:
    """`demo --install WEBUI`."""
    checkpoint, module = map(str, install_demo(options.install))
    if options.json:
        print(json.dumps({"checkpoint": checkpoint, "motion_module": module}))
    else:
        print(f"checkpoint      {checkpoint}\nmotion module   {module}")
    return 0


def assemble(options: argparse.Namespace) -> int:
    """`assemble SOURCE --out FILM`."""
    settings = replace(Assemble(), **flag_changes(options, Assemble), source=str(options.source.absolute()))
    with ProgressBar() as bar:
        done = assemble_film(settings, options.out, bar.hear)
    facts = {
        "film": str(done.film),
        "frames": done.frames,
        "rate": str(done.rate),
        "warnings": list(done.warnings),
    }
    print(json.dumps(facts, ensure_ascii=False) if options.json else f"film   {done.film}")
    return 0


def schedule(options: argparse.Namespace) -> int:
    """`schedule TEXT --frames N`."""
    values, warnings = schedules.values(options.text, _context(options))
    return _table(options.json, "values", values, [str(value) for value in values], warnings)


def prompts(options: argparse.Namespace) -> int:
    """`prompts FILE --frames N`."""
    found, warnings = schedules.prompts(options.file, _context(options))
    frames = [{"positive": prompt.positive, "negative": prompt.negative} for prompt in found]
    lines = [f"{p.positive} --neg {p.negative}" if p.negative else p.positive for p in found]
    return _table(options.json, "frames", frames, lines, warnings)


def inspect(options: argparse.Namespace) -> int:
    """`inspect FILE`."""
    facts = inspect_file(options.file)
    if options.json:
        print(json.dumps(facts, ensure_ascii=False))
    else:
        print(
            "\n".join(f"{name:10s} {value}" for name, value in facts.items() if value not in (None, "", []))
        )
    return 0


def schema(options: argparse.Namespace) -> int:
    """`schema KIND`."""
    print(json.dumps(json_schema(settings_of(options.kind)), indent=2, ensure_ascii=False))
    return 0


def reference(options: argparse.Namespace) -> int:
    """`reference FOLDER`."""
    pages = (stale_pages if options.check else write_reference)(options.folder, SETTINGS)
    pages += (localization.stale if options.check else localization.write)(options.folder)
    for path in pages:
        print(f"stale: {path}; run `make docs`" if options.check else path)
    return STALE if options.check and pages else 0


def _load(options: argparse.Namespace) -> Loaded:
    parts = {}
    for pair in options.part:
        part, equals, path = pair.partition("=")
        if not equals or part not in PARTS:
            sentence = f'"{pair}" is not PART=FILE with a part of {", ".join(PARTS)}'
            raise FlipbookError(Problem(sentence, field="--part", code="settings.unknown_part"))
        parts[part] = Path(path)
    return load_settings(options.file, parse_changes(options.set), parts)


def _context(options: argparse.Namespace) -> Context:
    """The flags as a timeline context, checked by the settings' own definitions where those fit."""
    names = ("frames", "seed", "fps", "bpm")
    checked = Keyframed().changed({name: getattr(options, name) for name in names})
    return Context(
        frames=checked.frames,
        fps=checked.fps,
        seed=checked.seed,
        bpm=checked.bpm,
        width=_side("width", options.width),
        height=_side("height", options.height),
    )


def _side(name: str, text: str) -> int:
    # A schedule may be tried for a size that no engine paints, so the settings' multiples do not apply.
    if not text.isdecimal() or not int(text):
        raise FlipbookError(
            Problem(
                f'"{text}" is not allowed; it takes an integer, 1 or more', field=name, code="request.invalid"
            )
        )
    return int(text)


@contextmanager
def _stop_on_interrupt() -> Iterator[Callable[[], bool]]:
    """Ctrl-C once: end after this frame, with a film. Twice: end now; the run folder can be resumed."""
    asked: list[int] = []

    def ask(number: int, frame: Any) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)
        print("\nending after this frame; once more to end now", file=sys.stderr)

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGINT, before)


def _python() -> str:
    """The running Python as one would type it here: relative where it lies below the current folder."""
    running, here = Path(sys.executable), Path.cwd()
    # A bare name would be looked for on the path.
    below = running.is_relative_to(here) and running.parent != here
    return str(running.relative_to(here) if below else running)


def _report(result: Result, as_json: bool) -> int:
    if as_json:
        facts = {
            "film": result.film and str(result.film),
            "run": str(result.run),
            "frames": result.frames,
            "warnings": list(result.warnings),
        }
        print(json.dumps(facts, ensure_ascii=False))
    else:
        print(f"film   {result.film}\nsheet  {result.sheet}\nrun    {result.run}")
        # Once more, since a progress bar has scrolled them away.
        for sentence in result.warnings:
            print(f"warning: {sentence}", file=sys.stderr)
        if not result.finished:
            way = f'go on with: {_python()} -m lib_anim resume "{result.run}"'
            print(f"stopped after {result.frames} frames; {way}", file=sys.stderr)
    return 0 if result.finished else INTERRUPTED


def _table(
    as_json: bool, name: str, rows: Sequence[Any], lines: Sequence[str], warnings: Sequence[str]
) -> int:
    for sentence in warnings:
        print(f"warning: {sentence}", file=sys.stderr)
    if as_json:
        print(json.dumps({name: rows}, ensure_ascii=False))
    else:
        print("\n".join(f"{index:6d}  {line}" for index, line in enumerate(lines)))
    return 0
