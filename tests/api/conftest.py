from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from lib_anim.actions.services import Services
from lib_anim.api.server import create_app
from lib_anim.engines.contract.capabilities import Capabilities
from lib_anim.engines.contract.engine import Engine

V = "/flipbook/v1"

SETTINGS = {
    "width": 64,
    "height": 64,
    "frames": 6,
    "fps": 12,
    "seed": 5,
    "prompts": {"0": "one", "3": "two"},
}

ORDER = {"kind": "keyframed", "settings": SETTINGS}


class Plain:
    """An engine without torch, so that these tests run beside the WebUI's packages too: plain colours."""

    name, fingerprint, warnings = "plain", "plain 1", ()
    capabilities = Capabilities(
        samplers=("Euler", "Euler a"), schedulers=("Automatic",), multiple_of=1, inpaint=True
    )

    def still(self, request, on_step=None):
        digest = hashlib.sha256(f"{request.prompt} {request.seed} {request.denoising}".encode()).digest()
        colour = np.frombuffer(digest[:3], np.uint8).astype(np.float32) / 255
        return np.broadcast_to(colour, (request.height, request.width, 3)).copy()

    def clip(self, request, on_step=None):
        raise AssertionError("nobody asks for a clip here")

    def close(self) -> None:
        """Nothing to free."""


class Gate(Plain):
    """It waits before its third picture until somebody opens."""

    def __init__(self) -> None:
        self.painted = 0
        self.reached, self.open = threading.Event(), threading.Event()

    def still(self, request, on_step=None):
        if self.painted == 2:
            self.reached.set()
            assert self.open.wait(60)
        self.painted += 1
        return super().still(request, on_step)


class Two:
    """Engines: a plain one, and one that waits."""

    def __init__(self) -> None:
        self.known: dict[str, Engine] = {"checker": Plain(), "gate": Gate()}

    default = "checker"

    def names(self) -> Sequence[str]:
        return list(self.known)

    def title(self, name: str) -> str:
        return name

    def capabilities(self, name: str) -> Capabilities | None:
        return self.known[name].capabilities

    def open(self, name: str) -> Engine:
        return self.known[name]

    def models(self) -> Mapping[str, Sequence[str]]:
        return {"checkpoints": []}

    def close(self) -> None:
        """Nothing to free."""


@pytest.fixture
def engines() -> Two:
    return Two()


@pytest.fixture
def gate(engines: Two) -> Iterator[Gate]:
    gate: Any = engines.known["gate"]
    yield gate
    gate.open.set()


@pytest.fixture
def services(tmp_path: Path, engines: Two, gate: Gate) -> Iterator[Services]:
    services = Services(tmp_path / "home", engines)
    yield services
    gate.open.set()
    services.close()


@pytest.fixture
def app(services: Services) -> FastAPI:
    return create_app(services, hosts=["testserver"])


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def submit(client: TestClient, order: Any = ORDER, **more: Any) -> str:
    answer = client.post(f"{V}/jobs", json={**order, **more})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["ids"][0])


def ended(client: TestClient, id: str) -> dict[str, Any]:
    """The job once its event stream has ended."""
    events(client, id)
    found: dict[str, Any] = client.get(f"{V}/jobs/{id}").json()
    return found


def events(client: TestClient, id: str, after: str = "") -> list[tuple[int, str, str]]:
    """(number, name, data) of every event until the stream ends."""
    headers = {"Last-Event-ID": after} if after else {}
    found = []
    with client.stream("GET", f"{V}/jobs/{id}/events", headers=headers) as stream:
        lines: dict[str, str] = {}
        for line in stream.iter_lines():
            name, _, value = line.partition(": ")
            if name in ("id", "event", "data"):
                lines[name] = value
            if name == "data":
                found.append((int(lines["id"]), lines["event"], lines["data"]))
    return found
