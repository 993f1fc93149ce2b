"""Plans and an engine that writes down what it is asked."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from lib_anim.engines.contract.capabilities import Capabilities
from lib_anim.engines.contract.engine import OnStep
from lib_anim.engines.contract.requests import StillRequest
from lib_anim.kinds.keyframed.plan import KeyframedPlan, plan
from lib_anim.kinds.keyframed.settings import Keyframed
from lib_anim.kinds.needs import VideoNeed
from lib_anim.media.contract import SourceInfo
from lib_anim.types import Picture

QUIET: dict[str, Any] = {
    "width": 64,
    "height": 64,
    "frames": 6,
    "seed": 5,
    "prompts": {"0": "a board"},
    "noise": 0,
    "sharpen_amount": 0,
    "color_coherence": "None",
    "strength": 1,
}
"""A film in which nothing happens: each test adds what it is about."""


class Recorder:
    """Returns the init as it is (or noise from the seed without one) and keeps every request."""

    name = "recorder"
    fingerprint = "recorder 1"
    warnings = ()
    capabilities = Capabilities(
        samplers=("Euler a", "Euler"),
        schedulers=("Automatic", "Karras"),
        subseed=True,
        inpaint=True,
        travel=True,
        checkpoints=("one", "two"),
        vaes=("soft", "hard"),
    )

    def __init__(self, first: Picture | None = None) -> None:
        self.requests: list[StillRequest] = []
        self.first = first

    def still(self, request: StillRequest, on_step: OnStep | None = None) -> Picture:
        self.requests.append(request)
        if request.init is not None:
            return request.init.copy()
        if self.first is not None:
            return self.first
        return np.random.default_rng(request.seed).random((request.height, request.width, 3), np.float32)

    def close(self) -> None:
        return None


class Video:
    """A source of frames that holds them."""

    def __init__(self, frames: np.ndarray) -> None:
        self.frames = frames

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> np.ndarray:
        return self.frames[index]


def probe(need: VideoNeed) -> SourceInfo:
    """Every video of these tests has eight frames."""
    frames = len(range(8)[need.start : need.stop : need.every])
    return SourceInfo(width=64, height=64, rate=Fraction(12), frames=frames)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def quiet() -> Callable[..., KeyframedPlan]:
    """A plan of the quiet film with some settings changed."""

    def make(**changes: Any) -> KeyframedPlan:
        return plan(Keyframed(**{**QUIET, **changes}), Recorder.capabilities, 0, probe)

    return make
