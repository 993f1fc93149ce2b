"""The command line: `python -m lib_anim`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from lib_anim import __version__
from lib_anim.app import commands
from lib_anim.app.flags import add_attention_flag
from lib_anim.app.serve import add_flags as add_serve_flags
from lib_anim.app.serve import add_page_flags, serve, show
from lib_anim.errors import FlipbookError, Problem
from lib_anim.kinds.assemble.settings import Assemble
from lib_anim.kinds.registry import SETTINGS
from lib_anim.settings.flags import add_flags

WRONG_INPUT = 2
"""Exit code for what the user can put right."""


class _Parser(argparse.ArgumentParser):
    """An argument parser whose mistakes are FlipbookErrors like all others."""

    def error(self, message: str) -> NoReturn:
        raise FlipbookError(
            Problem(f"{message}; `{self.prog} --help` lists the options", code="command.usage")
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code: 0, 2 for wrong input, 130 after an interrupt."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        options = make_parser().parse_args(given)
        return int(options.run(options))
    except FlipbookError as error:
        print(error, file=sys.stderr)
        if "--json" in given:
            print(json.dumps(error.as_json(), ensure_ascii=False))
        return WRONG_INPUT
    except KeyboardInterrupt:
        return commands.INTERRUPTED


def make_parser() -> argparse.ArgumentParser:
    """The parser of all commands and their options."""
    parser = _Parser(
        prog="python -m lib_anim", description="Flipbook: one timeline for every way of animating."
    )
    parser.add_argument("--version", action="version", version=__version__)
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(name: str, run: Callable[[argparse.Namespace], int], help: str) -> argparse.ArgumentParser:
        sub = subparsers.add_parser(name, help=help, description=help, allow_abbrev=False)
        sub.set_defaults(run=run)
        sub.add_argument("--json", action="store_true", help="print the result as JSON on the last line")
        return sub

    _films(command)
    sub = command("demo", commands.demo, "Put the demo checkpoint into a WebUI.")
    sub.add_argument("--install", type=Path, required=True, metavar="WEBUI", help="the WebUI's folder")
    _queries(command)
    _assembling(command)
    sub = command("serve", serve, "Serve the HTTP API.")
    add_serve_flags(sub)
    sub = command("ui", show, "Serve the Animation tab as a page, and the HTTP API, on this machine.")
    add_page_flags(sub)
    return parser


Command = Callable[[str, Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]


def _films(command: Command) -> None:
    sub = command("render", commands.render, "Render a film from a settings file.")
    sub.add_argument(
        "file",
        type=Path,
        metavar="FILE",
        help="settings: Flipbook's JSON, a Deforum file, or mov2mov's parameters as JSON",
    )
    sub.add_argument("--engine", default="demo", help="demo, checker, or a .safetensors checkpoint (demo)")
    sub.add_argument(
        "--out", type=Path, default=Path("out"), metavar="DIR", help="folder of the run folders (out)"
    )
    _with_set(sub)
    draft = sub.add_argument_group("draft: part of the film, to check it before the full render")
    draft.add_argument("--every", type=int, default=1, metavar="N", help="render and keep every N-th frame")
    draft.add_argument("--half", action="store_true", help="render at half the width and height")
    draft.add_argument(
        "--only",
        type=int,
        metavar="FRAME",
        help="keep one frame; in 2D the frames before it are rendered too",
    )
    sub.add_argument("--label", default="", metavar="TEXT", help="a name for the run, shown in lists of runs")
    add_attention_flag(sub)
    sub = command("resume", commands.resume, "Resume an interrupted render.")
    sub.add_argument("run_folder", type=Path, metavar="RUN", help="its run folder")
    add_attention_flag(sub)
    sub = command("rerender", commands.rerender, "Re-render a range of frames with changed settings.")
    sub.add_argument("run_folder", type=Path, metavar="RUN", help="its run folder")
    sub.add_argument("--from", dest="first", type=int, required=True, metavar="A", help="the first frame")
    sub.add_argument("--to", dest="last", type=int, required=True, metavar="B", help="the last frame")
    _with_set(sub)
    add_attention_flag(sub)
    sub = command(
        "preview", commands.preview, "Show a film's camera motion on a checkerboard, without an engine."
    )
    sub.add_argument("file", type=Path, metavar="FILE")
    sub.add_argument("--out", type=Path, required=True, metavar="FILM", help="an .mp4 file")
    _with_set(sub)


def _queries(command: Command) -> None:
    sub = command("schedule", commands.schedule, "Print a schedule's value at every frame.")
    sub.add_argument("text", metavar="TEXT", help='such as "0:(0), 30:(sin(t/10))"')
    _with_context(sub)
    sub = command("prompts", commands.prompts, "Print the prompt of every frame.")
    sub.add_argument("file", type=Path, metavar="FILE", help="settings, a JSON object of prompts, or lines")
    _with_context(sub)
    sub = command("inspect", commands.inspect, "Identify a file: film, pictures, settings, weights.")
    sub.add_argument("file", type=Path, metavar="FILE")
    sub = command("schema", commands.schema, "Print the JSON Schema of a kind's settings.")
    sub.add_argument("kind", metavar="KIND", help=", ".join(SETTINGS))
    sub = command("reference", commands.reference, "Write the reference pages of all settings.")
    sub.add_argument("folder", type=Path, metavar="FOLDER")
    sub.add_argument("--check", action="store_true", help="write nothing; fail when a page is outdated")


def _assembling(command: Command) -> None:
    sub = command("assemble", commands.assemble, "Assemble a film from existing frames.")
    sub.add_argument("source", type=Path, metavar="SOURCE", help="a film, a run folder, a folder of pictures")
    sub.add_argument("--out", type=Path, required=True, metavar="FILM", help="its ending chooses the format")
    add_flags(sub, Assemble, without=("source",))


def _with_set(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="replace a setting")
    sub.add_argument(
        "--part",
        metavar="PART=FILE",
        action="append",
        default=[],
        help="take motion, prompts or output from another file",
    )


def _with_context(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--frames", required=True, metavar="N")
    sub.add_argument("--seed", default="0")
    sub.add_argument("--fps", default="15", help="such as 24, 29.97 or 30000/1001 (15)")
    sub.add_argument("--bpm", default="120")
    sub.add_argument("--width", default="512")
    sub.add_argument("--height", default="512")
