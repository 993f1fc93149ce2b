from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lib_anim.errors import Conflict, NotFound, Problem
from lib_anim.jobs.queue import store as queues
from lib_anim.jobs.queue.liveness import Presence
from lib_anim.jobs.queue.store import Queue
from lib_anim.jobs.spec import JobSpec

ORDER = JobSpec(kind="keyframed", engine="checker", settings={"seed": 1})


@pytest.fixture
def queue(tmp_path: Path):
    queue = Queue(tmp_path / ".queue.sqlite")
    yield queue
    queue.close()


def names(queue: Queue, id: str) -> list[tuple[str, object]]:
    return [(e.name, e.data.get("status", e.data.get("phase"))) for e in queue.events(id)]


def test_jobs_are_taken_in_their_order_and_by_those_who_have_their_engine(queue):
    other = JobSpec(kind="keyframed", engine="webui", settings={})
    film = JobSpec(kind="assemble", engine="", settings={})
    first, second, third = queue.submit([ORDER, other, film])
    assert queue.lease("a", ["checker"]).id == first
    assert queue.lease("a", ["checker"]).id == third
    assert queue.lease("a", ["checker"]) is None
    assert queue.get(second).status == "queued"
    assert queue.lease("b", ["webui"]).id == second


def test_ids_cannot_be_guessed(queue):
    ids = queue.submit([ORDER] * 50)
    assert len(set(ids)) == 50
    # 128 random bits each.
    assert all(len(id) == 22 for id in ids)


def test_moving_puts_a_job_at_a_place_among_the_waiting(queue):
    ids = queue.submit([ORDER] * 4)
    queue.move(ids[3], 0)
    queue.move(ids[0], -1)
    assert [r.id for r in queue.jobs(["queued"])] == [ids[3], ids[1], ids[2], ids[0]]
    queue.move(ids[1], 1_000)
    assert [r.id for r in queue.jobs(["queued"])] == [ids[3], ids[2], ids[0], ids[1]]
    assert [queue.lease("a", ["checker"]).id for _ in ids] == [ids[3], ids[2], ids[0], ids[1]]
    with pytest.raises(Conflict, match="only queued jobs"):
        queue.move(ids[0], 0)


def test_a_queued_job_is_cancelled_at_once_and_a_running_one_is_asked(queue):
    waiting, running = queue.submit([ORDER, ORDER])
    queue.move(running, 0)
    queue.lease("a", ["checker"])
    assert queue.cancel(waiting).status == "cancelled"
    assert queue.cancel(running).cancelling
    assert queue.get(running).status == "running"
    assert queue.renew(running, "a") is True
    with pytest.raises(Conflict):
        queue.cancel(waiting)
    assert queue.lease("a", ["checker"]) is None


def test_only_ended_jobs_are_resumed(queue):
    (id,) = queue.submit([ORDER])
    with pytest.raises(Conflict, match="queued"):
        queue.resume(id)
    queue.lease("a", ["checker"])
    queue.finish(id, "a", "failed", "failed", None, [Problem("no room", field="run")])
    assert queue.get(id).errors[0]["message"] == "run: no room"
    record = queue.resume(id)
    assert (record.status, record.errors, record.ended) == ("queued", (), None)
    queue.lease("a", ["checker"])
    queue.finish(id, "a", "done", "done", {"film": "film.mp4"})
    with pytest.raises(Conflict, match="done"):
        queue.resume(id)


def test_a_worker_without_the_lease_changes_nothing(queue):
    (id,) = queue.submit([ORDER])
    queue.lease("a", ["checker"])
    before = queue.get(id)
    assert queue.renew(id, "b") is None
    queue.progress(id, "b", 5, 10, 1.0)
    queue.phase(id, "b", "painting")
    queue.warn(id, "b", "something")
    queue.began(id, "b", Path("x"), 10)
    queue.finish(id, "b", "done", "done")
    assert queue.get(id) == before


def test_of_the_progress_only_the_latest_is_kept_and_of_the_rest_everything(queue):
    (id,) = queue.submit([ORDER])
    queue.lease("a", ["checker"])
    queue.phase(id, "a", "painting")
    for done in range(100):
        queue.progress(id, "a", done, 100, None)
    queue.warn(id, "a", "careful")
    queue.warn(id, "a", "careful")
    queue.finish(id, "a", "done", "done")
    events = queue.events(id)
    assert [e.name for e in events] == ["status", "status", "phase", "frames", "warning", "status"]
    assert events[3].data["done"] == 99
    assert [e.number for e in events] == sorted({e.number for e in events})
    assert queue.events(id, events[3].number) == events[4:]
    with pytest.raises(NotFound):
        queue.events("nobody")


def test_following_ends_with_the_job(queue):
    (id,) = queue.submit([ORDER])
    heard: list[str] = []
    begun = threading.Event()

    def follow() -> None:
        for event in queue.follow(id):
            heard.append(event.name)
            begun.set()

    thread = threading.Thread(target=follow)
    thread.start()
    assert begun.wait(10)
    queue.lease("a", ["checker"])
    queue.phase(id, "a", "painting")
    queue.finish(id, "a", "done", "done")
    thread.join(10)
    assert not thread.is_alive()
    assert heard == ["status", "status", "phase", "status"]


def test_what_has_ended_is_forgotten_in_the_end_and_the_waiting_never(queue, monkeypatch):
    monkeypatch.setattr(queues, "KEPT_ENDED", 3)
    ids = queue.submit([ORDER] * 6)
    for id in ids[:5]:
        assert queue.lease("a", ["checker"]).id == id
        queue.finish(id, "a", "done", "done")
    assert {r.id for r in queue.jobs()} == set(ids[2:])
    with pytest.raises(NotFound):
        queue.events(ids[0])
    with pytest.raises(Conflict):
        queue.forget(ids[5])


def test_more_than_may_wait_are_refused_all_together(queue):
    queue.submit([ORDER] * 3, most_waiting=4)
    with pytest.raises(Conflict, match="at most 4"):
        queue.submit([ORDER] * 2, most_waiting=4)
    assert len(queue.jobs()) == 3


def test_the_queue_is_there_after_a_restart(tmp_path):
    first = Queue(tmp_path / "q.sqlite")
    ids = first.submit([ORDER] * 3)
    first.move(ids[2], 0)
    first.close()
    again = Queue(tmp_path / "q.sqlite")
    assert [r.id for r in again.jobs()] == [ids[2], ids[0], ids[1]]
    again.close()


HOLD = """
import sys
from pathlib import Path
from lib_anim.jobs.queue.liveness import Presence
from lib_anim.jobs.queue.store import Queue
queue = Queue(Path(sys.argv[1]))
record = queue.lease((presence := Presence(Path(sys.argv[2]))).worker, ["checker"])
print(record.id, flush=True)
sys.stdin.read()
"""


def test_a_dead_workers_job_becomes_resumable_and_a_living_ones_stays(queue, tmp_path):
    (id,) = queue.submit([ORDER])
    command = [sys.executable, "-c", HOLD, str(queue.path), str(tmp_path / "workers")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline().strip() == id
        presence = Presence(tmp_path / "workers")
        assert queue.reap(presence.alive) == []
        other.kill()
        other.wait()
        assert queue.reap(presence.alive) == [id]
    record = queue.get(id)
    assert (record.status, record.phase, record.resumable) == ("failed", "interrupted", True)
    assert "resume" in record.errors[0]["message"]
    presence.close()
    assert list((tmp_path / "workers").iterdir()) == []


def test_a_worker_of_another_machine_lives_as_long_as_its_lease(tmp_path):
    now = [1_000.0]
    queue = Queue(tmp_path / "q.sqlite", now=lambda: now[0])
    (id,) = queue.submit([ORDER])
    queue.lease("elsewhere/1", ["checker"])
    presence = Presence(tmp_path / "workers", now=lambda: now[0])
    now[0] += queues.LEASE - 1
    assert queue.reap(presence.alive) == []
    assert queue.renew(id, "elsewhere/1") is False
    now[0] += queues.LEASE - 1
    assert queue.reap(presence.alive) == []
    now[0] += 2
    assert queue.reap(presence.alive) == [id]
    assert queue.renew(id, "elsewhere/1") is None


def _take_all(path: str, name: str, out: str) -> None:
    queue = Queue(Path(path))
    taken = []
    while (record := queue.lease(name, ["checker"])) is not None:
        taken.append(record.id)
        queue.finish(record.id, name, "done", "done")
    Path(out).write_text(json.dumps(taken))


def test_four_processes_take_every_job_once(tmp_path):
    queue = Queue(tmp_path / "q.sqlite")
    ids = queue.submit([ORDER] * 100)
    context = multiprocessing.get_context("spawn")
    outs = [tmp_path / f"{n}.json" for n in range(4)]
    processes = [
        context.Process(target=_take_all, args=(str(queue.path), out.stem, str(out))) for out in outs
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    taken = [id for out in outs for id in json.loads(out.read_text())]
    assert sorted(taken) == sorted(ids)
    queue.close()
