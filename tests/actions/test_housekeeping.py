from __future__ import annotations

import os
import threading
import time

import pytest

from lib_anim.actions.services import Services
from lib_anim.errors import Conflict, NotFound
from lib_anim.jobs.run.folder import RunFolder

from .conftest import SETTINGS, Checkers, ended
from .test_services import Gate


def test_runs_are_listed_with_what_they_take(services):
    record = ended(services, services.jobs.submit("keyframed", SETTINGS))
    (facts,) = services.folders.all()
    assert (facts.name, facts.kind, facts.status, facts.frames) == (
        record.folder.name,
        "keyframed",
        "done",
        6,
    )
    assert facts.bytes == sum(path.stat().st_size for path in record.folder.rglob("*") if path.is_file())


def test_a_run_goes_to_the_trash_and_comes_back(services):
    record = ended(services, services.jobs.submit("keyframed", SETTINGS))
    name = record.folder.name
    frame = services.jobs.frame(record.id).read_bytes()
    services.throw_away(name)
    assert services.folders.all() == []
    assert [facts.name for facts in services.folders.trash()] == [name]
    with pytest.raises(NotFound, match="deleted"):
        services.jobs.film(record.id)
    services.folders.restore(name)
    assert services.jobs.frame(record.id).read_bytes() == frame
    assert services.folders.trash() == []


def test_the_trash_is_emptied_when_asked_and_after_thirty_days(services, tmp_path):
    for _ in range(2):
        ended(services, services.jobs.submit("keyframed", SETTINGS))
    names = [facts.name for facts in services.folders.all()]
    for name in names:
        services.throw_away(name)
    long_ago = time.time() - 31 * 86_400
    os.utime(tmp_path / "home" / "trash" / names[0], (long_ago, long_ago))
    services.tidy()
    assert [facts.name for facts in services.folders.trash()] == [names[1]]
    assert services.folders.empty_trash() > 0
    assert services.folders.trash() == []


def test_a_run_that_a_job_needs_stays(tmp_path):
    engines = Checkers()
    gate = engines.known["checker"] = Gate()
    services = Services(tmp_path, engines)
    id = services.jobs.submit("keyframed", SETTINGS)
    assert gate.reached.wait(30)
    name = services.jobs.get(id).folder.name
    with pytest.raises(Conflict, match="a job uses it"):
        services.throw_away(name)
    gate.open.set()
    ended(services, id)
    folder = services.jobs.get(id).folder
    holding, done = threading.Event(), threading.Event()

    def hold() -> None:
        with RunFolder(folder).locked():
            holding.set()
            done.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    assert holding.wait(30)
    with pytest.raises(Conflict, match="another process"):
        services.throw_away(name)
    done.set()
    thread.join()
    services.throw_away(name)
    services.close()


@pytest.mark.parametrize("name", ["..", ".", "", "../presets", "a/b", "a\\b", "C:", "/etc", "x\0y"])
def test_only_run_folders_can_be_thrown_away(services, name):
    for act in (services.throw_away, services.folders.restore):
        with pytest.raises(NotFound):
            act(name)
    assert services.runs.is_dir()


def test_previews_do_not_pile_up(services):
    for _ in range(15):
        film = services.queries.preview("keyframed", {**SETTINGS, "frames": 2})
        assert film.is_file()
    assert len(list(film.parent.iterdir())) == 12
