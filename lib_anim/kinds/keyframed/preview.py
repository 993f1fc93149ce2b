"""Camera motion on an endless checkerboard, without an engine."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from lib_anim.errors import FlipbookError, Problem
from lib_anim.imaging.warp import Matrix
from lib_anim.kinds.base import MotionPreview
from lib_anim.kinds.keyframed.plan import KeyframedPlan, plan
from lib_anim.kinds.keyframed.settings import Keyframed
from lib_anim.kinds.needs import Probe
from lib_anim.types import Picture

SQUARES = 8
"""Squares across the shorter side while the camera stands still."""
DARK, LIGHT = np.array([0.16, 0.18, 0.24]), np.array([0.90, 0.88, 0.82])
MARK = np.array([0.86, 0.32, 0.22])
"""Colour of every fourth square both ways: without it, a shift by two squares would look like none."""


LONGER_SIDE = 256
"""Pixels: enough to see a camera move, and 240 frames in seconds."""


def motion_preview(settings: Keyframed, probe: Probe) -> MotionPreview:
    """The camera motion of keyframed settings on a checkerboard. Raises FlipbookError for modes without one.

    No engine paints, so samplers and checkpoints are not checked.
    """
    if settings.mode != "2D":
        sentence = f"{settings.mode} has no camera to preview; 2D has"
        raise FlipbookError(Problem(sentence, field="mode", code="preview.no_camera"))
    # Pictures and masks do not move the camera, and may not exist yet.
    resolved = plan(settings.changed({"mask_video": ""}), None, 0, probe)
    scale = LONGER_SIDE / max(settings.width, settings.height)
    width, height = (max(2, round(side * scale / 2) * 2) for side in (settings.width, settings.height))
    return MotionPreview(
        frames=resolved.frames,
        rate=settings.fps,
        size=(width, height),
        pictures=board_pictures(resolved, width, height),
        warnings=resolved.warnings,
    )


def board_pictures(plan: KeyframedPlan, width: int, height: int) -> Iterator[Picture]:
    """Every frame of the plan's motion at a smaller size; the board goes on for ever in all directions.

    Squares that grow are divided again, so that a long zoom stays readable. Motion in pixels is
    scaled with the size.
    """
    scale = width / plan.settings.width
    to_film = np.diag([1 / scale, plan.settings.height / height, 1.0])
    to_preview = np.linalg.inv(to_film)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    seen = np.eye(3)
    for frame in range(plan.frames):
        if frame:
            seen = seen @ np.linalg.inv(plan.motion(frame))
            seen /= seen[2, 2]
        yield _board(to_preview @ seen @ to_film, x, y, min(width, height) / SQUARES)


def _board(back: Matrix, x: NDArray[np.float32], y: NDArray[np.float32], square: float) -> Picture:
    """The board seen through `back`, which takes a pixel of the frame to its place on the board."""
    m = back.astype(np.float64)
    w = m[2, 0] * x + m[2, 1] * y + m[2, 2]
    u = (m[0, 0] * x + m[0, 1] * y + m[0, 2]) / w
    v = (m[1, 0] * x + m[1, 1] * y + m[1, 2]) / w
    # Board units per pixel, as a power of two; the fraction fades from one size of squares to the next.
    level = math.log2(max(math.sqrt(abs(np.linalg.det(m[:2, :2]))), 1e-12))
    coarse, fade = math.floor(level), level - math.floor(level)
    here = _squares(u, v, square * 2.0**coarse)
    there = _squares(u, v, square * 2.0 ** (coarse + 1))
    return ((1 - fade) * here + fade * there).astype(np.float32)


def _squares(u: NDArray[np.float64], v: NDArray[np.float64], size: float) -> NDArray[np.float32]:
    i, j = np.floor(u / size).astype(np.int64), np.floor(v / size).astype(np.int64)
    board = np.where(((i + j) % 2 == 0)[..., None], LIGHT, DARK)
    board[(i % 4 == 0) & (j % 4 == 0)] = MARK
    return board.astype(np.float32)
