"""What every job promises, whatever its kind and mode. A new kind joins by an entry in JOBS."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lib_anim.engines.checker import CheckerEngine
from lib_anim.engines.contract.engine import Interrupted
from lib_anim.errors import Conflict
from lib_anim.jobs.run.folder import RunFolder
from lib_anim.jobs.run.runner import render
from lib_anim.jobs.run.start import reopen, start
from lib_anim.kinds.base import PaintedKind
from lib_anim.kinds.events import FrameDone
from lib_anim.kinds.registry import KINDS
from lib_anim.media.pictures import read_picture
from lib_anim.media.probe import probe
from lib_anim.media.write import open_sink

FRAMES = 9


@dataclass(frozen=True)
class Job:
    """A kind with settings for a film of nine small frames."""

    kind: str
    settings: dict[str, Any] = field(default_factory=dict)
    video: str = ""
    """The setting that takes a video of nine frames, if one does."""


KEYFRAMED = {
    "width": 64,
    "height": 64,
    "frames": FRAMES,
    "fps": 9,
    "seed": 5,
    "prompts": {"0": "a", "4": "b"},
}

CLIP = {
    "width": 64,
    "height": 64,
    "frames": FRAMES,
    "fps": 9,
    "seed": 5,
    "steps": 70,
    "prompts": "a\n0: b\n5: c",
    "formats": "MP4",
}
RESTYLE = {"seed": 5, "prompts": {"0": "a", "4": "b"}, "seed_behavior": "iter", "steps": 20}

JOBS = {
    "keyframed 2D": Job("keyframed", {**KEYFRAMED, "zoom": 1.05, "noise": 0.2}),
    "keyframed 2D, cadence 4": Job("keyframed", {**KEYFRAMED, "angle": 2, "cadence": 4}),
    "keyframed 2D, upscaled": Job("keyframed", {**KEYFRAMED, "zoom": 1.05, "noise": 0.2, "upscale": 1.5}),
    "keyframed Interpolation": Job("keyframed", {**KEYFRAMED, "mode": "Interpolation"}),
    "keyframed Video Input": Job("keyframed", {**KEYFRAMED, "mode": "Video Input"}, video="video"),
    "clip": Job("clip", CLIP),
    "clip of a video": Job("clip", {**CLIP, "denoising": 0.6}, video="video_path"),
    "restyle": Job("restyle", RESTYLE, video="video"),
    "restyle, colours of the first frame": Job(
        "restyle", {**RESTYLE, "color_coherence": "LAB"}, video="video"
    ),
    "restyle, previous output": Job("restyle", {**RESTYLE, "init": "previous output"}, video="video"),
}


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("video") / "video.mp4"
    with open_sink(path, width=64, height=64, rate=9) as sink:
        for index in range(FRAMES):
            sink.write(np.full((64, 64, 3), 30 + 20 * index, np.uint8))
    return path


@pytest.fixture(params=JOBS)
def begin(request, video) -> Callable[[Path], Any]:
    """Makes a run folder: folder → (kind, plan, engine, run)."""
    job = JOBS[request.param]

    def make(folder: Path) -> Any:
        kind, engine = KINDS[job.kind], CheckerEngine()
        extra = {job.video: str(video)} if job.video else {}
        run, plan = start(kind, kind.settings(**job.settings, **extra), engine, "checker", folder, 0)
        return kind, plan, engine, run

    return make


def pixels(run: Path) -> list[bytes]:
    return [read_picture(path).tobytes() for path in sorted((run / "frames").glob("*.png"))]


def test_every_kind_is_here():
    assert {job.kind for job in JOBS.values()} == {
        name for name, kind in KINDS.items() if isinstance(kind, PaintedKind)
    }


def test_it_leaves_all_frames_a_film_and_a_manifest(begin, tmp_path):
    kind, plan, engine, run = begin(tmp_path)
    indices = []
    result = render(
        kind, plan, engine, run, lambda e: indices.append(e.index) if isinstance(e, FrameDone) else None
    )
    assert result.finished
    assert indices == list(range(FRAMES))
    assert len(pixels(run.path)) == FRAMES == result.frames
    facts = probe(result.film)
    assert (facts.frames, facts.rate) == (FRAMES, 9)
    manifest = json.loads(run.manifest_path.read_text("utf-8"))
    assert manifest["status"] == "done"
    assert manifest["fingerprint"] == plan.fingerprint(engine.fingerprint)
    assert not list(run.path.rglob("*.part"))


def test_two_runs_of_one_plan_are_equal(begin, tmp_path):
    runs = [begin(tmp_path / name) for name in ("one", "two")]
    for kind, plan, engine, run in runs:
        render(kind, plan, engine, run)
    assert pixels(runs[0][3].path) == pixels(runs[1][3].path)


@pytest.mark.parametrize("after", [1, 4, 7])
def test_stopped_and_resumed_it_gives_the_same_pixels(begin, tmp_path, after):
    kind, plan, engine, whole = begin(tmp_path / "whole")
    render(kind, plan, engine, whole)
    kind, plan, engine, run = begin(tmp_path / "part")
    seen: list[int] = []

    def listen(event: Any) -> None:
        if isinstance(event, FrameDone):
            seen.append(event.index)

    part = render(kind, plan, engine, run, listen, stop=lambda: len(seen) >= after)
    assert not part.finished
    assert part.film is not None
    assert probe(part.film).frames == part.frames
    assert render(kind, reopen(kind, run, engine), engine, run).finished
    assert pixels(run.path) == pixels(whole.path)


def test_interrupted_between_steps_it_can_be_resumed(begin, tmp_path):
    kind, plan, engine, whole = begin(tmp_path / "whole")
    render(kind, plan, engine, whole)
    kind, plan, engine, run = begin(tmp_path / "part")
    steps = []

    def on_step(done: int, total: int) -> None:
        steps.append(done)
        if len(steps) == 60:
            raise Interrupted

    assert not render(kind, plan, engine, run, on_step=on_step).finished
    assert run.manifest()["status"] == "interrupted"
    assert render(kind, reopen(kind, run, engine), engine, run).finished
    assert pixels(run.path) == pixels(whole.path)


def test_a_failure_is_written_down_and_can_be_resumed(begin, tmp_path):
    kind, plan, engine, run = begin(tmp_path)

    def fail(event: Any) -> None:
        if isinstance(event, FrameDone) and event.index == 4:
            raise ValueError("no room for frame 5")

    with pytest.raises(ValueError, match="no room"):
        render(kind, plan, engine, run, fail)
    assert run.manifest()["status"] == "failed"
    assert "no room" in run.manifest()["error"]
    assert render(kind, reopen(kind, run, engine), engine, run).frames == FRAMES


def test_finished_it_does_nothing_more(begin, tmp_path):
    kind, plan, engine, run = begin(tmp_path)
    render(kind, plan, engine, run)
    before = {path: path.stat().st_mtime_ns for path in run.frames.iterdir()}
    render(kind, reopen(kind, run, engine), engine, run)
    assert before == {path: path.stat().st_mtime_ns for path in run.frames.iterdir()}


def test_it_refuses_another_engine(begin, tmp_path):
    kind, _, _, run = begin(tmp_path)

    class Other(CheckerEngine):
        fingerprint = "another"

    with pytest.raises(Conflict):
        reopen(kind, RunFolder.open(run.path), Other())
