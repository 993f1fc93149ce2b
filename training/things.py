"""Trees, houses and the coloured objects that stand in the scenes."""

from __future__ import annotations

import numpy as np

from training.brush import Brush
from training.palette import BARK, OBJECT_COLOURS, SEASONS, Colour, mix
from training.scenes import Scene

CREAM: Colour = (244, 232, 206)
ROOF: Colour = (150, 70, 54)
GLASS: Colour = (110, 140, 170)
DARK: Colour = (40, 40, 48)


def tree(brush: Brush, x: float, foot: float, height: float, season: str) -> None:
    """A broad-leaved tree: blossom, green, orange or bare with snow on its boughs."""
    trunk = mix(BARK, (120, 96, 80), 0.4 if season == "winter" else 0.0)
    top, w = foot - height * 0.55, height * 0.045
    brush.shape([(x - w * 1.6, foot), (x + w * 1.6, foot), (x + w, top), (x - w, top)], trunk)
    if season == "winter":
        for lean in (-0.30, -0.13, 0.10, 0.28):
            start = foot - height * float(brush.rng.uniform(0.40, 0.52))
            tip = (x + lean * height, foot - height * float(brush.rng.uniform(0.82, 1.0)))
            knee = (x + lean * height * 0.62, (start + tip[1]) / 2)
            brush.line([(x, start), knee, tip], trunk, height * 0.045)
            twig = (knee[0] + lean * height * 0.45, knee[1] - height * 0.10)
            brush.line([knee, twig], trunk, height * 0.03)
            brush.line([(tip[0] - 0.012, tip[1]), (tip[0] + 0.012, tip[1])], (250, 252, 255), height * 0.04)
        return
    brush.clump(x, foot - height * 0.68, height * 0.34, SEASONS[season].leaves)


def fir(brush: Brush, x: float, foot: float, height: float, season: str) -> None:
    """A conifer in three tiers; green all year, white-edged in winter."""
    green = {"spring": (58, 130, 82), "summer": (26, 88, 56), "autumn": (62, 96, 54)}.get(
        season, (70, 104, 100)
    )
    brush.box(x - height * 0.03, foot - height * 0.12, x + height * 0.03, foot, BARK)
    for tier in range(3):
        low = foot - height * (0.10 + 0.26 * tier)
        half, rise = height * (0.25 - 0.055 * tier), height * 0.42
        brush.shape([(x - half, low), (x + half, low), (x, low - rise)], brush.vary(green, 6))
        if season == "winter":
            brush.shape(
                [(x - half * 0.62, low - rise * 0.34), (x + half * 0.4, low - rise * 0.42), (x, low - rise)],
                (242, 247, 253),
            )


def house(brush: Brush, x: float, foot: float, size: float, wall: Colour, season: str) -> None:
    """A house with a gable roof (white in winter), a door and two windows."""
    w, h = size * 0.5, size * 0.55
    snow = SEASONS[season].roof
    brush.box(x - w, foot - h, x + w, foot, wall)
    brush.box(x + w * 0.55, foot - h, x + w, foot, mix(wall, DARK, 0.16))
    peak = foot - h - size * 0.42
    brush.shape([(x - w * 1.18, foot - h), (x + w * 1.18, foot - h), (x, peak)], snow or ROOF)
    if snow:
        brush.line([(x - w * 1.18, foot - h), (x + w * 1.18, foot - h)], (150, 170, 200), size * 0.035)
    brush.box(x - w * 0.16, foot - h * 0.6, x + w * 0.16, foot, BARK)
    for side in (-0.58, 0.58):
        box = (x + (side - 0.18) * w, foot - h * 0.72, x + (side + 0.18) * w, foot - h * 0.34)
        brush.box(*box, GLASS)
        brush.windows.append(box)


def ball(brush: Brush, x: float, foot: float, size: float, colour: Colour) -> None:
    """A ball on the ground with its shadow and a highlight."""
    r = size * 0.5
    brush.ellipse(x, foot, r * 1.1, r * 0.22, (70, 76, 70))
    brush.ellipse(x, foot - r, r, r, mix(colour, DARK, 0.28))
    brush.ellipse(x - r * 0.08, foot - r * 1.08, r * 0.88, r * 0.88, colour)
    brush.ellipse(x - r * 0.32, foot - r * 1.4, r * 0.26, r * 0.2, mix(colour, (255, 255, 255), 0.7))


def balloon(brush: Brush, x: float, y: float, size: float, colour: Colour) -> None:
    """A hot-air balloon whose envelope is centred at (x, y)."""
    r, basket = size * 0.42, y + size * 0.62
    for side in (-1, 1):
        brush.line([(x + side * r * 0.6, y + r * 0.6), (x + side * size * 0.07, basket)], DARK, 0.006)
    brush.shape([(x - r * 0.82, y + r * 0.5), (x + r * 0.82, y + r * 0.5), (x, y + r * 1.5)], colour)
    brush.ellipse(x, y, r, r, colour)
    brush.ellipse(x + r * 0.5, y, r * 0.42, r * 0.86, mix(colour, DARK, 0.2))
    brush.ellipse(x - r * 0.36, y - r * 0.1, r * 0.22, r * 0.66, mix(colour, (255, 255, 255), 0.45))
    brush.box(x - size * 0.09, basket, x + size * 0.09, basket + size * 0.13, BARK)


def boat(brush: Brush, x: float, y: float, size: float, colour: Colour, face: float = 1.0) -> None:
    """A sailing boat whose hull rests at (x, y); hull and foresail in the colour, white mainsail.

    `face` is 1 when the bow points right, -1 when it points left.
    """
    w, h = size * 0.62, size * 0.26
    brush.line([(x - w, y + 0.012), (x + w * 0.9, y + 0.012)], mix(colour, DARK, 0.45), 0.016)
    brush.line([(x, y - h), (x, y - size * 1.15)], BARK, 0.014)
    brush.shape(
        [
            (x - face * 0.014, y - size * 1.1),
            (x - face * 0.014, y - h * 1.3),
            (x - face * w * 0.8, y - h * 1.3),
        ],
        (252, 250, 242),
    )
    foresail = [(0.014, size * 0.95), (0.014, h * 1.3), (w * 0.6, h * 1.3)]
    brush.shape([(x + face * dx, y - up) for dx, up in foresail], colour)
    hull = [(-w * 0.9, h), (w * 1.1, h * 1.15), (w * 0.6, 0.0), (-w * 0.75, 0.0)]
    brush.shape([(x + face * dx, y - up) for dx, up in hull], colour)


def car(brush: Brush, x: float, foot: float, size: float, colour: Colour, face: float = 1.0) -> None:
    """A car from the side; `face` is 1 when it looks right, -1 when it looks left."""
    w, h = size * 0.72, size * 0.30
    cabin = [
        (x - face * w * 0.85, foot - h),
        (x - face * w * 0.7, foot - h * 2.1),
        (x + face * w * 0.1, foot - h * 2.1),
        (x + face * w * 0.42, foot - h),
    ]
    brush.ellipse(x, foot, w * 1.05, size * 0.06, (70, 76, 70))
    brush.shape(cabin, colour)
    glass = [
        (x - face * w * 0.7, foot - h * 1.1),
        (x - face * w * 0.58, foot - h * 1.85),
        (x + face * w * 0.04, foot - h * 1.85),
        (x + face * w * 0.26, foot - h * 1.1),
    ]
    brush.shape(glass, (206, 226, 238))
    brush.box(x - w, foot - h * 1.15, x + w, foot - h * 0.2, colour)
    for side in (-0.55, 0.55):
        brush.ellipse(x + side * w, foot - h * 0.22, h * 0.46, h * 0.46, DARK)
        brush.ellipse(x + side * w, foot - h * 0.22, h * 0.2, h * 0.2, (190, 190, 196))
    brush.ellipse(x + face * w * 0.94, foot - h * 0.8, h * 0.16, h * 0.2, (255, 236, 150))


def tent(brush: Brush, x: float, foot: float, size: float, colour: Colour) -> None:
    """A ridge tent, half open."""
    w, h = size * 0.62, size * 0.74
    brush.shape([(x - w, foot), (x + w, foot), (x + w * 0.1, foot - h)], colour)
    brush.shape([(x + w * 0.1, foot - h), (x + w, foot), (x + w * 0.46, foot)], mix(colour, DARK, 0.3))
    brush.shape([(x - w * 0.34, foot), (x + w * 0.16, foot), (x + w * 0.1, foot - h * 0.66)], (52, 44, 44))


SIZES = {
    "ball": (0.28, 0.34),
    "balloon": (0.38, 0.44),
    "boat": (0.33, 0.38),
    "house": (0.42, 0.48),
    "car": (0.32, 0.36),
    "tent": (0.40, 0.46),
}
"""Object → range of its size, as a fraction of the picture's side: four latent cells and more."""
REACH = {"ball": 0.5, "balloon": 0.42, "boat": 0.68, "car": 0.72}
"""Object that moves → half its extent along the way it goes, in sizes."""
WAYS = {"left": -1.0, "right": 1.0}


def streaks(brush: Brush, x: float, y: float, reach: float, motion: str, colour: Colour) -> None:
    """Three strokes behind something that moves; (x, y) is its centre, `reach` the way to its edge."""
    way = WAYS[motion]
    for side, length in ((-0.62, 0.10), (0.0, 0.15), (0.62, 0.10)):
        near, far = reach * 1.12, reach * 1.12 + length
        height = y + side * reach * 0.6
        brush.line([(x - way * near, height), (x - way * far, height)], colour, 0.024)


def place_object(brush: Brush, scene: Scene, ground: float, water: float) -> None:
    """Put the scene's object where it belongs: on the ground line, on the water line or into the sky.

    `ground` and `water` are heights (fractions) of the foot of a standing and a floating object.
    """
    paint, kind, x = OBJECT_COLOURS[scene.colour], scene.obj, scene.x
    if kind not in SIZES:
        raise ValueError(f"no such object: {kind}")
    size = float(brush.rng.uniform(*SIZES[kind]))
    sky = float(brush.rng.uniform(0.23, 0.28))
    face = -1.0 if scene.motion == "left" else 1.0
    if scene.motion:
        middle = {"ball": ground - size * 0.5, "balloon": sky, "boat": water - size * 0.3}
        y = middle.get(kind, ground - size * 0.3)
        streaks(brush, x, y, REACH[kind] * size, scene.motion, mix(paint, DARK, 0.35))
    if kind == "ball":
        ball(brush, x, ground, size, paint)
    elif kind == "balloon":
        balloon(brush, x, sky, size, paint)
    elif kind == "boat":
        boat(brush, x, water, size, paint, face)
    elif kind == "house":
        house(brush, x, ground, size, paint, "summer")
    elif kind == "car":
        car(brush, x, ground, size, paint, face)
    else:
        tent(brush, x, ground, size, paint)


def flowers(brush: Brush, y0: float, colours: tuple[Colour, ...], count: int) -> None:
    """Dots on the ground, larger towards the viewer: flowers, or fallen leaves."""
    for y in np.sort(brush.rng.uniform(y0 + 0.04, 1.0, count)):
        near = (float(y) - y0) / (1 - y0)
        r = 0.007 + 0.012 * near
        colour = colours[int(brush.rng.integers(len(colours)))]
        brush.ellipse(float(brush.rng.uniform(0, 1)), float(y), r, r * 0.8, brush.vary(colour, 10))
