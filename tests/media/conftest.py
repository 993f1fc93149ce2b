"""Clips that the tests of this room make for themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lib_anim.media.sound import click_track, write_wav

Frames = list[np.ndarray]

MACBETH = (
    (115, 82, 68), (194, 150, 130), (98, 122, 157), (87, 108, 67), (133, 128, 177), (103, 189, 170),
    (214, 126, 44), (80, 91, 166), (193, 90, 99), (94, 60, 108), (157, 188, 64), (224, 163, 46),
    (56, 61, 150), (70, 148, 73), (175, 54, 60), (231, 199, 31), (187, 86, 149), (8, 133, 161),
    (243, 243, 242), (200, 200, 200), (160, 160, 160), (122, 122, 121), (85, 85, 85), (52, 52, 52),
)  # fmt: skip
"""The 24 patches of the colour chart in sRGB."""


@pytest.fixture(scope="session")
def clip() -> Callable[..., Frames]:
    """Frames whose number can be read from the picture: 8 patches of light or dark spell it in binary."""

    def make(count: int, width: int = 96, height: int = 64, alpha: bool = False) -> Frames:
        frames = []
        for number in range(count):
            frame = np.full((height, width, 4 if alpha else 3), 40, np.uint8)
            frame[:, :, 1] = 90
            for bit in range(8):
                wide = width // 8
                frame[: height // 2, bit * wide : (bit + 1) * wide, :3] = 235 if number >> bit & 1 else 16
            if alpha:
                frame[:, :, 3] = np.where(np.arange(width) < width // 2, 255, 96)[None, :]
            frames.append(frame)
        return frames

    return make


@pytest.fixture(scope="session")
def number_of() -> Callable[[np.ndarray], int]:
    """The number that a frame made by `clip` shows."""

    def read(frame: np.ndarray) -> int:
        height, wide = frame.shape[0], frame.shape[1] // 8
        patches = [frame[4 : height // 2 - 4, b * wide + 3 : (b + 1) * wide - 3, 0].mean() for b in range(8)]
        return sum(1 << bit for bit, mean in enumerate(patches) if mean > 125)

    return read


@pytest.fixture(scope="session")
def chart() -> np.ndarray:
    """Colour chart of 24 flat patches over a grey ramp of 24 steps, 192 x 256 pixels."""
    patches = np.array(MACBETH, np.uint8).reshape(4, 6, 3)
    greys = np.linspace(0, 255, 24).round().astype(np.uint8).reshape(4, 6, 1).repeat(3, axis=2)
    return np.kron(np.concatenate([patches, greys]), np.ones((32, 32, 1), np.uint8))


@pytest.fixture(scope="session")
def patch_error() -> Callable[[np.ndarray, np.ndarray], int]:
    """Largest difference between two charts in the middle of their patches."""

    def measure(a: np.ndarray, b: np.ndarray) -> int:
        worst = 0
        for y in range(0, a.shape[0], 32):
            for x in range(0, a.shape[1], 32):
                here = (slice(y + 12, y + 20), slice(x + 12, x + 20))
                worst = max(worst, int(np.abs(a[here].astype(int) - b[here].astype(int)).max()))
        return worst

    return measure


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    """A WAV of three seconds with a click on every half second, in a folder of its own."""
    folder = tmp_path / "sounds"
    folder.mkdir()
    return write_wav(folder / "clicks.wav", click_track(120, 3.0))
