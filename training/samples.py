"""Paints the sample sheet, 64 pictures: places in seasons, weather, night, objects, a restyled photograph."""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from training import pictures
from training.loading import Painter, load
from training.networks import Widths
from training.sampling import sample, sheet
from training.scenes import PLACES, SEASONS
from training.train import CHECKPOINT_FOLDER

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
    "winter forest, falling snow",
    "autumn",
    "winter",
)
OBJECT_PROMPTS = (
    "a red ball in a spring meadow",
    "blue ball, winter village",
    "yellow ball on the left, mountains in summer",
    "purple balloon, autumn forest",
    "summer field, yellow balloon",
    "red balloon, winter mountains",
    "beach in summer, blue boat on the left",
    "red boat, summer lake",
    "white boat, river in spring",
    "spring meadow, a red house",
    "yellow house, winter lake",
    "blue house on the right, autumn village",
    "red car, autumn mountains",
    "blue car, spring beach",
    "a white car moving left, summer meadow",
    "yellow tent, summer meadow",
    "red tent, winter forest",
    "green tent, spring lake, night",
)
STRENGTHS = (0.5, 0.6, 0.7)
COLUMNS = 8


def prompts() -> list[str]:
    """What the sheet shows before the photographs, in its order."""
    grid = [prompt.format(place=place) for prompt in SEASON_PROMPTS.values() for place in PLACES]
    return [*grid, *OTHER_PROMPTS, *OBJECT_PROMPTS]


def painted(painter: Painter, seed: int, guidance: float, steps: int) -> np.ndarray:
    """One picture (128, 128, 3) a prompt."""
    networks = (painter.unet, painter.text, painter.vae, painter.tokenizer)
    texts = prompts()
    parts = [
        sample(*networks, texts[first : first + COLUMNS], seed + first, steps=steps, guidance=guidance)
        for first in range(0, len(texts), COLUMNS)
    ]
    return np.concatenate(parts)


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
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT_FOLDER, help="folder of the checkpoint")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--guidance", type=float, default=5.0)
    parser.add_argument("--steps", type=int, default=20)
    asked = parser.parse_args()
    painter = load(asked.checkpoint, Widths())
    photos = [restyled(painter, asked.seed, asked.guidance, asked.steps, s) for s in STRENGTHS]
    shown = np.concatenate([painted(painter, asked.seed, asked.guidance, asked.steps), *photos])
    pages = [shown[first : first + COLUMNS] for first in range(0, len(shown), COLUMNS)]
    whole = Image.fromarray(sheet(pages))
    few = whole.quantize(palette=whole.quantize(256), dither=Image.Dither.NONE)
    few.save(asked.out, optimize=True)


if __name__ == "__main__":
    main()
