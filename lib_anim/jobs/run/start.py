"""Start a run: plan it, create its folder and manifest; reopen an interrupted one."""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from lib_anim import __version__
from lib_anim.engines.contract.engine import Engine
from lib_anim.errors import Conflict, Problem
from lib_anim.jobs.run.disk_space import disk_warning
from lib_anim.jobs.run.folder import RunFolder
from lib_anim.jobs.run.open_inputs import make_plan
from lib_anim.kinds.base import PaintedKind, Plan
from lib_anim.kinds.draft import WHOLE, DraftOptions, draft_of
from lib_anim.settings.base import Settings, from_json, to_json


def start(
    kind: PaintedKind,
    settings: Settings,
    engine: Engine,
    engine_as: str,
    parent: Path,
    draw_seed: int,
    warnings: Sequence[str] = (),
    draft: DraftOptions = WHOLE,
    label: str = "",
) -> tuple[RunFolder, Plan]:
    """Plan a film and make its run folder, named by time and kind.

    `engine_as` is the name that the composition root opens this engine by, for resuming; `warnings` are those
    known already; `draft` may leave out a part of the film; `label` is the user's name for the run. Raises
    FlipbookError before anything is written.
    """
    plan = make_plan(kind, settings, engine, draw_seed, draft)
    warnings = (*warnings, *disk_warning(parent, plan))
    folder = RunFolder.create(parent, time.strftime(f"%Y%m%d-%H%M%S-{kind.name}"))
    folder.write_manifest(
        {
            "flipbook": __version__,
            "kind": kind.name,
            "status": "running",
            "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "frames": plan.frames,
            "rate": str(plan.rate),
            "engine": {"name": engine.name, "opened_as": engine_as, "fingerprint": engine.fingerprint},
            "fingerprint": plan.fingerprint(engine.fingerprint),
            "settings": to_json(plan.settings),
            **({} if draft.whole else {"trial": draft.as_json()}),
            **({"label": label} if label else {}),
            "warnings": list(warnings),
            "outputs": {},
            "versions": versions(),
        }
    )
    return folder, plan


def reopen(kind: PaintedKind, folder: RunFolder, engine: Engine) -> Plan:
    """The plan of an interrupted run. Raises Conflict when its frames would no longer come out the same."""
    manifest = folder.manifest()
    settings, _ = from_json(kind.settings, manifest["settings"])
    plan = make_plan(kind, settings, engine, 0, draft_of(manifest))
    if manifest["fingerprint"] != plan.fingerprint(engine.fingerprint):
        was, now = manifest["engine"]["fingerprint"], engine.fingerprint
        if was == now:
            sentence = (
                "the input files of this run have changed, so its frames would change; start a new render"
            )
        else:
            sentence = (
                f"this run was started with another engine ({was}; now {now}), so its frames would change; "
                "start a new render"
            )
        raise Conflict(Problem(sentence, field="run", code="run.changed"))
    return plan


def versions() -> dict[str, str]:
    """Versions of what can change pixels, for the manifest."""
    found = {"python": platform.python_version(), "flipbook": __version__}
    for package in ("torch", "diffusers", "transformers", "numpy", "opencv-python-headless", "av"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
