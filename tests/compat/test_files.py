"""Presets, the queue database and half-finished runs of an older version are read and continued."""

from __future__ import annotations

import json
import shutil
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from lib_anim.actions.execute import Callbacks, execute, resume_spec
from lib_anim.actions.presets import Presets
from lib_anim.jobs.queue.record import JobRecord
from lib_anim.jobs.queue.store import Queue
from lib_anim.kinds.registry import SETTINGS
from lib_anim.media.pictures import read_picture
from lib_anim.settings.base import from_json
from tests.compat.goldens import GOLDEN, FixedChecker, golden

RUNS = sorted(path.name for path in (GOLDEN / "runs").iterdir())

ROUNDING = 1
"""Difference out of 255 that another CPU's or OpenCV's warps may make after ten loops."""


def test_presets_are_listed_and_loaded(tmp_path: Path) -> None:
    folder = tmp_path / "presets"
    shutil.copytree(GOLDEN / "presets", folder)
    presets = Presets(folder)
    stored = [json.loads(path.read_text("utf-8")) for path in (GOLDEN / "presets").glob("*.json")]
    assert len(stored) == 4
    for entry in stored:
        preset = presets.get(entry["name"])
        assert (preset.kind, dict(preset.settings), preset.about) == (
            entry["kind"],
            entry["settings"],
            entry.get("about", ""),
        )
        assert not preset.shipped


def test_the_queue_database_opens_with_all_its_jobs(tmp_path: Path) -> None:
    shutil.copy(GOLDEN / "queue.sqlite", tmp_path / "queue.sqlite")
    queue = Queue(tmp_path / "queue.sqlite")
    try:
        for stored in golden("queue.json"):
            record = queue.get(stored["id"])
            now = {f.name: getattr(record, f.name) for f in fields(JobRecord) if f.name in stored}
            assert json.loads(json.dumps(now)) == stored
        assert queue.reap(lambda worker, lease: False), "the job of a dead worker becomes resumable"
        leased = queue.lease("new", ["checker"])
        assert leased is not None
        assert leased.kind in SETTINGS
        from_json(SETTINGS[leased.kind], leased.settings)
    finally:
        queue.close()


@pytest.mark.parametrize("name", RUNS)
def test_a_half_finished_run_resumes_to_the_same_frames(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(GOLDEN / "runs" / name / "half", tmp_path / "run")
    shutil.copy(GOLDEN / "in.mp4", tmp_path / "in.mp4")
    monkeypatch.chdir(tmp_path)  # the restyle run names its video without a folder
    callbacks = Callbacks(hear=lambda event: None)
    result = execute(resume_spec(tmp_path / "run"), lambda name: FixedChecker(), tmp_path, callbacks)
    assert result.finished
    whole = sorted((GOLDEN / "runs" / name / "whole" / "frames").glob("*.png"))
    frames = sorted((tmp_path / "run" / "frames").glob("*.png"))
    assert [path.name for path in frames] == [path.name for path in whole]
    for ours, theirs in zip(frames, whole, strict=True):
        difference = np.abs(read_picture(ours).astype(int) - read_picture(theirs).astype(int))
        assert difference.max() <= ROUNDING, ours.name
