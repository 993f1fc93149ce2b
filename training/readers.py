"""Classifiers that read facts from pictures, trained on drawings alone."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from training import pictures

SIDE = 64
BATCH = 48
BINS = 4
SEED = 31
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


def reader(classes: int, widths: tuple[int, ...] = (24, 48, 64)) -> nn.Module:
    """A small convolutional classifier of 64-pixel pictures, one halving a width."""
    layers: list[nn.Module] = []
    width = 3
    for wider in widths:
        layers += [nn.Conv2d(width, wider, 3, stride=2, padding=1), nn.BatchNorm2d(wider), nn.ReLU()]
        width = wider
    return nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Dropout(0.3), nn.LazyLinear(classes)
    )


def fit(model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor, epochs: int, rate: float) -> nn.Module:
    """Train a classifier with AdamW and cross-entropy; the rate falls to nothing along a cosine."""
    model(inputs[:2])
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.01)
    steps = epochs * -(-len(inputs) // BATCH)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    order = torch.Generator().manual_seed(SEED)
    model.train()
    for _ in range(epochs):
        for chosen in torch.randperm(len(inputs), generator=order).split(BATCH):
            optimiser.zero_grad()
            F.cross_entropy(model(inputs[chosen]), labels[chosen]).backward()
            optimiser.step()
            falling.step()
    return model.eval()


@torch.no_grad()
def accuracy(model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor) -> float:
    """Share of right answers."""
    return float((model(inputs).argmax(1) == labels).float().mean())
