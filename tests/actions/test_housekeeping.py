from __future__ import annotations

import os
import threading
import time

import pytest

from lib_anim.actions.desk import Desk
from lib_anim.errors import Conflict, NotFound
from lib_anim.jobs.run.folder import RunFolder

from .conftest import SETTINGS, Checkers, ended
from .test_desk import Gate


def test_runs_are_listed_with_what_they_take(desk):
    record = ended(desk, desk.submit("keyframed", SETTINGS))
    (facts,) = desk.folders.all()
    assert (facts.name, facts.kind, facts.status, facts.frames) == (
        record.folder.name,
        "keyframed",
        "done",
        6,
    )
    assert facts.bytes == sum(path.stat().st_size for path in record.folder.rglob("*") if path.is_file())


def test_a_run_goes_to_the_trash_and_comes_back(desk):
    record = ended(desk, desk.submit("keyframed", SETTINGS))
    name = record.folder.name
    frame = desk.frame(record.id).read_bytes()
    desk.throw_away(name)
    assert desk.folders.all() == []
    assert [facts.name for facts in desk.folders.trash()] == [name]
    with pytest.raises(NotFound, match="deleted"):
        desk.film(record.id)
    desk.folders.restore(name)
    assert desk.frame(record.id).read_bytes() == frame
    assert desk.folders.trash() == []


def test_the_trash_is_emptied_when_asked_and_after_thirty_days(desk, tmp_path):
    for _ in range(2):
        ended(desk, desk.submit("keyframed", SETTINGS))
    names = [facts.name for facts in desk.folders.all()]
    for name in names:
        desk.throw_away(name)
    long_ago = time.time() - 31 * 86_400
    os.utime(tmp_path / "home" / "trash" / names[0], (long_ago, long_ago))
    desk.tidy()
    assert [facts.name for facts in desk.folders.trash()] == [names[1]]
    assert desk.folders.empty_trash() > 0
    assert desk.folders.trash() == []


def test_a_run_that_a_job_needs_stays(tmp_path):
    engines = Checkers()
    gate = engines.known["checker"] = Gate()
    desk = Desk(tmp_path, engines)
    id = desk.submit("keyframed", SETTINGS)
    assert gate.reached.wait(30)
    name = desk.job(id).folder.name
    with pytest.raises(Conflict, match="a job needs it"):
        desk.throw_away(name)
    gate.open.set()
    ended(desk, id)
    folder = desk.job(id).folder
    holding, done = threading.Event(), threading.Event()

    def hold() -> None:
        with RunFolder(folder).locked():
            holding.set()
            done.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    assert holding.wait(30)
    with pytest.raises(Conflict, match="another process"):
        desk.throw_away(name)
    done.set()
    thread.join()
    desk.throw_away(name)
    desk.close()


@pytest.mark.parametrize("name", ["..", ".", "", "../presets", "a/b", "a\\b", "C:", "/etc", "x\0y"])
def test_only_run_folders_can_be_thrown_away(desk, name):
    for act in (desk.throw_away, desk.folders.restore):
        with pytest.raises(NotFound):
            act(name)
    assert desk.runs.is_dir()


def test_previews_do_not_pile_up(desk):
    for _ in range(15):
        film = desk.preview("keyframed", {**SETTINGS, "frames": 2})
        assert film.is_file()
    assert len(list(film.parent.iterdir())) == 12
