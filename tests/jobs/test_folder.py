from __future__ import annotations

import multiprocessing
from dataclasses import dataclass

import numpy as np
import pytest

from lib_anim.errors import Conflict, FlipbookError, NotFound
from lib_anim.jobs.run.folder import KEEP_EVERY, RunFolder


@dataclass(frozen=True)
class State:
    frame: int
    picture: np.ndarray
    reference: np.ndarray | None


def state(frame: int) -> State:
    return State(frame, np.random.default_rng(frame).random((8, 8, 3), np.float32), None)


def test_two_runs_of_the_same_second_get_different_folders(tmp_path):
    one, two = RunFolder.create(tmp_path, "run"), RunFolder.create(tmp_path, "run")
    assert one.path != two.path


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FlipbookError) as caught:
        RunFolder.create(tmp_path / "file", "run")
    assert "choose another folder" in str(caught.value)


def test_opening_what_is_no_run_is_a_sentence(tmp_path):
    with pytest.raises(NotFound):
        RunFolder.open(tmp_path)


def test_a_damaged_manifest_is_a_sentence(tmp_path):
    folder = RunFolder.create(tmp_path, "run")
    folder.manifest_path.write_text('{"kind": ')
    with pytest.raises(FlipbookError) as caught:
        folder.manifest()
    assert "run.json" in str(caught.value)


def test_states_come_back_exactly(tmp_path):
    folder = RunFolder.create(tmp_path, "run")
    folder.save_state(3, state(3))
    loaded = folder.load_state(State, before=10)
    assert loaded.frame == 3
    assert isinstance(loaded.frame, int)
    assert loaded.reference is None
    np.testing.assert_array_equal(loaded.picture, state(3).picture)


def test_a_torn_state_is_passed_over_and_logged(tmp_path):
    folder = RunFolder.create(tmp_path, "run")
    folder.save_state(3, state(3))
    folder.save_state(4, state(4))
    path = folder.states / "000004.npz"
    path.write_bytes(path.read_bytes()[:100])
    assert folder.load_state(State, before=10).frame == 3
    assert "state unreadable" in (folder.path / "log.jsonl").read_text()


def test_states_do_not_pile_up_but_a_part_can_be_rendered_again(tmp_path):
    folder = RunFolder.create(tmp_path, "run")
    for frame in range(100):
        folder.save_state(frame, state(frame))
    kept = sorted(int(p.stem) for p in folder.states.glob("*.npz"))
    assert kept[-2:] == [98, 99]
    assert kept[:-2] == list(range(0, 98, KEEP_EVERY))


def _hold(path, held, release):
    with RunFolder(path).locked():
        held.set()
        release.wait(30)


def test_two_processes_never_work_in_one_folder(tmp_path):
    folder = RunFolder.create(tmp_path, "run")
    context = multiprocessing.get_context("spawn")
    held, release = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(folder.path, held, release))
    other.start()
    try:
        assert held.wait(30)
        with pytest.raises(Conflict), folder.locked():
            pass
        other.kill()
        other.join()
        with folder.locked():
            pass
    finally:
        other.kill()
