"""What a run survives: a kill at every write, lost rights, damage, another checkpoint, no memory."""

from __future__ import annotations

import gc
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lib_anim.app.engines import DEMO_CHECKPOINT, open_engine
from lib_anim.engines.checker import CheckerEngine
from lib_anim.errors import Conflict, FlipbookError
from lib_anim.jobs.run.folder import RunFolder
from lib_anim.jobs.run.runner import render
from lib_anim.jobs.run.start import reopen, start
from lib_anim.kinds.events import FrameDone
from lib_anim.kinds.keyframed.settings import Keyframed
from lib_anim.kinds.registry import KEYFRAMED
from lib_anim.media.pictures import read_picture
from lib_anim.media.probe import probe
from tests.engines.conftest import checkpoint, maker  # noqa: F401 (fixtures)

SETTINGS: dict[str, Any] = {
    "width": 64,
    "height": 64,
    "frames": 5,
    "fps": 5,
    "seed": 5,
    "prompts": {"0": "one", "3": "two"},
    "zoom": 1.02,
    "steps": 2,
}


def begin(folder: Path, engine: Any = None, **changes: Any) -> RunFolder:
    settings = Keyframed(**{**SETTINGS, **changes})
    return start(KEYFRAMED, settings, engine or CheckerEngine(), "checker", folder, 0)[0]


def resume(run: RunFolder, engine: Any = None, **how: Any) -> Any:
    engine = engine or CheckerEngine()
    return render(KEYFRAMED, reopen(KEYFRAMED, run, engine), engine, run, **how)


def broken_off(run: RunFolder, engine: Any = None, after: int = 3) -> None:
    """Work on a run until so many of its frames are painted."""
    painted: list[int] = []

    def hear(event: Any) -> None:
        if isinstance(event, FrameDone) and event.painted:
            painted.append(event.index)

    assert not resume(run, engine, listen=hear, stop=lambda: len(painted) == after).finished


def pixels(run: RunFolder) -> list[bytes]:
    return [read_picture(path).tobytes() for path in sorted(run.frames.glob("*.png"))]


def in_a_child(act: Callable[[], None]) -> int:
    """Do something in a process forked from this one; its exit code, 1 for an exception."""
    # What earlier tests left may own threads, which a child that collects it would wait for in vain.
    gc.collect()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            act()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


KILLED = 9


def killed_at_write(run: RunFolder, number: int, after: bool) -> int:
    """Go on with a run in a child that dies just before or after it puts its n-th file in place."""

    def act() -> None:
        replace, count = os.replace, [0]

        def counting(source: Any, target: Any) -> None:
            count[0] += 1
            if count[0] == number and not after:
                os._exit(KILLED)
            replace(source, target)
            if count[0] == number:
                os._exit(KILLED)

        os.replace = counting
        resume(run)

    return in_a_child(act)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("cadence", [1, 2])
def test_killed_before_and_after_every_file_it_goes_on_with_the_same_pixels(tmp_path, cadence):
    """Frames, states, manifests, film and sheet: also between a frame and its state, or the manifest."""
    whole = begin(tmp_path / "whole", cadence=cadence)
    resume(whole)
    wanted = pixels(whole)
    kills = 0
    for after in (False, True):
        for number in range(1, 100):
            run = begin(tmp_path / f"{after}{number}", cadence=cadence)
            if killed_at_write(run, number, after) != KILLED:
                break
            kills += 1
            assert pixels(run) == wanted[: len(pixels(run))]
            # What has the film's name is whole, whenever the kill came.
            assert not (run.path / "film.mp4").exists() or probe(run.path / "film.mp4").frames == 5
            assert resume(run).finished
            assert probe(run.path / "film.mp4").frames == 5
            assert not list(run.path.glob("film*.part"))
            assert pixels(run) == wanted
            assert run.manifest()["status"] == "done"
    # Five frames, their states, the film, the sheet, and the manifest twice, before and after each.
    assert kills >= 2 * (5 + len(range(0, 5, cadence)) + 4)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and the rights of others")
def test_a_folder_without_the_right_to_write_is_a_sentence_and_nothing_is_touched():
    root = Path(tempfile.mkdtemp())
    try:
        run = begin(root)
        whole = begin(root)
        resume(whole)
        broken_off(run)
        before = {path: path.stat().st_mtime_ns for path in run.path.rglob("*")}
        for path in (root, *root.rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)
        told = root.parent / f"{root.name}.told"
        told.write_text("")
        told.chmod(0o666)

        def act() -> None:
            if os.geteuid() == 0:  # root may write everywhere
                os.setgid(65534)
                os.setuid(65534)
            sentences = []
            for attempt in (lambda: resume(run), lambda: begin(root)):
                with pytest.raises(FlipbookError) as caught:
                    attempt()
                sentences.append(str(caught.value))
            told.write_text(json.dumps(sentences), "utf-8")

        assert in_a_child(act) == 0
        going_on, beginning = json.loads(told.read_text("utf-8"))
        assert "cannot be written" in going_on
        assert "Permission denied" in going_on
        assert "choose another folder" in beginning
        assert before == {path: path.stat().st_mtime_ns for path in run.path.rglob("*")}
        for path in (root, *root.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        assert resume(run).finished
        assert pixels(run) == pixels(whole)
    finally:
        shutil.rmtree(root)
        told.unlink()


@pytest.mark.parametrize("damage", ["", '{"kind": ', "[]", None])
def test_a_damaged_manifest_is_said_and_its_copy_goes_on(tmp_path, damage):
    whole, run = begin(tmp_path / "whole"), begin(tmp_path / "run")
    resume(whole)
    broken_off(run)
    if damage is None:
        run.manifest_path.unlink()
    else:
        run.manifest_path.write_text(damage)
    result = resume(RunFolder.open(run.path))
    assert result.finished
    assert any("run.json cannot be read" in sentence for sentence in result.warnings)
    assert pixels(run) == pixels(whole)
    assert json.loads(run.manifest_path.read_text("utf-8"))["status"] == "done"


def test_a_changed_checkpoint_is_a_conflict_and_the_old_one_goes_on(tmp_path, maker, checkpoint):  # noqa: F811
    weights = tmp_path / "model.safetensors"
    shutil.copy(checkpoint, weights)
    engine, opened_as = open_engine(str(weights)), str(weights)
    run, _ = start(KEYFRAMED, Keyframed(**SETTINGS), engine, opened_as, tmp_path, 0)
    broken_off(run, engine, after=1)
    engine.close()
    begun = pixels(run)
    maker.write_sd1(weights, text_layers=3, seed=7)
    other = open_engine(str(weights))
    before = {path: path.stat().st_mtime_ns for path in run.path.rglob("*")}
    with pytest.raises(Conflict, match="started with another engine"):
        resume(run, other)
    other.close()
    assert before == {path: path.stat().st_mtime_ns for path in run.path.rglob("*")}
    shutil.copy(checkpoint, weights)
    again = open_engine(str(weights))
    assert resume(run, again).finished
    again.close()
    assert pixels(run)[: len(begun)] == begun


class Short(CheckerEngine):
    """Has no memory left for one seed."""

    def still(self, request, on_step=None):
        if request.seed == SETTINGS["seed"] + 700:
            raise MemoryError
        return super().still(request, on_step)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_memory_at_frame_700_keeps_all_before_and_goes_on(tmp_path):
    run = begin(tmp_path, frames=703)
    with pytest.raises(FlipbookError) as caught:
        resume(run, Short())
    assert "not enough memory for frame 700" in str(caught.value)
    assert "700 frames are kept" in str(caught.value)
    before = {path: path.stat().st_mtime_ns for path in run.frames.iterdir()}
    assert len(before) == 700
    assert resume(run).finished
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert len(pixels(run)) == 703


def test_runs_that_begin_together_have_folders_of_their_own(tmp_path):
    with ThreadPoolExecutor(8) as together:
        runs = list(together.map(lambda _: begin(tmp_path), range(24)))
    assert len({run.path for run in runs}) == 24
    for run in runs:
        assert run.manifest()["settings"]["seed"] == 5


DEMO = {
    **SETTINGS,
    "frames": 12,
    "steps": 3,
    "prompts": {"0": "spring meadow", "8": "winter meadow"},
}


def worker(run: RunFolder) -> subprocess.Popen[bytes]:
    code = (
        "from pathlib import Path; from tests.jobs.test_survival import *\n"
        f"run = RunFolder.open(Path({str(run.path)!r}))\n"
        "engine = open_engine('demo')\n"
        "print('ready', flush=True)\n"
        "resume(run, engine, listen=lambda e: print('.', end='', flush=True))\n"
    )
    root = Path(__file__).resolve().parents[2]
    return subprocess.Popen([sys.executable, "-c", code], cwd=root, stdout=subprocess.PIPE)


@pytest.fixture
def demo() -> Iterator[Any]:
    if not DEMO_CHECKPOINT.is_file():
        pytest.skip("needs the demo checkpoint")
    engine = open_engine("demo")
    yield engine
    engine.close()


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_ten_kills_while_the_demo_checkpoint_paints(tmp_path, demo):
    """A film of real pictures, killed ten times between its first frame and its last."""
    whole, run = (begin(tmp_path / name, demo, **DEMO) for name in ("whole", "killed"))
    assert resume(whole, demo).finished
    dice = random.Random(0)
    for _ in range(10):
        child = worker(run)
        assert child.stdout is not None
        child.stdout.read(len("ready\n") + dice.randrange(0, 4))
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert resume(run, demo).finished
    assert pixels(run) == pixels(whole)
