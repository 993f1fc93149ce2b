"""The engine protocol: what paints stills and clips."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from lib_anim.engines.contract.capabilities import Capabilities
from lib_anim.engines.contract.requests import ClipRequest, StillRequest
from lib_anim.types import (
    Picture,
)

OnStep = Callable[[int, int], None]
"""Called after each denoising step with (steps done, steps in all). What it raises ends the request."""


class Interrupted(Exception):
    """Raised by `OnStep` callbacks to end a request between two steps. Not an error of the engine."""


class Engine(Protocol):
    """Paints. Equal requests give equal pictures on the same `fingerprint`.

    `still` returns the picture, of the request's size, finite and within [0, 1]; it leaves the
    request's arrays untouched and holds no reference to them. A request outside the capabilities raises
    FlipbookError before any work is done. A request that fails or is interrupted leaves the engine
    usable: the next one gives what it would have given.

    `clip` denoises all frames together, then decodes and gives `shown` of them one by one, in order, each as
    `still` gives its picture; `on_step` counts the steps of all frames together, over all iterations. A
    request outside the capabilities is refused when it is made, before a frame is asked for. Closing the
    iterator early is no failure. Nothing else may be asked of the engine while one is open.
    """

    @property
    def name(self) -> str: ...

    @property
    def capabilities(self) -> Capabilities: ...

    @property
    def fingerprint(self) -> str:
        """Engine, device, dtype, weights (hash) and library versions, in one line."""
        ...

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about what was changed to get pictures at all (a VAE in float32, say)."""
        ...

    def still(self, request: StillRequest, on_step: OnStep | None = None) -> Picture: ...

    def clip(self, request: ClipRequest, on_step: OnStep | None = None) -> Iterator[Picture]: ...

    def upscale(self, picture: Picture, upscaler: str, width: int, height: int) -> Picture:
        """A picture made larger by one of `Capabilities.upscalers`; it may come back with 8 bits."""
        ...

    def close(self) -> None: ...
