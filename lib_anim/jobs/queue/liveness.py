"""Detect which worker processes are alive, by file locks."""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Callable
from pathlib import Path

from lib_anim.jobs.file_lock import lock


class Presence:
    """A worker's sign of life: a file that it holds locked as long as its process lives."""

    def __init__(self, folder: Path, now: Callable[[], float] = time.time) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._now = now
        self._folder, self._host = folder, socket.gethostname()
        self.worker = f"{self._host}/{secrets.token_hex(8)}"
        self._file = open(self._path(self.worker), "a+b")  # noqa: SIM115 (it stays open as long as this lives)
        lock(self._file.fileno())

    def close(self) -> None:
        """Take the sign away."""
        self._file.close()
        self._path(self.worker).unlink(missing_ok=True)

    def alive(self, worker: str, lease_until: float) -> bool:
        """Whether a worker still lives: on this machine its lock tells, on others the lease alone."""
        host, _, _ = worker.rpartition("/")
        if host != self._host:
            return self._now() < lease_until
        try:
            with open(self._path(worker), "r+b") as file:
                lock(file.fileno())
        except FileNotFoundError:
            return False
        except OSError:
            return True
        self._path(worker).unlink(missing_ok=True)
        return False

    def _path(self, worker: str) -> Path:
        return self._folder / f"{worker.rpartition('/')[2]}.lock"
