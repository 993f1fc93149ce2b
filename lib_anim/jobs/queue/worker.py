"""The worker thread that takes jobs from the queue and executes them."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

from lib_anim.engines.contract.engine import Interrupted
from lib_anim.errors import FlipbookError, Problem
from lib_anim.jobs.queue.liveness import Presence
from lib_anim.jobs.queue.record import JobRecord
from lib_anim.jobs.queue.store import LOOK, Queue
from lib_anim.kinds.events import Estimated, Event, FrameDone, Progress, Warned

LOG = logging.getLogger(__name__)

BEAT = 1.0
"""Seconds between renewals of a lease; also how soon a cancellation by another process is seen."""

TELL = 0.1
"""Seconds between notes of how far a job is: more often costs more than anybody can see."""


class Leased:
    """A job that this worker holds: what the work tells and asks while it is done."""

    def __init__(self, queue: Queue, worker: str, record: JobRecord) -> None:
        self.record = record
        self._queue, self._worker = queue, worker
        self._ending: Literal["", "cancelled", "closing", "lost"] = ""
        self._done, self._frames = record.frames_done, record.frames
        self._phase, self._told, self._noted = record.phase, 0.0, record.frames_done
        self._pace = _Pace()

    def began(self, run: Path, frames: int) -> None:
        """The run folder and the film's length, before its first frame is made."""
        self._frames = frames
        self._queue.began(self.record.id, self._worker, run, frames)

    def phase(self, word: str) -> None:
        """What is being done now, in a word for people."""
        if word != self._phase:
            self._phase = word
            self._queue.phase(self.record.id, self._worker, word)

    def hear(self, event: Event) -> None:
        """A listener for `render`."""
        if isinstance(event, Warned):
            self._queue.warn(self.record.id, self._worker, event.sentence)
        elif isinstance(event, Estimated):
            self._pace.begin(event.paint)
        elif isinstance(event, Progress):
            self.phase(event.phase)
            self._frames = self._frames or event.total
            self._progress(event.done)
        elif isinstance(event, FrameDone):
            if event.painted:
                self._pace.painted()
            self._progress(event.index + 1)

    def _progress(self, done: int) -> None:
        self._done = done
        now = time.monotonic()
        if now - self._told >= TELL or done == self._frames:
            self._told = now
            # A film does not end for a note that could not be taken; the next one stands for it.
            with suppress(sqlite3.Error):
                self._note(self._pace.seconds_left())

    def _note(self, seconds_left: float | None) -> None:
        done = self._done
        self._queue.progress(self.record.id, self._worker, done, self._frames, seconds_left)
        self._noted = done

    def stopping(self) -> bool:
        """Whether to end after this frame."""
        return bool(self._ending)

    def on_step(self, step: int, steps: int) -> None:
        """Between two denoising steps: raises Interrupted when the job must not go on at all."""
        if self._ending in ("closing", "lost"):
            raise Interrupted

    def renew(self) -> None:
        """Renew the lease, look whether somebody wants the job to end, note frames not noted yet."""
        cancelling = self._queue.renew(self.record.id, self._worker)
        if cancelling is None:
            self._ending = "lost"
        elif cancelling and not self._ending:
            self._ending = "cancelled"
        if self._noted != self._done:
            # The last of a few quick frames: the next one, which would be noted, may be minutes away.
            self._note(self._pace.seconds_left())

    def close(self) -> None:
        """End soon, since the process ends."""
        self._ending = self._ending or "closing"

    def ended(self, finished: bool, outputs: Mapping[str, str]) -> None:
        """Write down how it ended: done, cancelled, or resumable because the process closes."""
        self._note(None)
        finish = self._queue.finish
        if finished:
            finish(self.record.id, self._worker, "done", "done", outputs)
        elif self._ending == "cancelled":
            finish(self.record.id, self._worker, "cancelled", "cancelled", outputs)
        else:
            sentence = Problem("it was stopped before its end; `resume` continues it", code="job.interrupted")
            finish(self.record.id, self._worker, "failed", "interrupted", outputs, [sentence])

    def failed(self, problems: Sequence[Problem]) -> None:
        """Write down why it did not come to its end."""
        self._note(None)
        self._queue.finish(self.record.id, self._worker, "failed", "failed", None, problems)


class _Pace:
    """Time left, from the pictures that were painted in this stretch of work."""

    def __init__(self) -> None:
        self._ahead = self._done = 0
        self._began = time.monotonic()

    def begin(self, ahead: int) -> None:
        self._ahead, self._done, self._began = ahead, 0, time.monotonic()

    def painted(self) -> None:
        self._done += 1

    def seconds_left(self) -> float | None:
        if not self._done:
            return None
        each = (time.monotonic() - self._began) / self._done
        return round(each * max(0, self._ahead - self._done), 1)


Work = Callable[[Leased], None]
"""Does a job and calls `ended`; what it raises becomes the job's error."""


class Worker:
    """Takes jobs one after the other until it is closed. A failing one does not stop the next."""

    def __init__(self, queue: Queue, workers: Path, engines: Callable[[], Sequence[str]], work: Work) -> None:
        self._queue, self._engines, self._work = queue, engines, work
        self._presence = Presence(workers)
        self._wake, self._closing = threading.Event(), threading.Event()
        self._leased: Leased | None = None
        self._thread = threading.Thread(target=self._take, name="flipbook-worker", daemon=True)
        self._beat = threading.Thread(target=self._renew, name="flipbook-lease", daemon=True)
        self._queue.reap(self._presence.alive)
        self._thread.start()
        self._beat.start()

    def nudge(self) -> None:
        """Look at the queue now: there is a new job, or one was asked to end."""
        self._wake.set()
        if (leased := self._leased) is not None:
            leased.renew()

    def close(self, timeout: float | None = None) -> None:
        """End the job in hand so that it can be resumed, and the threads."""
        self._closing.set()
        self._wake.set()
        if (leased := self._leased) is not None:
            leased.close()
        self._thread.join(timeout)
        self._beat.join(timeout)
        self._presence.close()

    def _take(self) -> None:
        while not self._closing.is_set():
            self._wake.clear()
            try:
                self._queue.reap(self._presence.alive)
                record = self._queue.lease(self._presence.worker, self._engines())
            except Exception:
                # The disk may be full for a while; the jobs are still there afterwards.
                LOG.exception("the queue cannot be read; trying again")
                record = None
            if record is None:
                self._wake.wait(LOOK)
            else:
                self._do(record)

    def _do(self, record: JobRecord) -> None:
        self._leased = leased = Leased(self._queue, self._presence.worker, record)
        if self._closing.is_set():
            leased.close()
        try:
            self._work(leased)
        except FlipbookError as error:
            self._fail(leased, error.problems)
        except BaseException as error:
            # Also what is not an Exception: a host ends requests with such, and the next job must run.
            LOG.exception("job %s failed", record.id)
            sentence = f"an unexpected error occurred ({type(error).__name__}: {error})"
            self._fail(leased, [Problem(sentence, code="internal.error")])
        finally:
            self._leased = None

    def _fail(self, leased: Leased, problems: Sequence[Problem]) -> None:
        """Write the failure down; as often as it takes, where the disk is what fails."""
        while True:
            try:
                return leased.failed(problems)
            except sqlite3.Error:
                LOG.exception("the queue cannot be written; trying again")
                if self._closing.wait(LOOK):
                    return

    def _renew(self) -> None:
        while not self._closing.wait(BEAT):
            if (leased := self._leased) is not None:
                # A lease that could not be renewed once holds for a minute more.
                with suppress(Exception):
                    leased.renew()
