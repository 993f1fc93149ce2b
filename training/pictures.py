"""Pictures for training and evaluation: pools of drawings, crops of drawings and real photographs."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from skimage import data

from training.painting import paint, paint_and_mark
from training.scenes import Scene, sample_scene

PHOTOGRAPHS = ("astronaut", "coffee", "rocket", "hubble_deep_field", "camera", "brick", "grass", "gravel")
"""scikit-image's photographs that the VAE trains on."""
KEPT_BACK_PHOTOGRAPH = "chelsea"
PHOTOGRAPH_SHARE = 0.25
Pictures = NDArray[np.uint8]


def scenes(count: int, seed: int, held_out: bool = False) -> list[Scene]:
    """`count` scenes, the same for the same seed."""
    rng = np.random.default_rng(seed)
    return [sample_scene(rng, held_out) for _ in range(count)]


def drawings(count: int, seed: int, side: int = 128, held_out: bool = False) -> Pictures:
    """Drawings as uint8 RGB (count, side, side, 3)."""
    return np.stack([paint(scene, side) for scene in scenes(count, seed, held_out)])


def marked_drawings(count: int, seed: int, side: int = 128) -> tuple[Pictures, NDArray[np.bool_]]:
    """Drawings, and where their objects are, (count, side, side)."""
    both = [paint_and_mark(scene, side) for scene in scenes(count, seed)]
    return np.stack([picture for picture, _ in both]), np.stack([mark for _, mark in both])


def photograph(name: str) -> Pictures:
    """One of scikit-image's photographs as uint8 RGB (H, W, 3); grey ones are given three equal channels."""
    picture = np.asarray(getattr(data, name)())
    return np.ascontiguousarray(np.stack([picture] * 3, -1) if picture.ndim == 2 else picture[..., :3])


def crop(picture: Pictures, side: int, smallest: float, rng: np.random.Generator) -> Pictures:
    """A random square of the picture at a random scale between `smallest` and 1, perhaps mirrored.

    `smallest` is the least scale wanted; the scale never falls so low that the square would not fit.
    """
    least = max(smallest, side / min(picture.shape[:2]))
    scale = float(rng.uniform(least, 1.0))
    height, width = (max(side, round(n * scale)) for n in picture.shape[:2])
    small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    y, x = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
    square = small[y : y + side, x : x + side]
    return np.ascontiguousarray(square[:, ::-1] if rng.random() < 0.5 else square)


def vae_batch(
    pool: Pictures, photographs: list[Pictures], count: int, side: int, rng: np.random.Generator
) -> Pictures:
    """Crops of drawings and photographs, uint8 RGB (count, side, side, 3)."""
    squares = []
    for _ in range(count):
        if rng.random() < PHOTOGRAPH_SHARE:
            squares.append(crop(photographs[int(rng.integers(len(photographs)))], side, 0.2, rng))
        else:
            squares.append(crop(pool[int(rng.integers(len(pool)))], side, 0.5, rng))
    return np.stack(squares)


def to_tensor(pictures: Pictures) -> torch.Tensor:
    """uint8 RGB (B, H, W, 3) → float32 (B, 3, H, W) in [-1, 1]."""
    tensor = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1
    return tensor.contiguous(memory_format=torch.channels_last)


def to_pictures(tensor: torch.Tensor) -> Pictures:
    """float (B, 3, H, W) in [-1, 1] → uint8 RGB (B, H, W, 3)."""
    values = (tensor.float().clamp(-1, 1) + 1) * 127.5
    return np.asarray(values.round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy())
