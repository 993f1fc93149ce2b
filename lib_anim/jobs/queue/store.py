"""The job queue: one SQLite file that several processes may share.

A worker leases a job, renews the lease while it works, and holds a locked file for as long as its
process lives. A job whose worker is dead becomes failed and resumable, so nothing runs twice or
restarts unasked.

Longer than most files: every statement that touches the table is here, so that what a transaction holds
together can be read in one place.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from lib_anim.errors import Conflict, NotFound, Problem
from lib_anim.jobs.queue.record import ENDED, JobEvent, JobRecord, Status
from lib_anim.jobs.queue.schema import migrate
from lib_anim.jobs.spec import JobSpec

LEASE = 60.0
"""Seconds for which a lease holds without being renewed."""

LOOK = 0.25
"""Seconds between looks at what other processes did."""

KEPT_ENDED = 1_000
"""Ended jobs that are remembered; the run folders of older ones stay."""

DIED = "the process that rendered this film ended; `resume` continues it"

_COLUMNS = (
    "rowid AS number, id, place, batch, kind, engine, settings, task, status, phase, frames_done, frames,"
    " seconds_left, warnings, errors, outputs, run, created, started, ended, cancelling, label"
)


class Queue:
    """One view of the queue's file. Every method is one transaction; objects may be shared by threads."""

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        self.path = path
        self._now = now
        self._lock = threading.Lock()
        self._told = threading.Condition()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(path, timeout=30, check_same_thread=False, isolation_level=None)
        self._database.row_factory = sqlite3.Row
        # A process that dies loses nothing in this mode; only a power cut may take the last changes.
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")
        with self._writing() as database:
            migrate(database)

    def close(self) -> None:
        """Close the file; the object cannot be used any more."""
        with self._lock:
            self._database.close()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")
        with self._told:
            self._told.notify_all()

    def _rows(self, sql: str, *values: object) -> list[sqlite3.Row]:
        with self._lock, closing(self._database.execute(sql, values)) as cursor:
            return cursor.fetchall()

    # What people ask for.

    def submit(self, specs: Sequence[JobSpec], most_waiting: int | None = None) -> list[str]:
        """Put jobs at the end, all or none; returns their ids. Raises Conflict when too many wait."""
        batch = secrets.token_urlsafe(12)
        ids = [secrets.token_urlsafe(16) for _ in specs]
        with self._writing() as database:
            waiting = database.execute("SELECT count(*) FROM jobs WHERE status = 'queued'").fetchone()[0]
            if most_waiting is not None and waiting + len(specs) > most_waiting:
                sentence = (
                    f"{waiting} jobs are waiting, at most {most_waiting} are allowed; cancel some or wait"
                )
                raise Conflict(Problem(sentence, field="jobs", code="queue.full"))
            place = _next_place(database)
            for number, (id, spec) in enumerate(zip(ids, specs, strict=True)):
                database.execute(
                    "INSERT INTO jobs (id, place, batch, kind, engine, settings, task, status, warnings, run,"
                    " created, label) VALUES (?, ?, ?, ?, ?, ?, ?, 'queued', ?, ?, ?, ?)",
                    (
                        *(id, place + number, batch, spec.kind, spec.engine, _text(spec.settings)),
                        *(_text(spec.task()), _text(spec.warnings), str(spec.run or ""), self._now()),
                        spec.label,
                    ),
                )
                self._tell(database, id, "status", {"status": "queued"})
        return ids

    def get(self, id: str) -> JobRecord:
        """Raises NotFound."""
        rows = self._rows(f"SELECT {_COLUMNS} FROM jobs WHERE id = ?", id)
        if not rows:
            raise _no_job()
        return _record(rows[0])

    def jobs(
        self, statuses: Sequence[Status] = (), limit: int = KEPT_ENDED, batch: str | None = None
    ) -> list[JobRecord]:
        """The running ones, then the waiting ones in their order, then those that ended, newest first."""
        conditions, values = ["1"], list[object]()
        if statuses:
            conditions.append(f"status IN ({_marks(statuses)})")
            values += statuses
        if batch is not None:
            conditions.append("batch = ?")
            values.append(batch)
        rows = self._rows(
            f"SELECT {_COLUMNS} FROM jobs WHERE {' AND '.join(conditions)} ORDER BY"
            " CASE status WHEN 'running' THEN 0 WHEN 'queued' THEN 1 ELSE 2 END,"
            " CASE WHEN status IN ('running', 'queued') THEN place ELSE -ended END, place LIMIT ?",
            *values,
            limit,
        )
        return [_record(row) for row in rows]

    def cancel(self, id: str) -> JobRecord:
        """End a queued job now, a running one after its frame. Raises NotFound, Conflict after its end."""
        with self._writing() as database:
            record = self._present(database, id)
            if record.status in ENDED:
                raise Conflict(
                    Problem(
                        f"it is {record.status} already; there is nothing to cancel",
                        field="job",
                        code="job.wrong_status",
                    )
                )
            if record.status == "queued":
                self._end(database, id, "cancelled", "cancelled before it began")
            elif not record.cancelling:
                database.execute("UPDATE jobs SET cancelling = 1 WHERE id = ?", (id,))
                self._tell(database, id, "phase", {"phase": "ending after this frame"})
        return self.get(id)

    def resume(self, id: str) -> JobRecord:
        """Queue a failed or cancelled job again, at the end. Raises NotFound, Conflict for any other."""
        with self._writing() as database:
            record = self._present(database, id)
            if not record.resumable:
                raise Conflict(
                    Problem(
                        f"it is {record.status}; only failed and cancelled jobs can be resumed",
                        field="job",
                        code="job.wrong_status",
                    )
                )
            database.execute(
                "UPDATE jobs SET status = 'queued', phase = '', errors = '[]', ended = NULL, cancelling = 0,"
                " seconds_left = NULL, place = ? WHERE id = ?",
                (_next_place(database), id),
            )
            self._tell(database, id, "status", {"status": "queued"})
        return self.get(id)

    def move(self, id: str, to: int) -> JobRecord:
        """Put a queued job at a place among the queued ones: 0 is next, -1 is last. Raises as `cancel`."""
        with self._writing() as database:
            record = self._present(database, id)
            if record.status != "queued":
                raise Conflict(
                    Problem(
                        f"it is {record.status}; only queued jobs can be moved",
                        field="job",
                        code="job.wrong_status",
                    )
                )
            rows = database.execute("SELECT id, place FROM jobs WHERE status = 'queued' ORDER BY place")
            waiting = [(row["id"], row["place"]) for row in rows.fetchall()]
            order = [other for other, _ in waiting if other != id]
            order.insert(len(order) if to == -1 else min(max(to, 0), len(order)), id)
            for other, (_, place) in zip(order, waiting, strict=True):
                database.execute("UPDATE jobs SET place = ? WHERE id = ?", (place, other))
            self._tell(database, id, "moved", {"to": order.index(id)})
        return self.get(id)

    def forget(self, id: str) -> None:
        """Drop an ended job from the list; its run folder stays. Raises NotFound, Conflict."""
        with self._writing() as database:
            record = self._present(database, id)
            if record.status not in ENDED:
                raise Conflict(
                    Problem(f"it is {record.status}; cancel it first", field="job", code="job.wrong_status")
                )
            self._drop(database, [id])

    def events(self, id: str, after: int = 0, limit: int = 500) -> list[JobEvent]:
        """What happened to a job since event number `after`, oldest first. Raises NotFound."""
        rows = self._rows(
            "SELECT * FROM events WHERE job = ? AND number > ? ORDER BY number LIMIT ?", id, after, limit
        )
        if not rows:
            self.get(id)
        return [JobEvent(r["number"], r["job"], r["time"], r["name"], json.loads(r["data"])) for r in rows]

    def follow(self, id: str, after: int = 0) -> Iterator[JobEvent]:
        """What happens to a job until it has ended; waits between events. Raises NotFound."""
        while True:
            ended = self.get(id).status in ENDED
            events = self.events(id, after)
            for event in events:
                after = event.number
                yield event
            if not events:
                if ended:
                    return
                with self._told:
                    # Other processes write the file too, and nobody tells of that.
                    self._told.wait(LOOK)

    # What workers do.

    def lease(self, worker: str, engines: Sequence[str]) -> JobRecord | None:
        """Take the next queued job that one of these engines paints, or that needs none; None without one."""
        with self._writing() as database:
            names = ("", *engines)
            row = database.execute(
                f"SELECT id FROM jobs WHERE status = 'queued' AND engine IN ({_marks(names)})"
                " ORDER BY place LIMIT 1",
                names,
            ).fetchone()
            if row is None:
                return None
            now = self._now()
            database.execute(
                "UPDATE jobs SET status = 'running', worker = ?, lease_until = ?, started = ?, phase = ''"
                " WHERE id = ?",
                (worker, now + LEASE, now, row["id"]),
            )
            self._tell(database, row["id"], "status", {"status": "running"})
            return self._present(database, row["id"])

    def renew(self, id: str, worker: str) -> bool | None:
        """Renew a lease. Returns whether the job was asked to end, and None when the lease is lost."""
        with self._writing() as database:
            database.execute(
                "UPDATE jobs SET lease_until = ? WHERE id = ? AND worker = ? AND status = 'running'",
                (self._now() + LEASE, id, worker),
            )
            row = database.execute(
                "SELECT cancelling FROM jobs WHERE id = ? AND worker = ? AND status = 'running'", (id, worker)
            ).fetchone()
        return None if row is None else bool(row["cancelling"])

    def began(self, id: str, worker: str, run: Path, frames: int) -> None:
        """Remember the run folder, before its first frame."""
        self._change(id, worker, "UPDATE jobs SET run = ?, frames = ?", str(run), frames)

    def progress(self, id: str, worker: str, done: int, frames: int, seconds_left: float | None) -> None:
        """Note how far a job is. Of its `frames` events only this one is kept."""
        with self._writing() as database:
            changed = database.execute(
                "UPDATE jobs SET frames_done = ?, frames = ?, seconds_left = ?"
                " WHERE id = ? AND worker = ? AND status = 'running'",
                (done, frames, seconds_left, id, worker),
            ).rowcount
            if changed:
                database.execute("DELETE FROM events WHERE job = ? AND name = 'frames'", (id,))
                data = {"done": done, "frames": frames, "seconds_left": seconds_left}
                self._tell(database, id, "frames", data)

    def phase(self, id: str, worker: str, phase: str) -> None:
        """Say what is being done now."""
        if self._change(id, worker, "UPDATE jobs SET phase = ?", phase):
            with self._writing() as database:
                self._tell(database, id, "phase", {"phase": phase})

    def warn(self, id: str, worker: str, sentence: str) -> None:
        """Add a warning that the job does not have yet."""
        with self._writing() as database:
            row = database.execute(
                "SELECT warnings FROM jobs WHERE id = ? AND worker = ? AND status = 'running'", (id, worker)
            ).fetchone()
            known = [] if row is None else json.loads(row["warnings"])
            if row is None or sentence in known:
                return
            database.execute("UPDATE jobs SET warnings = ? WHERE id = ?", (_text([*known, sentence]), id))
            self._tell(database, id, "warning", {"sentence": sentence})

    def finish(
        self,
        id: str,
        worker: str,
        status: Status,
        phase: str,
        outputs: Mapping[str, str] | None = None,
        errors: Sequence[Problem] = (),
    ) -> None:
        """Write down how a leased job ended. Nothing happens when the lease is lost."""
        with self._writing() as database:
            row = database.execute("SELECT worker, status FROM jobs WHERE id = ?", (id,)).fetchone()
            if row is None or row["worker"] != worker or row["status"] != "running":
                return
            if outputs is not None:
                database.execute("UPDATE jobs SET outputs = ? WHERE id = ?", (_text(outputs), id))
            self._end(database, id, status, phase, errors)
            self._drop_old(database)

    def reap(self, alive: Callable[[str, float], bool]) -> list[str]:
        """Mark running jobs whose worker is not `alive(worker, lease_until)` as failed; returns their ids."""
        rows = self._rows("SELECT id, worker, lease_until FROM jobs WHERE status = 'running'")
        dead = [row for row in rows if not alive(row["worker"], row["lease_until"])]
        reaped = []
        for row in dead:
            with self._writing() as database:
                held = database.execute(
                    "SELECT 1 FROM jobs WHERE id = ? AND worker = ? AND lease_until = ?"
                    " AND status = 'running'",
                    (row["id"], row["worker"], row["lease_until"]),
                ).fetchone()
                if held:
                    self._end(
                        database, row["id"], "failed", "interrupted", [Problem(DIED, code="job.interrupted")]
                    )
                    reaped.append(row["id"])
        return reaped

    # Inside a transaction.

    def _change(self, id: str, worker: str, update: str, *values: object) -> bool:
        with self._writing() as database:
            sql = f"{update} WHERE id = ? AND worker = ? AND status = 'running'"
            return database.execute(sql, (*values, id, worker)).rowcount > 0

    def _present(self, database: sqlite3.Connection, id: str) -> JobRecord:
        row = database.execute(f"SELECT {_COLUMNS} FROM jobs WHERE id = ?", (id,)).fetchone()
        if row is None:
            raise _no_job()
        return _record(row)

    def _end(
        self,
        database: sqlite3.Connection,
        id: str,
        status: Status,
        phase: str,
        errors: Sequence[Problem] = (),
    ) -> None:
        problems = [problem.as_json() for problem in errors]
        database.execute(
            "UPDATE jobs SET status = ?, phase = ?, errors = ?, ended = ?, seconds_left = NULL,"
            " cancelling = 0, worker = '', lease_until = 0 WHERE id = ?",
            (status, phase, _text(problems), self._now(), id),
        )
        self._tell(database, id, "status", {"status": status, "phase": phase, "errors": problems})

    def _tell(self, database: sqlite3.Connection, id: str, name: str, data: Mapping[str, Any]) -> None:
        database.execute(
            "INSERT INTO events (job, time, name, data) VALUES (?, ?, ?, ?)",
            (id, self._now(), name, _text(data)),
        )

    def _drop_old(self, database: sqlite3.Connection) -> None:
        rows = database.execute(
            f"SELECT id FROM jobs WHERE status IN ({_marks(ENDED)}) ORDER BY ended DESC LIMIT -1 OFFSET ?",
            (*ENDED, KEPT_ENDED),
        ).fetchall()
        self._drop(database, [row["id"] for row in rows])

    def _drop(self, database: sqlite3.Connection, ids: Sequence[str]) -> None:
        for id in ids:
            database.execute("DELETE FROM events WHERE job = ?", (id,))
            database.execute("DELETE FROM jobs WHERE id = ?", (id,))


def _no_job() -> NotFound:
    return NotFound(
        Problem(
            "there is no such job; it may have been removed from the list",
            field="job",
            code="job.not_found",
        )
    )


def _next_place(database: sqlite3.Connection) -> int:
    return int(database.execute("SELECT coalesce(max(place), 0) + 1 FROM jobs").fetchone()[0])


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _record(row: sqlite3.Row) -> JobRecord:
    return JobRecord(
        **{name: row[name] for name in ("id", "place", "batch", "kind", "engine", "status", "phase")},
        **{name: row[name] for name in ("frames_done", "frames", "seconds_left", "run", "number")},
        **{name: row[name] for name in ("created", "started", "ended")},
        settings=json.loads(row["settings"]),
        task=json.loads(row["task"]),
        label=row["label"],
        warnings=tuple(json.loads(row["warnings"])),
        errors=tuple(json.loads(row["errors"])),
        outputs=json.loads(row["outputs"]),
        cancelling=bool(row["cancelling"]),
    )
