"""What a host provides to views in its page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Choices = Callable[[], Sequence[str]]
"""What there is to choose from now: asked again when the list is refreshed."""

RefreshButton = Callable[[Any, Choices, str], Any]
"""Draws the host's refresh button for (dropdown, its choices, HTML id)."""


class Scripts(Protocol):
    """Controls of the host's scripts, which a film's settings hold by the scripts' titles."""

    def draw(self, toolkit: Toolkit) -> list[Any]:
        """Draws them; those are returned whose values `read` takes."""

    def shown(self) -> Mapping[str, Any]:
        """Name → control of everything drawn that people set; names hold over restarts of the host."""

    def read(self, values: Sequence[Any]) -> Mapping[str, Sequence[Any]]:
        """Title → arguments. Raises FlipbookError where one cannot be kept."""


@dataclass(frozen=True)
class Toolkit:
    """The place in which a view is drawn."""

    place: str
    """Where on the page: `txt2img`, `img2img` or `tab`. One view may stand in several places of one page."""
    refresh_button: RefreshButton | None = None
    """None where the host has no such button: the view draws its own."""
    scripts: Scripts | None = None
    """None where the host has none."""

    def elem_id(self, name: str) -> str:
        """The HTML id of the view's element `name`, different in every place."""
        return f"flipbook_{self.place}_{name}"
