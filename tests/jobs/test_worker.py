from __future__ import annotations

from pathlib import Path

import pytest

from lib_anim.jobs.queue import worker
from lib_anim.jobs.queue.store import Queue
from lib_anim.jobs.spec import JobSpec
from lib_anim.kinds.events import FrameDone


def test_quick_frames_before_a_slow_one_are_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Notes are taken at most every 0.1 s: the last of some quick frames is noted by the next renewal."""
    monkeypatch.setattr(worker, "TELL", 1000)
    queue = Queue(tmp_path / ".queue.sqlite")
    (id,) = queue.submit([JobSpec(kind="keyframed", engine="checker", settings={"seed": 1})])
    leased = worker.Leased(queue, "a", queue.lease("a", ["checker"]))
    leased.began(tmp_path, 6)
    for index in range(3):
        leased.hear(FrameDone(index=index, picture=None, painted=True))
    assert queue.get(id).frames_done < 3
    leased.renew()
    assert queue.get(id).frames_done == 3
    before = queue.events(id)
    leased.renew()
    assert queue.events(id) == before
    queue.close()
