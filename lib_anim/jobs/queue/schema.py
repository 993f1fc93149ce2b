"""Tables of the queue's database, and the migrations that bring an older file to the current version."""

from __future__ import annotations

import sqlite3

from lib_anim.errors import Conflict, Problem

MIGRATIONS: tuple[str, ...] = (
    # 1: the tables of files without a version, which exist in those already.
    """
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, place INTEGER NOT NULL, batch TEXT NOT NULL, kind TEXT NOT NULL,
    engine TEXT NOT NULL, settings TEXT NOT NULL, task TEXT NOT NULL, status TEXT NOT NULL,
    phase TEXT NOT NULL DEFAULT '', frames_done INTEGER NOT NULL DEFAULT 0,
    frames INTEGER NOT NULL DEFAULT 0, seconds_left REAL, warnings TEXT NOT NULL DEFAULT '[]',
    errors TEXT NOT NULL DEFAULT '[]', outputs TEXT NOT NULL DEFAULT '{}', run TEXT NOT NULL DEFAULT '',
    created REAL NOT NULL, started REAL, ended REAL, cancelling INTEGER NOT NULL DEFAULT 0,
    worker TEXT NOT NULL DEFAULT '', lease_until REAL NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS jobs_by_place ON jobs (status, place);
CREATE TABLE IF NOT EXISTS events (
    number INTEGER PRIMARY KEY AUTOINCREMENT, job TEXT NOT NULL, time REAL NOT NULL, name TEXT NOT NULL,
    data TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS events_by_job ON events (job, number);
""",
    # 2: the user's name for a job.
    "ALTER TABLE jobs ADD COLUMN label TEXT NOT NULL DEFAULT ''",
)
"""Statements that lead from version n to n + 1; SQLite's `user_version` counts the ones that were applied.
Append only: files of every older version exist."""


def migrate(database: sqlite3.Connection) -> None:
    """Bring a database to the current version, inside the caller's transaction.

    Raises Conflict for a file that a newer version has written.
    """
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        sentence = (
            f"the queue's database has version {version}, this Flipbook reads up to {len(MIGRATIONS)}; "
            "update Flipbook, or move .queue.sqlite out of the data folder"
        )
        raise Conflict(Problem(sentence, field="queue", code="queue.newer_version"))
    for script in MIGRATIONS[version:]:
        for statement in filter(str.strip, script.split(";")):
            database.execute(statement)
    database.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
