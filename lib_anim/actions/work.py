"""What the worker does with a job of each kind."""

from __future__ import annotations

import secrets
from pathlib import Path

from lib_anim.actions.assembly import assemble_run
from lib_anim.actions.engines import Engines
from lib_anim.actions.films import engine_of, find_kind
from lib_anim.actions.settings_files import Loaded, settings_from, settings_of
from lib_anim.engines.contract.engine import Interrupted
from lib_anim.jobs.queue.worker import Leased, Work
from lib_anim.jobs.run.folder import RunFolder
from lib_anim.jobs.run.rerender import rerender
from lib_anim.jobs.run.runner import Result, render, reopen, start
from lib_anim.kinds.assemble.settings import Assemble
from lib_anim.kinds.draft import Trial
from lib_anim.kinds.events import Event
from lib_anim.settings.base import from_json


def worker_of(engines: Engines, runs: Path) -> Work:
    """The work of a process that paints with `engines` into run folders under `runs`."""

    def work(leased: Leased) -> None:
        if leased.record.kind == Assemble.kind:
            _assemble(leased, runs)
        else:
            leased.phase("loading")
            _paint(leased, engines, runs)

    return work


def _assemble(leased: Leased, runs: Path) -> None:
    """An interrupted assembly is begun anew: it paints nothing, so little is lost."""
    settings, _ = from_json(settings_of(leased.record.kind), leased.record.settings)

    def listen(event: Event) -> None:
        leased.hear(event)
        if leased.stopping():
            raise Interrupted

    try:
        done, run = assemble_run(Loaded(settings=settings, warnings=()), runs, listen)
    except Interrupted:
        leased.ended(False, {})
        return
    leased.began(run, done.frames)
    leased.ended(True, {"film": done.film.name})


def _paint(leased: Leased, engines: Engines, runs: Path) -> None:
    record = leased.record
    # A run says by what exactly its engine is opened: a host's engine also by its checkpoint of that time.
    engine = engines.open(record.engine if record.folder is None else engine_of(record.folder))
    opened_as = getattr(engine, "opened_as", record.engine)
    kind = find_kind(record.kind)
    settings, _ = from_json(kind.settings, record.settings)
    hear, on_step, stop = leased.hear, leased.on_step, leased.stopping
    part = record.task.get("part")
    if record.folder is None:
        trial = Trial(**record.task.get("trial", {}))
        seed = secrets.randbelow(2**32)
        folder, plan = start(kind, settings, engine, opened_as, runs, seed, record.warnings, trial)
        leased.began(folder.path, plan.frames)
        result = render(kind, plan, engine, folder, hear, on_step, stop)
    elif part is not None and not _listed(record.folder, part):
        folder = RunFolder.open(record.folder)
        changed = settings_from(folder.manifest()["settings"], part["changes"]).settings
        seed = secrets.randbelow(2**32)
        leased.began(folder.path, int(folder.manifest()["frames"]))
        result = rerender(
            kind, changed, part["first"], part["last"], engine, folder, seed, hear, on_step, stop
        )
    else:
        folder = RunFolder.open(record.folder)
        plan = reopen(kind, folder, engine)
        leased.began(folder.path, plan.frames)
        result = render(kind, plan, engine, folder, hear, on_step, stop)
    leased.ended(result.finished, _outputs(result))


def _listed(run: Path, part: dict[str, object]) -> bool:
    """Whether a part was begun: then it is in the manifest, and going on finishes it."""
    listed = RunFolder.open(run).manifest().get("parts", [])
    pending = listed[-1] if listed else None
    return (
        pending is not None
        and not pending["done"]
        and (pending["first"], pending["last"]) == (part["first"], part["last"])
    )


def _outputs(result: Result) -> dict[str, str]:
    files = {"film": result.film, "sheet": result.sheet}
    return {name: path.name for name, path in files.items() if path is not None}
