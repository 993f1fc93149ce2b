"""Execute a job: the same function for the command line and the queue's worker."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lib_anim.actions.assembly import assemble_run
from lib_anim.actions.settings_files import Loaded, settings_from, settings_of
from lib_anim.engines.contract.engine import Engine, Interrupted, OnStep
from lib_anim.jobs.run.folder import RunFolder
from lib_anim.jobs.run.rerender import rerender
from lib_anim.jobs.run.runner import Listener, Result, render
from lib_anim.jobs.run.start import reopen, start
from lib_anim.jobs.spec import JobSpec, PartSpec
from lib_anim.kinds.base import PaintedKind
from lib_anim.kinds.draft import WHOLE, DraftOptions
from lib_anim.kinds.events import Event
from lib_anim.kinds.registry import find_kind
from lib_anim.settings.base import from_json, to_json


@dataclass(frozen=True, kw_only=True)
class Callbacks:
    """What the caller wants to hear and to decide while a job runs."""

    hear: Listener
    stop: Callable[[], bool] = lambda: False
    """Asked after every frame: true ends the job there, resumable."""
    on_step: OnStep | None = None
    began: Callable[[Path, int], None] = lambda run, frames: None
    """Called with the run folder and the number of frames, before the first frame."""


def execute(spec: JobSpec, open_engine: Callable[[str], Engine], runs: Path, callbacks: Callbacks) -> Result:
    """Render, re-render, resume or assemble, in a run folder under `runs`. Raises FlipbookError.

    Nothing is written when the settings are wrong. `open_engine` gets the engine's name: the spec's, or that
    of the engine that an existing run was rendered with.
    """
    kind = find_kind(spec.kind)
    if not isinstance(kind, PaintedKind):
        return _assemble(spec, runs, callbacks)
    engine = open_engine(spec.engine if spec.run is None else engine_of(spec.run))
    seed = secrets.randbelow(2**32)
    hear, on_step, stop = callbacks.hear, callbacks.on_step, callbacks.stop
    if spec.run is None:
        settings, _ = from_json(kind.settings, spec.settings)
        opened_as = getattr(engine, "opened_as", spec.engine)
        folder, plan = start(
            kind, settings, engine, opened_as, runs, seed, spec.warnings, spec.draft, spec.label
        )
    else:
        folder = RunFolder.open(spec.run)
        if spec.part is not None and not _is_listed(folder, spec.part):
            manifest = folder.manifest()
            changed = settings_from(manifest["settings"], spec.part.changes).settings
            callbacks.began(folder.path, int(manifest["frames"]))
            first, last = spec.part.first, spec.part.last
            return rerender(kind, changed, first, last, engine, folder, seed, hear, on_step, stop)
        plan = reopen(kind, folder, engine)
    callbacks.began(folder.path, plan.frames)
    return render(kind, plan, engine, folder, hear, on_step, stop)


def engine_of(run: Path) -> str:
    """The name that the engine of a run is opened by."""
    return str(RunFolder.open(run).manifest()["engine"]["opened_as"])


def render_spec(loaded: Loaded, engine: str, draft: DraftOptions = WHOLE, label: str = "") -> JobSpec:
    """The spec that renders loaded settings."""
    kind = loaded.settings.kind
    return JobSpec(
        kind=kind,
        settings=to_json(loaded.settings),
        engine=engine if isinstance(find_kind(kind), PaintedKind) else "",
        draft=draft,
        label=label,
        warnings=loaded.warnings,
    )


def resume_spec(run: Path) -> JobSpec:
    """The spec that continues an interrupted run."""
    manifest = RunFolder.open(run).manifest()
    return JobSpec(kind=manifest["kind"], settings=manifest["settings"], run=run)


def rerender_spec(run: Path, first: int, last: int, changes: Mapping[str, object]) -> JobSpec:
    """The spec that renders frames `first` to `last` of a run again with changed settings."""
    manifest = RunFolder.open(run).manifest()
    part = PartSpec(first=first, last=last, changes=changes)
    return JobSpec(kind=manifest["kind"], settings=manifest["settings"], run=run, part=part)


def _assemble(spec: JobSpec, runs: Path, callbacks: Callbacks) -> Result:
    """An interrupted assembly starts again: it paints nothing, so little is lost."""
    settings, _ = from_json(settings_of(spec.kind), spec.settings)

    def hear(event: Event) -> None:
        callbacks.hear(event)
        if callbacks.stop():
            raise Interrupted

    loaded = Loaded(settings=settings, warnings=spec.warnings)
    done, run = assemble_run(loaded, runs, hear, spec.label)
    callbacks.began(run, done.frames)
    return Result(
        film=done.film, sheet=None, run=run, frames=done.frames, warnings=done.warnings, finished=True
    )


def _is_listed(folder: RunFolder, part: PartSpec) -> bool:
    """Whether a part has been started: then the manifest lists it, and resuming finishes it."""
    listed = folder.manifest().get("parts", [])
    pending = listed[-1] if listed else None
    return (
        pending is not None
        and not pending["done"]
        and (pending["first"], pending["last"]) == (part.first, part.last)
    )
