"""The engines that a composition root offers, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from lib_anim.engines.contract.capabilities import Capabilities
from lib_anim.engines.contract.engine import Engine


class Engines(Protocol):
    """Who can paint here. Made by a composition root, asked by the actions, from any thread."""

    @property
    def default(self) -> str:
        """The name of the engine that is taken where nobody names one."""
        ...

    def names(self) -> Sequence[str]:
        """All names that `open` takes now, the default first. Jobs for other engines wait."""
        ...

    def title(self, name: str) -> str:
        """The words for a menu."""
        ...

    def capabilities(self, name: str) -> Capabilities | None:
        """What an engine can do; None where only opening it would tell."""
        ...

    def open(self, name: str) -> Engine:
        """The engine, ready to paint and kept warm: the caller does not close it.

        An engine whose host wants a lock around its work takes it by itself. Raises NotFound for other
        names, and FlipbookError.
        """
        ...

    def models(self) -> Mapping[str, Sequence[str]]:
        """Names of the files at hand, by what they are: checkpoints, vaes, loras, motion_modules, …"""
        ...

    def close(self) -> None:
        """Free what is warm."""
        ...


@dataclass(frozen=True)
class EngineFacts:
    """An engine as views show it."""

    name: str
    title: str
    default: bool
    capabilities: Mapping[str, Any] | None
    """The fields of `Capabilities`; None before the engine was opened for the first time."""
