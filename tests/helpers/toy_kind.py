"""A kind of film in miniature: what a new kind has to bring."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

from lib_anim.engines.contract.capabilities import Capabilities
from lib_anim.engines.contract.engine import StillPainter, offer_of
from lib_anim.engines.contract.requests import StillRequest
from lib_anim.kinds.base import PaintedKind, Studio
from lib_anim.kinds.draft import DraftOptions
from lib_anim.kinds.events import Event, Finished, FrameDone
from lib_anim.kinds.plans import fingerprint
from lib_anim.kinds.registry import KINDS, SETTINGS, register
from lib_anim.settings.base import Settings
from lib_anim.settings.fields import Number, setting


@dataclass(frozen=True, kw_only=True)
class Toy(Settings):
    """Frames that are painted independently, each with the next seed."""

    kind: ClassVar[str] = "toy"
    frames: int = setting(
        4, Number(label="Frames", help="Length.", group="Film", whole=True, low=1, basic=True)
    )
    seed: int = setting(1, Number(label="Seed", help="Of frame 0.", group="Film", whole=True, low=0))


@dataclass(frozen=True, kw_only=True)
class ToyPlan:
    settings: Toy
    rate: Fraction = Fraction(8)
    size: tuple[int, int] = (64, 64)

    @property
    def frames(self) -> int:
        return self.settings.frames

    @property
    def painted(self) -> tuple[int, ...]:
        return tuple(range(self.frames))

    def fingerprint(self, engine: str) -> str:
        return fingerprint(self.settings, (), engine)


@dataclass(frozen=True, kw_only=True)
class ToyState:
    frame: int


def run(plan: ToyPlan, studio: Studio, inputs: Mapping[str, Any], state: ToyState | None) -> Iterator[Event]:
    painter = offer_of(studio.engine, StillPainter)
    for frame in range(0 if state is None else state.frame + 1, plan.frames):
        seed = plan.settings.seed + frame
        request = StillRequest(prompt="toy", width=64, height=64, seed=seed, steps=1)
        yield FrameDone(frame, painter.still(request), painted=True, state=ToyState(frame=frame))
    yield Finished(plan.frames)


def no_draft(plan: ToyPlan, draft: DraftOptions, capabilities: Capabilities) -> ToyPlan:
    return plan


TOY = PaintedKind(
    name="toy",
    title="Toy",
    settings=Toy,
    needs=lambda settings: {},
    plan=lambda settings, capabilities, seed, probe: ToyPlan(settings=settings),
    make_draft=no_draft,
    run=run,
    state=ToyState,
    soundtrack=lambda plan: None,
)


@contextmanager
def registered() -> Iterator[None]:
    """The toy kind in the registry, for a test."""
    register(TOY)
    try:
        yield
    finally:
        del KINDS["toy"], SETTINGS["toy"]
