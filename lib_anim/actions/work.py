"""The queue worker's work: execute each leased job and record how it ended."""

from __future__ import annotations

from pathlib import Path

from lib_anim.actions.engines import Engines
from lib_anim.actions.execute import Callbacks, execute
from lib_anim.engines.contract.engine import Interrupted
from lib_anim.jobs.queue.worker import Leased, Work
from lib_anim.jobs.run.runner import Result
from lib_anim.kinds.base import PaintedKind
from lib_anim.kinds.registry import find_kind


def worker_of(engines: Engines, runs: Path) -> Work:
    """The work of a process that paints with `engines` into run folders under `runs`."""

    def work(leased: Leased) -> None:
        spec = leased.record.spec
        if isinstance(find_kind(spec.kind), PaintedKind):
            leased.phase("loading")
        callbacks = Callbacks(
            hear=leased.hear, stop=leased.stopping, on_step=leased.on_step, began=leased.began
        )
        try:
            result = execute(spec, engines.open, runs, callbacks)
        except Interrupted:
            leased.ended(False, {})
            return
        leased.ended(result.finished, _outputs(result))

    return work


def _outputs(result: Result) -> dict[str, str]:
    files = {"film": result.film, "sheet": result.sheet}
    return {name: path.name for name, path in files.items() if path is not None}
