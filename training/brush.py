"""A small anti-aliased brush: shapes in fractions of the picture, colours with a little variation."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from training.palette import Colour

Picture = NDArray[np.uint8]
_SHIFT = 4


class Brush:
    """Paints on a square uint8 RGB canvas; points are fractions, (0, 0) top left, (1, 1) bottom right."""

    def __init__(self, side: int, rng: np.random.Generator) -> None:
        self.side = side
        self.rng = rng
        self.canvas: Picture = np.zeros((side, side, 3), np.uint8)
        self.windows: list[tuple[float, float, float, float]] = []
        """Boxes that shine at night."""

    def _fixed(self, points: NDArray[np.float64]) -> NDArray[np.int32]:
        """Fractions → OpenCV's fixed-point pixels."""
        return np.round(points * self.side * (1 << _SHIFT)).astype(np.int32)

    def vary(self, colour: Colour, amount: float = 7.0) -> Colour:
        """The colour, a little lighter or darker."""
        d = float(self.rng.uniform(-amount, amount))
        return (colour[0] + d, colour[1] + d, colour[2] + d)

    def shape(self, points: NDArray[np.float64] | list[tuple[float, float]], colour: Colour) -> None:
        """A filled polygon, points (N, 2)."""
        fixed = self._fixed(np.asarray(points, np.float64))
        cv2.fillPoly(self.canvas, [fixed], _rgb(colour), cv2.LINE_AA, _SHIFT)

    def line(self, points: list[tuple[float, float]], colour: Colour, width: float) -> None:
        """An open line, `width` as a fraction of the side."""
        thickness = max(1, round(width * self.side))
        fixed = self._fixed(np.asarray(points, np.float64))
        cv2.polylines(self.canvas, [fixed], False, _rgb(colour), thickness, cv2.LINE_AA, _SHIFT)

    def ellipse(self, x: float, y: float, rx: float, ry: float, colour: Colour, upper: bool = False) -> None:
        """A filled ellipse, or its upper half."""
        turn = np.linspace(np.pi if upper else 0.0, 2 * np.pi, 25)
        self.shape(np.stack([x + rx * np.cos(turn), y + ry * np.sin(turn)], axis=1), colour)

    def box(self, x0: float, y0: float, x1: float, y1: float, colour: Colour) -> None:
        """A filled rectangle."""
        self.shape([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], colour)

    def wash(self, y0: float, y1: float, top: Colour, bottom: Colour) -> None:
        """A vertical gradient over the whole width between two heights."""
        a, b = max(0, round(y0 * self.side)), min(self.side, round(y1 * self.side))
        if b > a:
            t = np.linspace(0.0, 1.0, b - a)[:, None]
            rows = np.asarray(top) * (1 - t) + np.asarray(bottom) * t
            self.canvas[a:b] = np.clip(rows, 0, 255).astype(np.uint8)[:, None]

    def ridge(self, base: float, height: float, steps: int, colour: Colour, rough: float = 1.0) -> None:
        """A rolling silhouette whose crest varies by `height` above `base`, filled to the bottom edge."""
        knots = self.rng.uniform(0.0, 1.0, steps + 1) * height
        xs = np.linspace(0.0, 1.0, 33)
        crest = np.interp(xs, np.linspace(0.0, 1.0, steps + 1), knots)
        if rough < 1.0:
            crest = np.convolve(np.pad(crest, 4, mode="edge"), np.ones(9) / 9, mode="valid")
        points = np.stack([xs, base - crest], axis=1)
        self.shape(np.concatenate([points, [[1.0, 1.0], [0.0, 1.0]]]), colour)

    def clump(self, x: float, y: float, radius: float, colours: tuple[Colour, ...]) -> None:
        """Foliage: overlapping blobs, darker below, lighter above left."""
        base = colours[int(self.rng.integers(len(colours)))]
        for layer, (dy, shade) in enumerate(((0.25, -26.0), (0.0, 0.0), (-0.28, 22.0))):
            for _ in range(4 - layer):
                a, r = self.rng.uniform(0, 2 * np.pi), self.rng.uniform(0.1, 0.5) * radius
                cx = x + np.cos(a) * r - 0.08 * layer * radius
                cy = y + dy * radius + np.sin(a) * r * 0.8
                tone = (base[0] + shade, base[1] + shade, base[2] + shade)
                size = radius * (0.72 - 0.14 * layer)
                self.ellipse(cx, cy, size, size * 0.86, self.vary(tone, 6))

    def soften(self, mask_side: int) -> None:
        """Blur the whole canvas with a box of `mask_side` pixels."""
        self.canvas = np.ascontiguousarray(cv2.blur(self.canvas, (mask_side, mask_side)))

    def tint(self, factor: Colour) -> None:
        """Multiply every pixel by one colour factor."""
        self.canvas = np.clip(self.canvas * np.asarray(factor, np.float32), 0, 255).astype(np.uint8)


def _rgb(colour: Colour) -> tuple[int, int, int]:
    """Clip to the bytes OpenCV takes."""
    r, g, b = (int(min(255.0, max(0.0, c))) for c in colour)
    return r, g, b


def noise_field(side: int, cells: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Smooth noise (side, side) in about [-1, 1] with features of side/cells pixels."""
    grid = rng.uniform(-1, 1, (cells + 3, cells + 3)).astype(np.float32)
    return np.asarray(cv2.resize(grid, (side, side), interpolation=cv2.INTER_CUBIC), np.float32)


def watercolour(picture: Picture, rng: np.random.Generator) -> Picture:
    """Uneven pigment and slightly wandering edges: the look of paint on paper.

    Takes and gives uint8 RGB (S, S, 3); edges wander by at most about S/100 pixels.
    """
    side = picture.shape[0]
    ys, xs = np.mgrid[0:side, 0:side].astype(np.float32)
    reach = side / 110
    xs += noise_field(side, 14, rng) * reach
    ys += noise_field(side, 14, rng) * reach
    bent = cv2.remap(picture, xs, ys, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    pigment = 1.0 + 0.05 * noise_field(side, 9, rng) + 0.03 * noise_field(side, 30, rng)
    return np.clip(bent * pigment[..., None], 0, 255).astype(np.uint8)
