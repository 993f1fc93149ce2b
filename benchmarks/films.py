"""Films to measure with."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from lib_anim.media.write import open_sink


def make_film(path: Path, frames: int, size: int) -> Path:
    """A film of smooth noise that pans by a pixel a frame."""
    coarse = np.random.default_rng(0).integers(0, 256, (size // 16 + 2, (size + frames) // 16 + 2, 3))
    wide = cv2.GaussianBlur(np.kron(coarse, np.ones((16, 16, 1))).astype(np.float32), (0, 0), 6)
    with open_sink(path, width=size, height=size, rate=24) as sink:
        for number in range(frames):
            sink.write(np.ascontiguousarray(wide[:size, number : number + size]).astype(np.uint8))
    return path
