"""Reads season and place from pictures of held-out combinations with a classifier trained on drawings.

The classifier never sees a painted picture, and neither it nor the checkpoint a held-out combination. Beside
it stand chance and a baseline that knows nothing but a colour histogram.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from demo import pictures
from demo.loading import Painter, load
from demo.networks import Widths
from demo.painting import paint
from demo.sampling import sample
from demo.scenes import PLACES, SEASONS, Scene, held_out_combinations
from demo.train import HERE
from demo.training import write_json

SIDE = 64
DRAWINGS, EPOCHS, BATCH = 2400, 8, 48
SEED = 31
BINS = 4
Features = Callable[[np.ndarray], torch.Tensor]


def pixels(batch: np.ndarray) -> torch.Tensor:
    """uint8 RGB (B, H, W, 3) → float32 (B, 3, 64, 64), a little blurred as a decoder blurs."""
    small = [
        cv2.resize(cv2.GaussianBlur(p, (0, 0), 1.2), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        for p in batch
    ]
    return pictures.to_tensor(np.stack(small))


def histogram(batch: np.ndarray) -> torch.Tensor:
    """uint8 RGB (B, H, W, 3) → share of pixels in each of 4³ boxes of colour (B, 64)."""
    boxes = (batch.astype(np.int64) * BINS // 256) @ np.array([BINS * BINS, BINS, 1])
    counts = [np.bincount(b.ravel(), minlength=BINS**3) for b in boxes]
    return torch.tensor(np.stack(counts) / boxes[0].size, dtype=torch.float32)


def reader(classes: int) -> nn.Module:
    """A small convolutional classifier of 64-pixel pictures."""
    layers: list[nn.Module] = []
    width = 3
    for wider in (24, 48, 64):
        layers += [nn.Conv2d(width, wider, 3, stride=2, padding=1), nn.BatchNorm2d(wider), nn.ReLU()]
        width = wider
    return nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Dropout(0.3), nn.LazyLinear(classes)
    )


def fit(model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor, epochs: int, rate: float) -> nn.Module:
    """Train a classifier with AdamW and cross-entropy."""
    model(inputs[:2])
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.01)
    order = torch.Generator().manual_seed(SEED)
    model.train()
    for _ in range(epochs):
        for chosen in torch.randperm(len(inputs), generator=order).split(BATCH):
            optimiser.zero_grad()
            F.cross_entropy(model(inputs[chosen]), labels[chosen]).backward()
            optimiser.step()
    return model.eval()


@torch.no_grad()
def accuracy(model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor) -> float:
    """Share of right answers."""
    return float((model(inputs).argmax(1) == labels).float().mean())


def prompts(count: int) -> tuple[list[str], list[tuple[str, str]]]:
    """`count` prompts over the held-out combinations in turn, each with its (place, season)."""
    combinations = held_out_combinations()
    texts, facts = [], []
    for n in range(count):
        place, season, obj = combinations[n % len(combinations)]
        texts.append(f"{season} {place}, a red {obj}" if obj else f"{season} {place}")
        facts.append((place, season))
    return texts, facts


def painted(painter: Painter, texts: list[str], guidance: float) -> np.ndarray:
    """One picture per prompt, Euler a, 20 steps."""
    parts = [
        sample(
            painter.unet,
            painter.text,
            painter.vae,
            painter.tokenizer,
            texts[i : i + 8],
            1000 + i,
            guidance=guidance,
        )
        for i in range(0, len(texts), 8)
    ]
    return np.concatenate(parts)


def labels(facts: list[tuple[str, str]], which: int) -> torch.Tensor:
    """Class numbers of the places (0) or seasons (1)."""
    names = (PLACES, SEASONS)[which]
    return torch.tensor([names.index(fact[which]) for fact in facts])


def facts_of(scenes: list[Scene]) -> list[tuple[str, str]]:
    return [(scene.place, scene.season) for scene in scenes]


def main() -> None:
    """Print and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, default=HERE)
    parser.add_argument("--out", type=Path, required=True, help="JSON file of the figures")
    parser.add_argument("--count", type=int, default=96, help="painted pictures")
    parser.add_argument("--guidance", type=float, default=5.0)
    asked = parser.parse_args()
    torch.manual_seed(SEED)
    learnt, held = pictures.scenes(DRAWINGS, SEED), pictures.scenes(200, SEED + 1, held_out=True)
    drawn, drawn_held = (np.stack([paint(scene) for scene in group]) for group in (learnt, held))
    texts, facts = prompts(asked.count)
    made = painted(load(asked.checkpoint, Widths()), texts, asked.guidance)
    figures: dict[str, float] = {"painted": asked.count, "guidance": asked.guidance}
    for which, name, names in ((1, "season", SEASONS), (0, "place", PLACES)):
        wanted = labels(facts_of(learnt), which)
        figures[f"{name}_chance"] = round(1 / len(names), 3)
        readers: tuple[tuple[str, Features, nn.Module, int, float], ...] = (
            ("classifier", pixels, reader(len(names)), EPOCHS, 2e-3),
            ("histogram", histogram, nn.Linear(BINS**3, len(names)), 60, 3e-2),
        )
        for label, features, model, epochs, rate in readers:
            fit(model, features(drawn), wanted, epochs, rate)
            for subject, batch, truth in (("drawings", drawn_held, facts_of(held)), ("painted", made, facts)):
                score = accuracy(model, features(batch), labels(truth, which))
                figures[f"{name}_{label}_{subject}"] = round(score, 3)
    write_json(asked.out, figures)
    print(figures)


if __name__ == "__main__":
    main()
