"""A server of its own process, for tests."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
V = "/flipbook/v1"


class Server:
    """`python -m lib_anim serve --port 0`, from the moment it listens until it is ended or killed."""

    def __init__(self, home: Path, *flags: str) -> None:
        self.home = home
        command = [
            sys.executable,
            "-u",
            "-m",
            "lib_anim",
            "serve",
            "--port",
            "0",
            "--home",
            str(home),
            *flags,
        ]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        environment.pop("FLIPBOOK_TOKEN", None)
        self.log = (home.parent / f"{home.name}.log").open("ab")
        self.process = subprocess.Popen(
            command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, stderr=self.log, text=True
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
        assert found, line
        self.url = found[0]

    def ask(self, path: str, body: Any = None, method: str | None = None, **headers: str) -> Any:
        """The JSON of a GET, or of a POST of `body`. Raises urllib's HTTPError."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.url}{path}",
            data=data,
            headers={"Content-Type": "application/json", **headers},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)

    def events(self, id: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """(name, data) of a job's events until the stream ends."""
        with urllib.request.urlopen(f"{self.url}{V}/jobs/{id}/events", timeout=300) as stream:
            name = ""
            for line in stream:
                key, _, value = line.decode().rstrip("\n").partition(": ")
                if key == "event":
                    name = value
                elif key == "data":
                    yield name, json.loads(value)

    def ended(self, id: str) -> dict[str, Any]:
        """The job once it has ended."""
        for _ in self.events(id):
            pass
        return dict(self.ask(f"{V}/jobs/{id}"))

    def memory(self) -> int:
        """Bytes that the process holds now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024  # type: ignore[index]

    def kill(self) -> None:
        """As by `kill -9`: at once, and nothing can be put in order."""
        self.process.kill()
        self._gone()

    def stop(self) -> None:
        """As by Ctrl-C."""
        self.process.terminate()
        self._gone()

    def _gone(self) -> None:
        self.process.wait(60)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.log.close()
