from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from lib_anim.actions.services import Services
from lib_anim.engines.checker import CheckerEngine
from lib_anim.engines.contract.capabilities import Capabilities
from lib_anim.engines.contract.engine import Engine
from lib_anim.errors import NotFound

SETTINGS = {
    "width": 64,
    "height": 64,
    "frames": 6,
    "fps": 12,
    "seed": 5,
    "prompts": {"0": "one", "3": "two"},
    "zoom": 1.02,
}


class Checkers:
    """Engines: the checkerboard under its own name, and under any others."""

    def __init__(self, *others: str) -> None:
        self.known: dict[str, Engine] = {name: CheckerEngine() for name in ("checker", *others)}
        self.opened: list[str] = []

    @property
    def default(self) -> str:
        return "checker"

    def names(self) -> Sequence[str]:
        return list(self.known)

    def title(self, name: str) -> str:
        return name.capitalize()

    def capabilities(self, name: str) -> Capabilities | None:
        return self.known[name].capabilities

    def open(self, name: str) -> Engine:
        self.opened.append(name)
        if name not in self.known:
            raise NotFound(f"no engine {name}")
        return self.known[name]

    def models(self) -> Mapping[str, Sequence[str]]:
        return {"checkpoints": ["a", "b"]}

    def close(self) -> None:
        self.known.clear()


@pytest.fixture
def engines() -> Checkers:
    return Checkers()


@pytest.fixture
def services(tmp_path: Path, engines: Checkers) -> Iterator[Services]:
    services = Services(tmp_path / "home", engines)
    yield services
    services.close()


def ended(services: Services, id: str):
    """The job once it has ended."""
    for _ in services.jobs.follow(id):
        pass
    return services.jobs.get(id)
