"""Making a film, and going on with one."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lib_anim.actions.settings_files import Loaded, settings_from
from lib_anim.engines.contract.engine import Engine, OnStep
from lib_anim.errors import NotFound, Problem
from lib_anim.jobs.run.folder import RunFolder
from lib_anim.jobs.run.rerender import rerender as rerender_part
from lib_anim.jobs.run.runner import Listener, Result, render, reopen, start
from lib_anim.kinds.draft import WHOLE, Trial
from lib_anim.kinds.registry import KINDS, Kind


def find_kind(name: str) -> Kind:
    """The kind of a name that an engine paints. Raises NotFound with the names that exist."""
    if name not in KINDS:
        raise NotFound(
            Problem(f'nothing is painted for "{name}"; there are {", ".join(KINDS)}', field="kind")
        )
    return KINDS[name]


def never() -> bool:
    """Never stop before the end."""
    return False


def submit(
    loaded: Loaded,
    engine: Engine,
    engine_as: str,
    parent: Path,
    listen: Listener,
    on_step: OnStep | None = None,
    stop: Callable[[], bool] = never,
    trial: Trial = WHOLE,
) -> Result:
    """Render settings into a new run folder under `parent`. Nothing is written when they are wrong.

    `engine_as` is what `engine_of` will tell to whoever resumes the run; `trial` may leave out a part
    of the film, for a look at it.
    """
    seed = secrets.randbelow(2**32)
    kind, warnings = find_kind(loaded.settings.kind), loaded.warnings
    folder, plan = start(kind, loaded.settings, engine, engine_as, parent, seed, warnings, trial)
    return render(kind, plan, engine, folder, listen, on_step, stop)


def resume(
    run: Path,
    engine: Engine,
    listen: Listener,
    on_step: OnStep | None = None,
    stop: Callable[[], bool] = never,
) -> Result:
    """Render what is missing of a run; the frames come out as if it had never stopped."""
    folder = RunFolder.open(run)
    kind = find_kind(folder.manifest()["kind"])
    return render(kind, reopen(kind, folder, engine), engine, folder, listen, on_step, stop)


def rerender(
    run: Path,
    first: int,
    last: int,
    changes: Mapping[str, Any],
    engine: Engine,
    listen: Listener,
    on_step: OnStep | None = None,
    stop: Callable[[], bool] = never,
) -> Result:
    """Make frames `first` to `last` of a run anew with changed settings; all others stay as they are."""
    folder = RunFolder.open(run)
    loaded = settings_from(folder.manifest()["settings"], changes)
    seed = secrets.randbelow(2**32)
    return rerender_part(
        find_kind(loaded.settings.kind),
        loaded.settings,
        first,
        last,
        engine,
        folder,
        seed,
        listen,
        on_step,
        stop,
    )


def engine_of(run: Path) -> str:
    """What `submit` was told that a run's engine is opened by."""
    return str(RunFolder.open(run).manifest()["engine"]["opened_as"])
