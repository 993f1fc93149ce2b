"""The engine protocol and its offers: painting stills, painting clips, turning a picture into a video."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar, cast

from lib_anim.engines.contract.capabilities import Capabilities
from lib_anim.engines.contract.requests import ClipRequest, StillRequest, VideoRequest
from lib_anim.errors import FlipbookError, Problem
from lib_anim.types import Picture

OnStep = Callable[[int, int], None]
"""Called after each denoising step with (steps done, total steps). An exception from it ends the request."""


class Interrupted(Exception):
    """Raised by `OnStep` callbacks to end a request between two steps. Not an error of the engine."""


class Engine(Protocol):
    """What every engine provides; what it can render is in its offers, see `offer_of`.

    Equal requests give equal pictures on the same `fingerprint`. Pictures have the request's size, are finite
    and in [0, 1]. An engine leaves the request's arrays unchanged and keeps no reference to them. A request
    outside the capabilities raises FlipbookError before any work is done. A request that fails or is
    interrupted leaves the engine usable: the next one returns what it would have returned.
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
        """Sentences about fallbacks that were needed, such as a VAE that runs in float32."""
        ...

    def upscale(self, picture: Picture, upscaler: str, width: int, height: int) -> Picture:
        """Resizes a picture with one of `Capabilities.upscalers`; the result may have 8-bit precision."""
        ...

    def close(self) -> None: ...


class StillPainter(Engine, Protocol):
    """An engine that paints single pictures: txt2img, img2img, inpainting."""

    def still(self, request: StillRequest, on_step: OnStep | None = None) -> Picture: ...


class ClipPainter(Engine, Protocol):
    """An engine that denoises all frames of a clip together under a motion module.

    `clip` denoises, then decodes and yields `shown` frames in order; `on_step` counts the steps of all frames
    together, over all iterations. A request outside the capabilities raises FlipbookError when `clip` is
    called,
    before the first frame. Closing the iterator early is not a failure. No other request may be sent while
    the iterator is open.
    """

    def clip(self, request: ClipRequest, on_step: OnStep | None = None) -> Iterator[Picture]: ...


class ImageToVideo(Engine, Protocol):
    """An engine that turns one picture into a video (Stable Video Diffusion). Iteration as in ClipPainter."""

    def video(self, request: VideoRequest, on_step: OnStep | None = None) -> Iterator[Picture]: ...


Offer = TypeVar("Offer", bound=Engine)

OFFERS: dict[type[Engine], tuple[str, Callable[[Capabilities], bool], str]] = {
    StillPainter: ("still", lambda can: can.still, "cannot render stills"),
    ClipPainter: ("clip", lambda can: can.clip is not None, "cannot render clips"),
    ImageToVideo: ("video", lambda can: can.video is not None, "cannot turn pictures into videos"),
}
"""Offer → (its name in the API, whether capabilities include it, the reason where they do not)."""


def missing_offer(offer: type[Engine], capabilities: Capabilities) -> str:
    """Why an engine cannot be used for a kind that needs `offer`; empty where it can."""
    _, offered, reason = OFFERS[offer]
    return "" if offered(capabilities) else f"this engine {reason}; choose another"


def offer_of(engine: Engine, offer: type[Offer]) -> Offer:
    """The engine as one of its offers. Raises FlipbookError where it does not have it."""
    reason = missing_offer(offer, engine.capabilities)
    if reason:
        raise FlipbookError(Problem(reason, field="engine", code="engine.missing_offer"))
    return cast(Offer, engine)
