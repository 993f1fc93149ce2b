"""Test engine without weights: draws a checkerboard with the request's parameters as text."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import cv2
import numpy as np

from lib_anim import __version__
from lib_anim.engines.contract.capabilities import Capabilities, ClipCapabilities, MotionChoice
from lib_anim.engines.contract.checks import check, check_clip
from lib_anim.engines.contract.engine import OnStep
from lib_anim.engines.contract.requests import ClipRequest, StillRequest
from lib_anim.engines.sampling.noise_levels import SPACINGS
from lib_anim.engines.sampling.samplers import SAMPLERS
from lib_anim.imaging.fit import fit
from lib_anim.types import Picture

SQUARES = 8
"""Squares along the shorter side."""

MODULE = MotionChoice(
    "checker", "checker draws its squares a pixel further per frame; it is no network.", 4096
)


class CheckerEngine:
    """Paints prompt hash, seed, denoising and steps on a checkerboard in colours of the prompt.

    For previews, load tests and tests of pipelines. An init picture is blended in by 1 − denoising and kept
    outside the mask. Every value that is drawn changes the picture; other fields are ignored.
    """

    @property
    def name(self) -> str:
        return "checker"

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            samplers=tuple(SAMPLERS),
            schedulers=("Automatic", *SPACINGS),
            multiple_of=1,
            inpaint=True,
            travel=True,
            clip=ClipCapabilities(motion_modules=(MODULE,)),
            native_size=256,
        )

    @property
    def fingerprint(self) -> str:
        return f"checker engine {__version__}, opencv {cv2.__version__}"

    @property
    def warnings(self) -> tuple[str, ...]:
        return ()

    def still(self, request: StillRequest, on_step: OnStep | None = None) -> Picture:
        """Renders one picture; see `StillPainter`. `on_step` is called once per step of the request."""
        check(request, self.capabilities)
        for step in range(request.steps if on_step is not None else 0):
            assert on_step is not None
            on_step(step + 1, request.steps)
        return _painted(request)

    def clip(self, request: ClipRequest, on_step: OnStep | None = None) -> Iterator[Picture]:
        """Renders a clip; see `ClipPainter`. Its squares move, and each frame shows its number."""
        check_clip(request, self.capabilities)
        return _clip(request, on_step)

    def upscale(self, picture: Picture, upscaler: str, width: int, height: int) -> Picture:
        """See `Engine.upscale`; Lanczos only."""
        return fit(picture, width, height, "stretch")

    def close(self) -> None:
        """Nothing to free."""


def _clip(request: ClipRequest, on_step: OnStep | None) -> Iterator[Picture]:
    freeinit = request.motion.freeinit
    steps = request.steps * (1 if freeinit is None else freeinit.iterations)
    for step in range(steps if on_step is not None else 0):
        assert on_step is not None
        on_step(step + 1, steps)
    for index in range(request.shown):
        yield _painted(request.still(index), f"frame {index}")


def _painted(request: StillRequest, title: str = "") -> Picture:
    picture = _write(_board(request), request, title)
    if request.init is None:
        return picture
    picture = request.init * np.float32(1 - request.denoising) + picture * np.float32(request.denoising)
    if request.mask is not None:
        mask = request.mask
        if request.mask_blur > 0:
            mask = cv2.GaussianBlur(mask, (0, 0), request.mask_blur).astype(np.float32, copy=False)
        mask = mask[..., None]
        picture = request.init * (1 - mask) + picture * mask
    return np.clip(picture, 0, 1).astype(np.float32, copy=False)


def _digest(prompt: str, negative: str) -> bytes:
    return hashlib.sha256(f"{prompt}\0{negative}".encode()).digest()


def _colours(digest: bytes) -> Picture:
    """A dark and a light colour, (2, 3)."""
    colours = np.frombuffer(digest, np.uint8, 6).reshape(2, 3).astype(np.float32) / 255
    return (colours * np.float32(0.4) + np.array([[0.0], [0.6]], np.float32)).astype(np.float32, copy=False)


def _board(request: StillRequest) -> Picture:
    """Checkerboard of a light and a dark colour that the prompt's hash chooses; the seed shifts it.

    With prompt travel, the colours of both prompts are interpolated.
    """
    colours = _colours(_digest(request.prompt, request.negative))
    if request.travel is not None:
        weight = np.float32(request.travel.weight)
        towards = _colours(_digest(request.travel.prompt, request.travel.negative))
        colours = colours * (1 - weight) + towards * weight
    side = max(1, min(request.width, request.height) // SQUARES)
    rows = (np.arange(request.height) + request.seed % (2 * side)) // side
    columns = np.arange(request.width) // side
    board: Picture = colours[(rows[:, None] + columns[None, :]) % 2]
    return board


def _write(board: Picture, request: StillRequest, title: str) -> Picture:
    """Draws the request's parameters in white with a black outline, scaled to the picture."""
    lines = (
        *([title] if title else []),
        f"#{_digest(request.prompt, request.negative).hex()[:6]}",
        f"seed {request.seed}",
        f"denoise {request.denoising if request.init is not None else 1:.3f}",
        f"steps {request.steps}",
    )
    scale = request.width / 256 * 0.8
    text = np.zeros(board.shape[:2], np.uint8)
    for i, line in enumerate(lines):
        at = (round(8 * scale), round((i + 1) * 30 * scale))
        cv2.putText(text, line, at, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, max(1, round(1.5 * scale)))
    reach = 2 * max(1, round(2 * scale)) + 1
    board[cv2.dilate(text, np.ones((reach, reach), np.uint8)) > 0] = 0
    board[text > 127] = 1
    return board
