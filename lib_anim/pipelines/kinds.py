"""The kinds of film: one record each. Every door lists them from here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

from lib_anim.engines.contract import Capabilities, Engine, OnStep, Picture
from lib_anim.pipelines.events import Event
from lib_anim.pipelines.keyframed.pipeline import Inputs, LoopState
from lib_anim.pipelines.keyframed.pipeline import run as run_keyframed
from lib_anim.pipelines.keyframed.plan import KeyframedPlan
from lib_anim.pipelines.keyframed.plan import plan as plan_keyframed
from lib_anim.pipelines.needs import PictureNeed
from lib_anim.settings.base import Settings
from lib_anim.settings.keyframed import Keyframed


class Plan(Protocol):
    """What jobs know of any kind's plan."""

    @property
    def settings(self) -> Settings: ...

    @property
    def frames(self) -> int: ...

    @property
    def rate(self) -> Fraction: ...

    def fingerprint(self, engine: str) -> str: ...


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One way of making a film."""

    name: str
    title: str
    settings: type[Settings]
    plan: Callable[[Any, Capabilities, int], Plan]
    """(settings, what the engine can do, a seed to use where none is given) → plan."""
    needs: Callable[[Any], Mapping[str, PictureNeed]]
    """plan → the files it needs, by the name under which `run` gets them."""
    run: Callable[[Any, Engine, Mapping[str, Picture], Any, OnStep | None], Iterator[Event]]
    """(plan, engine, opened needs, state or None, step callback) → events."""
    state: type[Any]
    """The dataclass of arrays and whole numbers that FrameDone carries as state."""
    soundtrack: Callable[[Any], str]
    """plan → path of the sound of its film, or empty."""


def _keyframed_needs(plan: KeyframedPlan) -> Mapping[str, PictureNeed]:
    s = plan.settings
    needs = {}
    if s.init_image:
        needs["init"] = PictureNeed(
            path=Path(s.init_image), field="init_image", width=s.width, height=s.height, fit=s.init_fit
        )
    if s.color_reference:
        needs["color_reference"] = PictureNeed(
            path=Path(s.color_reference), field="color_reference", width=s.width, height=s.height
        )
    return needs


def _run_keyframed(
    plan: KeyframedPlan,
    engine: Engine,
    opened: Mapping[str, Picture],
    state: LoopState | None,
    on_step: OnStep | None,
) -> Iterator[Event]:
    return run_keyframed(plan, engine, Inputs(**opened), state, on_step)


KEYFRAMED = Kind(
    name="keyframed",
    title="Keyframed animation",
    settings=Keyframed,
    plan=plan_keyframed,
    needs=_keyframed_needs,
    run=_run_keyframed,
    state=LoopState,
    soundtrack=lambda plan: plan.settings.soundtrack,
)

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (KEYFRAMED,)}
