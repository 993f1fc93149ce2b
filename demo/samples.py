"""Paints the sample sheet: every place in every season, weather, night, objects, a restyled photograph."""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from demo import pictures
from demo.loading import Painter, load
from demo.networks import Widths
from demo.sampling import sample, sheet
from demo.scenes import PLACES, SEASONS
from demo.train import HERE

SEASON_PROMPTS = {
    "spring": "spring {place} with blossoming trees, clear day",
    "summer": "summer {place} with green trees, sunny day",
    "autumn": "autumn {place}, orange and red leaves",
    "winter": "winter {place}, snow",
}
OTHER_PROMPTS = (
    "a lake in summer, rain",
    "winter village, night",
    "mountains, starry night",
    "a red ball in a spring meadow",
    "beach, blue boat on the left",
    "summer field, yellow balloon",
    "autumn",
)
STRENGTHS = (0.5, 0.6, 0.7)


def rows(painter: Painter, seed: int, guidance: float, steps: int) -> list[np.ndarray]:
    """Rows of seven pictures: four seasons over all places, a row of other prompts."""

    def paint(prompts: list[str]) -> np.ndarray:
        return sample(
            painter.unet,
            painter.text,
            painter.vae,
            painter.tokenizer,
            prompts,
            seed,
            steps=steps,
            guidance=guidance,
        )

    grid = [paint([SEASON_PROMPTS[s].format(place=p) for p in PLACES]) for s in SEASONS]
    return [*grid, paint(list(OTHER_PROMPTS))]


def restyled(painter: Painter, seed: int, guidance: float, steps: int, strength: float) -> np.ndarray:
    """scikit-image's rocket as a square of 128 pixels, painted anew in each season."""
    photo = pictures.photograph("rocket")
    side = min(photo.shape[:2])
    left = (photo.shape[1] - side) // 2
    square = cv2.resize(photo[:side, left : left + side], (128, 128), interpolation=cv2.INTER_AREA)
    return sample(
        painter.unet,
        painter.text,
        painter.vae,
        painter.tokenizer,
        [SEASON_PROMPTS[s].format(place="meadow") for s in SEASONS],
        seed,
        steps=steps,
        guidance=guidance,
        start=np.asarray(square, np.uint8),
        strength=strength,
    )


def main() -> None:
    """Write the sheet as PNG."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path, default=HERE, help="folder of the checkpoint")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--guidance", type=float, default=5.0)
    parser.add_argument("--steps", type=int, default=20)
    asked = parser.parse_args()
    painter = load(asked.checkpoint, Widths())
    pages = rows(painter, asked.seed, asked.guidance, asked.steps)
    photos = [restyled(painter, asked.seed, asked.guidance, asked.steps, s) for s in STRENGTHS]
    flat = np.concatenate(photos)
    blank = np.full((-len(flat) % len(PLACES), *flat.shape[1:]), 255, np.uint8)
    flat = np.concatenate([flat, blank])
    pages += [flat[i : i + len(PLACES)] for i in range(0, len(flat), len(PLACES))]
    whole = Image.fromarray(sheet(pages))
    few = whole.quantize(palette=whole.quantize(256), dither=Image.Dither.FLOYDSTEINBERG)
    few.save(asked.out, optimize=True)


if __name__ == "__main__":
    main()
