from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lib_anim.engines.checker import CheckerEngine
from lib_anim.engines.contract.engine import Interrupted
from lib_anim.errors import Conflict, FlipbookError, NotFound
from lib_anim.jobs.run.folder import RunFolder
from lib_anim.jobs.run.frame_writer import to_uint8
from lib_anim.jobs.run.rerender import rerender
from lib_anim.jobs.run.runner import Result, render
from lib_anim.jobs.run.start import reopen, start
from lib_anim.kinds.base import Studio
from lib_anim.kinds.events import FrameDone, Progress
from lib_anim.kinds.keyframed.inputs import Inputs
from lib_anim.kinds.keyframed.loop import run as run_loop
from lib_anim.kinds.keyframed.settings import Keyframed
from lib_anim.kinds.registry import KEYFRAMED
from lib_anim.media.pictures import read_picture, read_text
from lib_anim.media.probe import probe
from lib_anim.media.write import open_sink

FRAMES = 30
SETTINGS: dict[str, Any] = {
    "width": 64,
    "height": 64,
    "frames": FRAMES,
    "fps": 12,
    "seed": 5,
    "prompts": {"0": "one", "13": "two"},
    "zoom": 1.02,
    "angle": 1,
    "noise": 0.02,
    "steps": 3,
}
MODES = ["cadence 1", "cadence 2", "cadence 5", "Interpolation", "Video Input"]


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("video") / "video.mp4"
    with open_sink(path, width=64, height=64, rate=12) as sink:
        for index in range(FRAMES):
            sink.write(np.full((64, 64, 3), 30 + 5 * index, np.uint8))
    return path


def changes_of(mode: str, video: Path) -> dict[str, Any]:
    if mode.startswith("cadence"):
        return {"cadence": int(mode.split()[1])}
    return {"mode": mode, **({"video": str(video)} if mode == "Video Input" else {})}


def begin(folder: Path, **changes: Any) -> RunFolder:
    settings = Keyframed(**{**SETTINGS, **changes})
    return start(KEYFRAMED, settings, CheckerEngine(), "checker", folder, 0)[0]


def resume(run: RunFolder, **how: Any) -> Result:
    engine = CheckerEngine()
    return render(KEYFRAMED, reopen(KEYFRAMED, run, engine), engine, run, **how)


@pytest.fixture(scope="module")
def make(tmp_path_factory) -> Callable[..., RunFolder]:
    """Makes a finished run in a folder; each one is rendered once and then copied."""
    made: dict[str, RunFolder] = {}

    def copy(folder: Path, **changes: Any) -> RunFolder:
        key = repr(sorted(changes.items()))
        if key not in made:
            made[key] = begin(tmp_path_factory.mktemp("made"), **changes)
            assert resume(made[key]).finished
        shutil.copytree(made[key].path, folder / "run")
        return RunFolder.open(folder / "run")

    return copy


def again(run: RunFolder, first: int, last: int, engine: Any = None, listen: Any = None, **changes) -> Result:
    settings = Keyframed(
        **{k: v for k, v in run.manifest()["settings"].items() if k not in ("kind", "version")}
    )
    heard = listen or (lambda event: None)
    return rerender(
        KEYFRAMED, settings.changed(changes), first, last, engine or CheckerEngine(), run, 99, heard
    )


def pixels(run: RunFolder) -> list[bytes]:
    return [read_picture(path).tobytes() for path in sorted(run.frames.glob("*.png"))]


def loop(state: Any = None, **changes: Any) -> dict[int, tuple[bytes, Any]]:
    """Frame → (pixels, state after it), by the loop itself: no folder, no file."""
    from lib_anim.jobs.run.open_inputs import opened, probe

    engine = CheckerEngine()
    plan = KEYFRAMED.plan(Keyframed(**{**SETTINGS, **changes}), engine.capabilities, 0, probe)
    with opened(KEYFRAMED.needs(plan.settings)) as inputs:
        events = run_loop(plan, Studio(engine=engine), Inputs.of(inputs), state)  # type: ignore[arg-type]
        return {
            event.index: (to_uint8(event.picture).tobytes(), event.state)
            for event in events
            if isinstance(event, FrameDone)
        }


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("first", "last"), [(0, 6), (10, 10), (26, 29)])
def test_without_changes_no_pixel_changes(tmp_path, video, mode, first, last, make):
    run = make(tmp_path, **changes_of(mode, video))
    before = pixels(run)
    files = {p: p.stat().st_mtime_ns for p in run.frames.iterdir()}
    assert again(run, first, last).finished
    assert pixels(run) == before
    rewritten = {int(p.stem) for p, time in files.items() if p.stat().st_mtime_ns != time}
    assert rewritten == set(range(first, last + 1))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("change", [{"strength": "0:(0.2)"}, {"prompts": {"0": "three"}}, {"seed": 77}])
def test_a_change_is_what_the_loop_makes_from_the_state_before(tmp_path, video, mode, change, make):
    first, last = 8, 15
    setup = changes_of(mode, video)
    run = make(tmp_path, **setup)
    old = pixels(run)
    again(run, first, last, **change)
    new = pixels(run)
    assert new[:first] == old[:first]
    assert new[last + 1 :] == old[last + 1 :]
    whole = loop(**setup)
    state = [state for frame, (_, state) in whole.items() if frame < first and state is not None][-1]
    wanted = loop(state=state, **{**setup, **change})
    assert new[first : last + 1] == [wanted[frame][0] for frame in range(first, last + 1)]
    # Interpolation asks for no strength: its frames do not start from a picture.
    assert (new != old) != (mode == "Interpolation" and "strength" in change)


def test_the_manifest_the_film_and_the_sentence_about_seams(tmp_path, make):
    run = make(tmp_path)
    film = (run.path / "film.mp4").read_bytes()
    result = again(run, 5, 9, strength="0:(0.1)", seed=-1)
    manifest = run.manifest()
    (part,) = manifest["parts"]
    assert (part["first"], part["last"], part["done"]) == (5, 9, True)
    assert part["settings"]["strength"] == "0:(0.1)"
    assert part["settings"]["seed"] == 99
    assert manifest["settings"]["seed"] == 5
    assert manifest["status"] == "done"
    (seam,) = [sentence for sentence in result.warnings if "transition" in sentence]
    assert "between 4 and 5, and between 9 and 10" in seam
    assert seam in manifest["warnings"]
    assert result.film.read_bytes() != film
    assert probe(result.film).frames == FRAMES
    assert read_text(run.frame_path(5))["strength"] == "0.1"
    assert read_text(run.frame_path(10))["strength"] != "0.1"


def test_at_the_ends_of_the_film_there_is_no_seam(tmp_path, make):
    run = make(tmp_path, frames=12)
    assert any("between 4 and 5" in s for s in again(run, 0, 4).warnings)
    assert any(s.endswith("between 7 and 8") for s in again(run, 8, 11).warnings)
    fresh = make(tmp_path / "fresh", frames=12)
    assert not [s for s in again(fresh, 0, 11).warnings if "transition" in s]


@pytest.mark.parametrize("mode", ["cadence 1", "cadence 5"])
def test_a_part_inside_and_after_another_starts_from_that_one(tmp_path, mode, video, make):
    setup = changes_of(mode, video)
    run = make(tmp_path, **setup)
    old = pixels(run)
    again(run, 5, 19, strength="0:(0.2)")
    outer = pixels(run)
    again(run, 10, 14, prompts="inner")
    inner = pixels(run)
    again(run, 20, 24, prompts="after")
    after = pixels(run)
    assert inner[:10] == outer[:10]
    assert inner[15:] == outer[15:]
    assert inner[10:15] != outer[10:15]
    assert after[:20] == inner[:20]
    assert after[25:] == old[25:]
    whole = loop(**setup)
    at5 = [s for f, (_, s) in whole.items() if f < 5 and s is not None][-1]
    part = loop(state=at5, **{**setup, "strength": "0:(0.2)"})
    at10 = [s for f, (_, s) in part.items() if f < 10 and s is not None][-1]
    at20 = [s for f, (_, s) in part.items() if f < 20 and s is not None][-1]
    wanted = loop(state=at10, **{**setup, "prompts": "inner"})
    assert inner[10:15] == [wanted[f][0] for f in range(10, 15)]
    wanted = loop(state=at20, **{**setup, "prompts": "after"})
    assert after[20:25] == [wanted[f][0] for f in range(20, 25)]


def test_a_part_that_paints_nothing_below_the_next_hands_its_own_start_on(tmp_path, make):
    setup = {"cadence": 5}
    run = make(tmp_path, **setup)
    again(run, 8, 12, strength="0:(0.2)")
    again(run, 9, 11, prompts="inner")
    state = loop(**setup)[5][1]
    wanted = loop(state=state, **setup, prompts="inner")
    assert pixels(run)[9:12] == [wanted[f][0] for f in range(9, 12)]


def test_another_cadence_for_a_part(tmp_path, make):
    run = make(tmp_path, cadence=5)
    again(run, 7, 12, cadence=2)
    state = loop(cadence=5)[5][1]
    wanted = loop(state=state, cadence=2)
    new = pixels(run)
    assert new[7:13] == [wanted[f][0] for f in range(7, 13)]
    # Frame 6 is painted on the way and not kept; a part that goes on from it sees it all the same.
    again(run, 8, 8, cadence=2, prompts="x")
    wanted = loop(state=wanted[6][1], cadence=2, prompts="x")
    assert pixels(run)[8] == wanted[8][0]


class Recording(CheckerEngine):
    """Counts pictures, and fails or interrupts at one of them."""

    def __init__(self, at: int | None = None, error: type[BaseException] = Interrupted) -> None:
        self.count, self._at, self._error = 0, at, error

    def still(self, request, on_step=None):
        if self.count == self._at:
            raise self._error
        self.count += 1
        return super().still(request, on_step)


def test_lost_states_of_a_part_are_made_again(tmp_path, make):
    run = make(tmp_path)
    again(run, 5, 19, strength="0:(0.2)")
    again(run, 10, 12, prompts="x")
    wanted = pixels(run)
    for path in run.states.rglob("*.npz"):
        path.unlink()
    engine = Recording()
    again(run, 10, 12, engine, prompts="x")
    assert pixels(run) == wanted
    assert engine.count == 5 + 5 + 3


def test_only_what_is_needed_is_painted(tmp_path, make):
    run, engine = make(tmp_path), Recording()
    phases = []
    again(run, 26, 28, engine, lambda e: phases.append(e.phase) if isinstance(e, Progress) else None)
    # The state of frame 24 is saved; 25 is replayed.
    assert engine.count == 1 + 3
    assert phases == ["replaying"] + ["painting"] * 3 + ["film"]


@pytest.mark.parametrize(
    ("at", "error"), [*((at, Interrupted) for at in range(8)), (2, MemoryError), (6, MemoryError)]
)
def test_interrupted_anywhere_it_goes_on_with_the_same_pixels(tmp_path, at, error, make):
    setup = {"cadence": 2, "frames": 24}
    whole, run = make(tmp_path / "whole", **setup), make(tmp_path / "part", **setup)
    old = pixels(run)
    again(whole, 9, 15, strength="0:(0.1)")
    wanted = pixels(whole)
    engine = Recording(at, error)
    if error is Interrupted:
        assert not again(run, 9, 15, engine, strength="0:(0.1)").finished
        assert run.manifest()["status"] == "interrupted"
    else:
        with pytest.raises(FlipbookError, match="the part from frame 9 to 15"):
            again(run, 9, 15, engine, strength="0:(0.1)")
        assert run.manifest()["status"] == "failed"
    assert not run.manifest()["parts"][0]["done"]
    mixed = pixels(run)
    assert all(now in (was, new) for now, was, new in zip(mixed, old, wanted, strict=True))
    result = resume(run)
    assert result.finished
    assert pixels(run) == wanted
    assert run.manifest()["parts"][0]["done"]
    assert run.manifest()["status"] == "done"


def test_stopped_while_replaying_it_goes_on(tmp_path, make):
    run, whole = make(tmp_path / "a"), make(tmp_path / "b")
    again(whole, 20, 22, prompts="x")
    engine = CheckerEngine()
    settings = Keyframed(
        **SETTINGS,
    ).changed({"prompts": "x"})
    before = pixels(run)
    stopped = rerender(KEYFRAMED, settings, 20, 22, engine, run, 0, stop=lambda: True)
    assert not stopped.finished
    assert pixels(run) == before
    assert resume(run).finished
    assert pixels(run) == pixels(whole)


def _child(
    run: Path, act: str = "again(run, 6, 27, listen=heard, seed=8, strength='0:(0.1)')"
) -> subprocess.Popen[bytes]:
    code = (
        "from pathlib import Path; from tests.jobs.test_rerender import *\n"
        f"run = RunFolder.open(Path({str(run)!r}))\n"
        "print('begun', flush=True)\n"
        f"heard = lambda e: print('.', end='', flush=True)\n{act}\n"
    )
    root = Path(__file__).resolve().parents[2]
    return subprocess.Popen([sys.executable, "-c", code], cwd=root, stdout=subprocess.PIPE)


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
@pytest.mark.parametrize("cadence", [1, 2, 5])
def test_killed_at_a_random_moment_and_resumed_gives_the_same_pixels(tmp_path, cadence, make):
    whole, run = (make(tmp_path / name, cadence=cadence) for name in ("whole", "kill"))
    again(whole, 6, 27, seed=8, strength="0:(0.1)")
    dice = random.Random(cadence)
    child = _child(run.path)
    child.stdout.read(len("begun\n") + dice.randrange(2, 24))
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not run.manifest()["parts"][0]["done"]
    assert resume(run).finished
    assert pixels(run) == pixels(whole)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
@pytest.mark.parametrize("mode", MODES)
def test_killed_again_and_again(tmp_path, video, mode, make):
    """A part killed at random moments, its resumed work too, until it is done."""
    setup = changes_of(mode, video)
    whole, run = (make(tmp_path / name, **setup) for name in ("whole", "kill"))
    again(whole, 6, 27, seed=8, strength="0:(0.1)")
    wanted, dice = pixels(whole), random.Random(mode)
    child = _child(run.path)
    for _ in range(6):
        child.stdout.read(len("begun\n") + dice.randrange(1, 12))
        child.send_signal(signal.SIGKILL)
        child.wait()
        child = _child(run.path, "resume(run, listen=heard)")
    child.wait()
    assert run.manifest()["parts"][0]["done"]
    assert pixels(run) == wanted


def test_an_interrupted_run_can_have_a_part_and_goes_on_after_it(tmp_path, make):
    whole = make(tmp_path / "whole")
    run = begin(tmp_path / "part")
    seen: list[int] = []

    def listen(event: Any) -> None:
        if isinstance(event, FrameDone):
            seen.append(event.index)

    assert not resume(run, listen=listen, stop=lambda: len(seen) >= 12).finished
    assert again(run, 4, 11, strength="0:(0.1)").finished
    assert run.manifest()["status"] == "interrupted"
    part = pixels(run)
    again(whole, 4, 11, strength="0:(0.1)")
    assert part == pixels(whole)[:12]
    assert resume(run).finished
    assert pixels(run) == pixels(whole)


@pytest.mark.parametrize("gone", [2, 7, 12, 20])
def test_a_deleted_frame_comes_back_as_it_was(tmp_path, gone, make):
    run = make(tmp_path, cadence=2)
    again(run, 5, 14, strength="0:(0.1)")
    again(run, 11, 13, prompts="x")
    before = pixels(run)
    run.frame_path(gone).unlink()
    result = resume(run)
    assert any(f"frame {gone} is missing" in sentence for sentence in result.warnings)
    assert pixels(run) == before


def test_resuming_a_finished_run_with_parts_writes_no_frame(tmp_path, make):
    run = make(tmp_path)
    again(run, 5, 14, strength="0:(0.1)")
    before = {path: path.stat().st_mtime_ns for path in run.frames.iterdir()}
    assert resume(run).finished
    assert before == {path: path.stat().st_mtime_ns for path in run.frames.iterdir()}


def untouched(run: RunFolder) -> dict[Path, tuple[int, int]]:
    return {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in run.path.rglob("*")}


@pytest.fixture(scope="module")
def finished(tmp_path_factory, make) -> RunFolder:
    return make(tmp_path_factory.mktemp("run"), cadence=5)


@pytest.mark.parametrize(
    ("first", "last", "changes", "field", "words"),
    [
        (-1, 5, {}, "from", "counted from 0"),
        (8, 5, {}, "to", "5 is before the first frame 8"),
        (5, 30, {}, "to", "frames 0 to 29"),
        (0, 5, {"frames": 20}, "frames", "whole film (30)"),
        (0, 5, {"fps": 24}, "fps", "whole film (12)"),
        (0, 5, {"width": 128}, "width", "whole film (64)"),
        (0, 5, {"init_last": True}, "init_last", "whole film"),
        (6, 9, {}, "from", "only 5 and 10"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_touched(finished, first, last, changes, field, words):
    before = untouched(finished)
    with pytest.raises(FlipbookError) as caught:
        again(finished, first, last, **changes)
    (problem,) = caught.value.problems
    assert problem.field == field
    assert words in problem.message
    assert untouched(finished) == before


def test_missing_files_are_named_first(finished):
    before = untouched(finished)
    with pytest.raises(NotFound) as caught:
        again(finished, 0, 5, init_image="/nowhere/a.png")
    assert caught.value.problems[0].field == "init_image"
    assert untouched(finished) == before


def test_another_engine_or_another_process_is_a_conflict(finished):
    class Other(CheckerEngine):
        fingerprint = "something else"

    before = untouched(finished)
    with pytest.raises(Conflict, match="something else"):
        again(finished, 0, 5, Other())
    with finished.locked(), pytest.raises(Conflict, match="another process"):
        again(finished, 0, 5)
    assert untouched(finished) == before


def test_a_pending_part_goes_first_unless_the_new_one_holds_it(tmp_path, make):
    run, whole = make(tmp_path / "a"), make(tmp_path / "b")
    assert not again(run, 8, 12, Recording(10), prompts="x").finished
    with pytest.raises(Conflict, match="frames 8 to 12"):
        again(run, 9, 14)
    assert again(run, 7, 12, prompts="y").finished
    again(whole, 7, 12, prompts="y")
    assert pixels(run) == pixels(whole)
    assert resume(run).finished
    assert pixels(run) == pixels(whole)
