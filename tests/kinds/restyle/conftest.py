"""Plans of restyled films, and an engine that hashes what it receives."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from lib_anim.engines.contract.capabilities import Capabilities, Style
from lib_anim.engines.contract.engine import OnStep
from lib_anim.engines.contract.requests import StillRequest
from lib_anim.kinds.needs import VideoNeed
from lib_anim.kinds.restyle.plan import RestylePlan, plan
from lib_anim.kinds.restyle.settings import Restyle
from lib_anim.media.contract import SourceInfo
from lib_anim.types import Picture

FRAMES = 8
QUIET: dict[str, Any] = {"video": "v.mp4", "seed": 5, "prompts": "a board"}
"""A film of eight frames in which nothing happens: each test adds what it is about."""

EVERYTHING = Capabilities(
    samplers=("Euler a", "Euler"),
    schedulers=("Automatic", "Karras"),
    subseed=True,
    inpaint=True,
    travel=True,
    restore_faces=True,
    tiling=True,
    checkpoints=("one", "two"),
    vaes=("soft", "hard"),
    control=True,
    control_models=("canny", "depth"),
    control_modules=("none", "hed"),
    scripts=("ADetailer", "ControlNet"),
    styles={"ink": Style("{prompt}, ink on paper", "colour"), "night": Style("at night", "")},
)


def digest(picture: np.ndarray | None) -> str:
    return "" if picture is None else hashlib.sha256(np.ascontiguousarray(picture).tobytes()).hexdigest()


class Recorder:
    """Paints each seed's grey over half of the init, and keeps every request and the hashes in it."""

    name = "recorder"
    fingerprint = "recorder 1"
    warnings = ()

    def __init__(self, capabilities: Capabilities = EVERYTHING) -> None:
        self.capabilities = capabilities
        self.requests: list[StillRequest] = []
        self.control: list[tuple[str, ...]] = []

    def still(self, request: StillRequest, on_step: OnStep | None = None) -> Picture:
        self.requests.append(request)
        self.control.append(tuple(digest(unit.image) for unit in request.control))
        painted = request.init * np.float32(0.5) + np.float32((request.seed % 7) / 20)
        if request.mask is not None:
            painted = np.where(request.mask[..., None] > 0.5, painted, request.init)
        return painted

    def close(self) -> None:
        return None


class Video:
    """A source of frames that holds them."""

    warnings = ()

    def __init__(self, frames: np.ndarray) -> None:
        self.frames = frames

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> np.ndarray:
        if not 0 <= index < len(self.frames):
            raise IndexError(index)
        return self.frames[index]


def frames_of(seed: int, count: int = FRAMES, channels: int = 3) -> Video:
    rng = np.random.default_rng(seed)
    return Video(rng.integers(0, 256, (count, 64, 64, channels), dtype=np.uint8))


class Looks:
    """What every file of these tests is; by default a film of eight frames at 12 per second."""

    def __init__(self) -> None:
        self.known: dict[str, dict[str, Any]] = {}

    def __call__(self, need: VideoNeed) -> SourceInfo:
        facts = {"width": 64, "height": 64, "rate": Fraction(12), "frames": FRAMES}
        return SourceInfo(**{**facts, **self.known.get(need.path.name, {})})


@pytest.fixture
def looks() -> Looks:
    return Looks()


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def quiet(looks: Looks) -> Callable[..., RestylePlan]:
    """A plan of the quiet film with some settings changed."""

    def make(**changes: Any) -> RestylePlan:
        return plan(Restyle(**{**QUIET, **changes}), EVERYTHING, 0, looks)

    return make
