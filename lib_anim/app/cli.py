"""The command line: `python -m lib_anim`."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any, NoReturn

from lib_anim import __version__
from lib_anim.actions import films, schedules
from lib_anim.actions.preview import preview
from lib_anim.actions.settings_files import Loaded, find_kind, load_settings
from lib_anim.app.engines import open_engine
from lib_anim.app.progress import ProgressBar
from lib_anim.errors import FlipbookError, Problem
from lib_anim.jobs.job import Result
from lib_anim.pipelines.kinds import KINDS
from lib_anim.settings.base import json_schema
from lib_anim.settings.flags import parse_changes
from lib_anim.settings.reference import write_reference
from lib_anim.timeline.context import Context

WRONG_INPUT = 2
"""Exit code for what the user can put right."""
INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


class _Parser(argparse.ArgumentParser):
    """An argument parser whose mistakes are FlipbookErrors like all others."""

    def error(self, message: str) -> NoReturn:
        raise FlipbookError(Problem(f"{message}; `python -m lib_anim {self._command()}--help` shows the way"))

    def _command(self) -> str:
        name = self.prog.rsplit(" ", 1)[-1]
        return "" if name.startswith("lib_anim") else f"{name} "


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code: 0, 2 for wrong input, 130 after an interrupt."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        options = _parser().parse_args(given)
        return int(options.run(options))
    except FlipbookError as error:
        print(error, file=sys.stderr)
        if "--json" in given:
            print(json.dumps(error.as_json(), ensure_ascii=False))
        return WRONG_INPUT
    except KeyboardInterrupt:
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="lib_anim", description="Flipbook: one timeline for every way of animating.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(title="commands", required=True, parser_class=_Parser)

    def command(name: str, run: Callable[[argparse.Namespace], int], help: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=help, description=help)
        sub.set_defaults(run=run)
        return sub

    def with_set(sub: argparse.ArgumentParser) -> None:
        sub.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="replace a setting")

    def with_json(sub: argparse.ArgumentParser) -> None:
        sub.add_argument("--json", action="store_true", help="print the result as JSON on the last line")

    sub = command("render", _render, "Make a film from a settings file.")
    sub.add_argument("file", type=Path, metavar="FILE", help="settings: Flipbook's JSON or a Deforum file")
    sub.add_argument("--engine", default="demo", help="demo, checker, or a .safetensors checkpoint (demo)")
    sub.add_argument(
        "--out", type=Path, default=Path("out"), metavar="DIR", help="where run folders go (out)"
    )
    with_set(sub)
    with_json(sub)

    sub = command("resume", _resume, "Go on with an interrupted film.")
    sub.add_argument("run_folder", type=Path, metavar="RUN", help="its run folder")
    with_json(sub)

    sub = command("schedule", _schedule, "Show a schedule's value at every frame.")
    sub.add_argument("text", metavar="TEXT", help='such as "0:(0), 30:(sin(t/10))"')
    _with_context(sub)
    with_json(sub)

    sub = command("prompts", _prompts, "Show the prompt of every frame.")
    sub.add_argument("file", type=Path, metavar="FILE", help="settings, a JSON object of prompts, or lines")
    _with_context(sub)
    with_json(sub)

    sub = command("preview", _preview, "Show a film's motion on a checkerboard, without an engine.")
    sub.add_argument("file", type=Path, metavar="FILE")
    sub.add_argument("--out", type=Path, required=True, metavar="FILM", help="an .mp4 file")
    with_set(sub)
    with_json(sub)

    sub = command("schema", _schema, "Print the JSON Schema of a kind's settings.")
    sub.add_argument("kind", metavar="KIND", help=", ".join(KINDS))

    sub = command("reference", _reference, "Write the reference pages of all settings.")
    sub.add_argument("folder", type=Path)
    sub.add_argument("--check", action="store_true", help="write nothing; fail when a page is stale")
    return parser


def _with_context(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--frames", type=int, required=True, metavar="N")
    sub.add_argument("--seed", type=int, default=0)
    sub.add_argument("--fps", default="15", help="such as 24, 29.97 or 30000/1001 (15)")
    sub.add_argument("--bpm", type=float, default=120.0)
    sub.add_argument("--width", type=int, default=512)
    sub.add_argument("--height", type=int, default=512)


def _context(options: argparse.Namespace) -> Context:
    """The flags as a timeline context, checked by the settings' own definitions."""
    names = ("frames", "seed", "fps", "bpm")
    checked = find_kind("keyframed").settings().changed({name: getattr(options, name) for name in names})
    rate = checked.values()["fps"]
    assert isinstance(rate, Fraction)
    for name in ("width", "height"):
        if getattr(options, name) < 1:
            raise FlipbookError(
                Problem(f"{getattr(options, name)} is not allowed; it takes 1 or more", field=name)
            )
    return Context(
        frames=options.frames,
        seed=options.seed,
        fps=rate,
        bpm=options.bpm,
        width=options.width,
        height=options.height,
    )


def _load(options: argparse.Namespace) -> Loaded:
    return load_settings(options.file, parse_changes(options.set))


def _render(options: argparse.Namespace) -> int:
    loaded = _load(options)
    engine, opened_as = open_engine(options.engine)
    with ProgressBar() as bar, _stop_on_interrupt() as stop:
        result = films.submit(loaded, engine, opened_as, options.out, bar.hear, stop=stop)
    return _report(result, options.json)


def _resume(options: argparse.Namespace) -> int:
    engine, _ = open_engine(films.engine_of(options.run_folder))
    with ProgressBar() as bar, _stop_on_interrupt() as stop:
        result = films.resume(options.run_folder, engine, bar.hear, stop=stop)
    return _report(result, options.json)


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
    return 0 if result.finished else INTERRUPTED


def _schedule(options: argparse.Namespace) -> int:
    values, warnings = schedules.values(options.text, _context(options))
    return _table(options.json, "values", values, [str(value) for value in values], warnings)


def _prompts(options: argparse.Namespace) -> int:
    found, warnings = schedules.prompts(options.file, _context(options))
    frames = [{"positive": prompt.positive, "negative": prompt.negative} for prompt in found]
    lines = [f"{p.positive} --neg {p.negative}" if p.negative else p.positive for p in found]
    return _table(options.json, "frames", frames, lines, warnings)


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


def _preview(options: argparse.Namespace) -> int:
    with ProgressBar() as bar:
        plan = preview(_load(options), options.out, bar.hear)
    film = str(options.out.absolute())
    print(json.dumps({"film": film, "frames": plan.frames}) if options.json else f"film   {film}")
    return 0


def _schema(options: argparse.Namespace) -> int:
    print(json.dumps(json_schema(find_kind(options.kind).settings), indent=2, ensure_ascii=False))
    return 0


def _reference(options: argparse.Namespace) -> int:
    for path in write_reference(options.folder, {name: kind.settings for name, kind in KINDS.items()}):
        print(path)
    return 0
