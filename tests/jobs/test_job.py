from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from lib_anim.engines.checker import CheckerEngine
from lib_anim.engines.contract.engine import Interrupted
from lib_anim.errors import Conflict, FlipbookError, NotFound
from lib_anim.jobs.run.folder import RunFolder
from lib_anim.jobs.run.runner import Result, render
from lib_anim.jobs.run.start import reopen, start
from lib_anim.kinds.events import FrameDone, Warned
from lib_anim.kinds.keyframed.settings import Keyframed
from lib_anim.kinds.registry import KEYFRAMED
from lib_anim.media.pictures import read_picture, read_text
from lib_anim.media.probe import probe

SETTINGS = {
    "width": 64,
    "height": 64,
    "frames": 12,
    "fps": 12,
    "seed": 5,
    "prompts": {"0": "one", "6": "two"},
    "zoom": 1.02,
    "angle": 1,
}


def begin(folder: Path, **changes) -> tuple[RunFolder, object, CheckerEngine]:
    engine = CheckerEngine()
    run, plan = start(KEYFRAMED, Keyframed(**{**SETTINGS, **changes}), engine, "checker", folder, 0)
    return run, plan, engine


def go(folder: Path, **changes) -> Result:
    run, plan, engine = begin(folder, **changes)
    return render(KEYFRAMED, plan, engine, run)


def pixels(run: Path) -> list[bytes]:
    return [read_picture(path).tobytes() for path in sorted((run / "frames").glob("*.png"))]


def test_a_run_leaves_frames_film_sheet_manifest_and_log(tmp_path):
    result = go(tmp_path)
    assert result.finished
    assert result.frames == 12
    assert len(pixels(result.run)) == 12
    facts = probe(result.film)
    assert (facts.frames, facts.rate, facts.width, facts.height) == (12, 12, 64, 64)
    assert result.sheet.is_file()
    manifest = json.loads((result.run / "run.json").read_text())
    assert manifest["status"] == "done"
    assert manifest["settings"]["seed"] == 5
    assert manifest["outputs"] == {"film": "film.mp4", "sheet": "sheet.png"}
    assert not list(result.run.rglob("*.part"))


def test_frames_carry_their_own_values(tmp_path):
    result = go(tmp_path)
    text = read_text(result.run / "frames" / "000007.png")
    assert (text["prompt"], text["seed"], text["zoom"]) == ("two", "12", "1.02")


def test_stopping_leaves_a_film_and_resuming_gives_the_same_pixels(tmp_path):
    whole = go(tmp_path / "whole")
    run, plan, engine = begin(tmp_path / "part")
    seen = []

    def listen(event):
        if isinstance(event, FrameDone):
            seen.append(event.index)

    part = render(KEYFRAMED, plan, engine, run, listen, stop=lambda: len(seen) >= 5)
    assert not part.finished
    assert part.frames == 5
    assert probe(part.film).frames == 5
    rest = render(KEYFRAMED, reopen(KEYFRAMED, run, engine), engine, run)
    assert rest.finished
    assert pixels(rest.run) == pixels(whole.run)
    assert probe(rest.film).frames == 12


def test_an_interrupt_between_steps_can_be_resumed(tmp_path):
    whole = go(tmp_path / "whole")
    run, plan, engine = begin(tmp_path / "part")

    class Stopping:
        def __getattr__(self, name):
            return getattr(engine, name)

        def still(self, request, on_step=None):
            if request.seed == 9:
                raise Interrupted
            return engine.still(request, on_step)

    assert not render(KEYFRAMED, plan, Stopping(), run).finished
    rest = render(KEYFRAMED, reopen(KEYFRAMED, run, engine), engine, run)
    assert pixels(rest.run) == pixels(whole.run)


def test_a_failing_engine_marks_the_run_failed_and_it_can_be_resumed(tmp_path):
    whole = go(tmp_path / "whole")
    run, plan, engine = begin(tmp_path / "part")

    class Failing:
        def __getattr__(self, name):
            return getattr(engine, name)

        def still(self, request, on_step=None):
            if request.seed == 12:
                raise MemoryError("out of memory at frame 7")
            return engine.still(request, on_step)

    with pytest.raises(FlipbookError) as caught:
        render(KEYFRAMED, plan, Failing(), run)
    assert "not enough memory for frame 7" in str(caught.value)
    assert "resume" in str(caught.value)
    manifest = run.manifest()
    assert manifest["status"] == "failed"
    assert "frame 7" in manifest["error"]
    rest = render(KEYFRAMED, reopen(KEYFRAMED, run, engine), engine, run)
    assert pixels(rest.run) == pixels(whole.run)
    assert "error" not in run.manifest()


def test_painting_goes_on_while_a_frame_is_written(tmp_path, monkeypatch):
    """Frame 0 stays on its way to the disk until frame 4 is painted; a loop that waited would never end."""
    from lib_anim.jobs.run import frame_writer as writing

    painted, write = threading.Event(), writing.write_picture

    class Telling(CheckerEngine):
        def still(self, request, on_step=None):
            if request.seed == SETTINGS["seed"] + 4:
                painted.set()
            return super().still(request, on_step)

    def slow(path, *rest):
        assert painted.wait(60)
        return write(path, *rest)

    whole = go(tmp_path / "whole")
    run, plan, _ = begin(tmp_path / "slow")
    monkeypatch.setattr(writing, "write_picture", slow)
    assert render(KEYFRAMED, plan, Telling(), run).finished
    assert pixels(run.path) == pixels(whole.run)


@pytest.mark.skipif(os.name == "nt", reason="file size limits")
def test_a_disk_that_takes_no_more_is_a_sentence_and_the_run_goes_on_later(tmp_path):
    import resource

    whole = go(tmp_path / "whole")
    run, plan, engine = begin(tmp_path / "part")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(event):
        # A state takes 98 kB: from here on the system refuses it.
        if isinstance(event, FrameDone) and event.index == 5:
            resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, hard))

    try:
        with pytest.raises(FlipbookError) as caught:
            render(KEYFRAMED, plan, engine, run, fill)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "cannot be written" in str(caught.value)
    rest = render(KEYFRAMED, reopen(KEYFRAMED, run, engine), engine, run)
    assert pixels(rest.run) == pixels(whole.run)


def test_a_film_that_may_not_fit_the_disk_is_said_before(tmp_path, monkeypatch):
    import shutil
    from types import SimpleNamespace

    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    run, _, _ = begin(tmp_path / "not" / "yet")
    assert "are free" in run.manifest()["warnings"][0]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_memory_stays_flat_over_many_frames(tmp_path):
    import tracemalloc

    def peak(frames: int) -> int:
        run, plan, engine = begin(tmp_path / str(frames), frames=frames)
        tracemalloc.start()
        render(KEYFRAMED, plan, engine, run)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    few, many = peak(200), peak(2000)
    # Schedules and prompts have a value per frame: some 60 schedules of 8 bytes, and the prompt's place. The
    # interpreter's table of names, among them those of files, is one block of 4 MiB that grows now and then.
    # One kept uint8 frame each would be 21 MiB.
    assert many < few + 1800 * 1500 + 2**22


def test_a_deleted_frame_is_made_again_and_said(tmp_path):
    result = go(tmp_path)
    before = pixels(result.run)
    (result.run / "frames" / "000004.png").unlink()
    engine, run, told = CheckerEngine(), RunFolder.open(result.run), []
    render(KEYFRAMED, reopen(KEYFRAMED, run, engine), engine, run, told.append)
    assert pixels(result.run) == before
    assert any(isinstance(e, Warned) and "frame 4 is missing" in e.sentence for e in told)


def test_another_engine_does_not_touch_the_run(tmp_path):
    result = go(tmp_path)
    before = {p: p.stat().st_mtime_ns for p in result.run.rglob("*")}

    class Other(CheckerEngine):
        fingerprint = "something else"

    with pytest.raises(Conflict) as caught:
        reopen(KEYFRAMED, RunFolder.open(result.run), Other())
    assert "something else" in str(caught.value)
    assert before == {p: p.stat().st_mtime_ns for p in result.run.rglob("*")}


def test_missing_files_are_named_before_a_folder_is_made(tmp_path):
    with pytest.raises(NotFound) as caught:
        begin(tmp_path / "runs", init_image="/nowhere/a.png", color_reference="/nowhere/b.png")
    assert [p.field for p in caught.value.problems] == ["init_image", "color_reference"]
    assert not (tmp_path / "runs").exists()


def test_a_file_that_is_no_picture_is_a_sentence_with_the_settings_name(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no picture")
    run, plan, engine = begin(tmp_path / "runs", init_image=str(tmp_path / "a.png"))
    with pytest.raises(FlipbookError) as caught:
        render(KEYFRAMED, plan, engine, run)
    assert caught.value.problems[0].field == "init_image"


def test_an_init_image_of_another_shape_is_cut_not_squeezed(tmp_path):
    from lib_anim.media.pictures import write_picture

    picture = np.zeros((40, 120, 3), np.uint8)
    picture[:, 40:80] = 255
    write_picture(tmp_path / "init.png", picture)
    result = go(tmp_path, init_image=str(tmp_path / "init.png"), init_strength=1, frames=1)
    first = read_picture(result.run / "frames" / "000000.png")
    assert first[8:-8, 8:-8].min() > 200
    squeezed = go(
        tmp_path, init_image=str(tmp_path / "init.png"), init_strength=1, frames=1, init_fit="stretch"
    )
    assert read_picture(squeezed.run / "frames" / "000000.png")[32, 4].max() < 60


def _child(parent: Path, cadence: int) -> subprocess.Popen:
    code = (
        "import sys; from pathlib import Path; from tests.jobs.test_job import begin, render, KEYFRAMED\n"
        f"run, plan, engine = begin(Path({str(parent)!r}), cadence={cadence}, frames=40)\n"
        "print('begun', flush=True)\n"
        "render(KEYFRAMED, plan, engine, run, lambda e: print('.', end='', flush=True))\n"
    )
    root = Path(__file__).resolve().parents[2]
    return subprocess.Popen([sys.executable, "-c", code], cwd=root, stdout=subprocess.PIPE)


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
@pytest.mark.parametrize("cadence", [1, 2, 5])
def test_killed_at_a_random_moment_and_resumed_gives_the_same_pixels(tmp_path, cadence):
    whole = pixels(go(tmp_path / "whole", cadence=cadence, frames=40).run)
    dice = random.Random(cadence)
    for kill in range(2):
        child = _child(tmp_path / f"kill{kill}", cadence)
        child.stdout.read(len("begun\n") + dice.randrange(1, 60))
        child.send_signal(signal.SIGKILL)
        child.wait()
        (folder,) = (tmp_path / f"kill{kill}").iterdir()
        run, engine = RunFolder.open(folder), CheckerEngine()
        render(KEYFRAMED, reopen(KEYFRAMED, run, engine), engine, run)
        assert pixels(folder) == whole


def _video(path: Path, frames: int) -> Path:
    from lib_anim.media.write import open_sink

    with open_sink(path, width=64, height=64, rate=12) as sink:
        for index in range(frames):
            sink.write(np.full((64, 64, 3), 40 + 20 * index, np.uint8))
    return path


def test_video_input_through_files_and_going_on_with_it(tmp_path):
    video = _video(tmp_path / "v.mp4", 8)
    changes = {"mode": "Video Input", "video": str(video), "video_start": 2, "frames": 0, "strength": 1}
    result = go(tmp_path / "runs", **changes)
    assert result.frames == 6
    levels = [read_picture(result.run / "frames" / f"{i:06d}.png").mean() for i in range(6)]
    assert levels == pytest.approx([80, 100, 120, 140, 160, 180], abs=3)
    before = pixels(result.run)
    (result.run / "frames" / "000003.png").unlink()
    run, engine = RunFolder.open(result.run), CheckerEngine()
    render(KEYFRAMED, reopen(KEYFRAMED, run, engine), engine, run)
    assert pixels(result.run) == before


def test_the_init_image_can_come_last(tmp_path):
    from lib_anim.media.read import open_source

    result = go(tmp_path, init_last=True, frames=4)
    with open_source(result.film) as source:
        last = source[3].astype(int)
    first = read_picture(result.run / "frames" / "000000.png")
    assert np.abs(last - first).mean() < 6


def test_a_video_that_is_none_is_a_sentence_with_the_settings_name(tmp_path):
    (tmp_path / "v.mp4").write_bytes(b"nothing")
    with pytest.raises(FlipbookError) as caught:
        begin(tmp_path / "runs", mode="Video Input", video=str(tmp_path / "v.mp4"))
    assert caught.value.problems[0].field == "video"
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_a_hundred_kills(tmp_path):
    """In every mode and three cadences, killed at random moments again and again until the film is done."""
    video = _video(tmp_path / "v.mp4", 8)
    modes = [
        {"cadence": 1},
        {"cadence": 2},
        {"cadence": 5},
        {"mode": "Interpolation"},
        {"mode": "Video Input", "video": str(video), "frames": 8},
    ]
    dice, kills = random.Random(0), 0
    for number, changes in enumerate(modes):
        changes = {"frames": 30, **changes}
        whole = pixels(go(tmp_path / f"whole{number}", **changes).run)
        run, _, _ = begin(tmp_path / f"killed{number}", **changes)
        for _ in range(20):
            child = _worker(run.path)
            child.stdout.read(len("ready\n") + dice.randrange(0, 8))
            child.send_signal(signal.SIGKILL)
            child.wait()
            kills += 1
        engine = CheckerEngine()
        render(KEYFRAMED, reopen(KEYFRAMED, run, engine), engine, run)
        assert pixels(run.path) == whole
    assert kills == 100


def _worker(run: Path) -> subprocess.Popen:
    code = (
        "from pathlib import Path; from tests.jobs.test_job import *\n"
        f"run, engine = RunFolder.open(Path({str(run)!r})), CheckerEngine()\n"
        "plan = reopen(KEYFRAMED, run, engine)\n"
        "print('ready', flush=True)\n"
        "render(KEYFRAMED, plan, engine, run, lambda e: print('.', end='', flush=True))\n"
    )
    root = Path(__file__).resolve().parents[2]
    return subprocess.Popen([sys.executable, "-c", code], cwd=root, stdout=subprocess.PIPE)
