"""Paints a scene: sky, place, trees of the season, object, night, weather."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from training import palette
from training.brush import Brush, Picture, watercolour
from training.palette import SEASONS, SeasonPalette, mix
from training.scenes import Scene
from training.things import CREAM, fir, flowers, house, place_object, tree

HORIZONS = {
    "meadow": 0.50,
    "mountains": 0.66,
    "lake": 0.44,
    "forest": 0.58,
    "village": 0.52,
    "beach": 0.40,
    "river": 0.45,
}
FLOWERS = {
    "spring": ((255, 255, 255), (255, 224, 70), (240, 110, 170)),
    "summer": ((250, 220, 60), (230, 60, 50)),
    "autumn": ((226, 106, 24), (204, 56, 30), (240, 176, 46)),
}


def paint(scene: Scene, side: int = 128) -> Picture:
    """The picture of a scene as uint8 RGB (side, side, 3); equal scenes give equal pictures."""
    return paint_and_mark(scene, side)[0]


def paint_and_mark(scene: Scene, side: int = 128) -> tuple[Picture, NDArray[np.bool_]]:
    """The picture, and where the object is in it, (side, side), before the watercolour bends it a little."""
    rng = np.random.default_rng(scene.seed)
    brush = Brush(side * 2, rng)
    season = SEASONS[scene.season]
    horizon = HORIZONS[scene.place] + float(rng.uniform(-0.03, 0.03))
    _sky(brush, scene, season, horizon)
    sky = brush.canvas.copy()
    ground, water = _PLACES[scene.place](brush, scene, season, horizon)
    before = brush.canvas.copy()
    if scene.obj:
        place_object(brush, scene, ground, water)
    mark = (brush.canvas != before).any(axis=2)
    if scene.time == "night":
        _nightfall(brush, sky)
    _weather(brush, scene)
    picture = cv2.resize(brush.canvas, (side, side), interpolation=cv2.INTER_AREA)
    shares = cv2.resize(mark.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)
    return watercolour(np.asarray(picture, np.uint8), rng), np.asarray(shares > 0.5, np.bool_)


def _sky(brush: Brush, scene: Scene, season: SeasonPalette, horizon: float) -> None:
    """Sky gradient, then sun, moon, stars and clouds as weather and time say."""
    top, low, cover = palette.WEATHER_SKY[scene.weather]
    night = scene.time == "night"
    a, b = (palette.NIGHT_TOP, palette.NIGHT_LOW) if night else (season.sky_top, season.sky_low)
    shade = 0.28 if night else 1.0
    top, low = mix((0, 0, 0), top, shade), mix((0, 0, 0), low, shade)
    brush.wash(0.0, horizon + 0.12, brush.vary(mix(a, top, cover)), brush.vary(mix(b, low, cover)))
    rng = brush.rng
    if night and scene.weather == "clear":
        for _ in range(26):
            r = float(rng.uniform(0.005, 0.011))
            brush.ellipse(float(rng.uniform(0, 1)), float(rng.uniform(0, horizon)), r, r, (240, 240, 214))
    if scene.weather == "clear":
        x, y = float(rng.uniform(0.12, 0.88)), float(rng.uniform(0.10, 0.20))
        r = 0.075 if night else 0.085
        disc = (248, 244, 214) if night else (255, 232, 120)
        for ring, t in ((1.7, 0.8), (1.35, 0.55)):
            around = mix(disc, mix(a, b, y / horizon), t)
            brush.ellipse(x, y, r * ring, r * ring, around)
        brush.ellipse(x, y, r, r, disc)
    banks = {"clear": int(rng.integers(0, 2)), "cloudy": 6, "rain": 6, "snow": 3}[scene.weather]
    white = {
        "clear": (255, 255, 255),
        "cloudy": (234, 238, 242),
        "rain": (112, 122, 138),
        "snow": (224, 230, 238),
    }
    for _ in range(banks):
        x, y = float(rng.uniform(-0.05, 1.05)), float(rng.uniform(0.06, max(0.16, horizon - 0.16)))
        tone = mix((20, 28, 60), white[scene.weather], 0.30) if night else white[scene.weather]
        for _ in range(5):
            w = float(rng.uniform(0.06, 0.13))
            dx, dy = float(rng.uniform(-0.13, 0.13)), float(rng.uniform(-0.025, 0.025))
            brush.ellipse(x + dx, y + dy, w, w * 0.45, brush.vary(tone, 9))


def _ground(brush: Brush, season: SeasonPalette, horizon: float) -> None:
    """The season's ground from the horizon to the viewer."""
    brush.wash(horizon, 1.0, season.ground_far, season.ground_near)


def _hills(brush: Brush, season: SeasonPalette, horizon: float, height: float) -> None:
    """Two soft ranges behind the ground."""
    brush.ridge(horizon, height, 4, mix(season.hills, season.sky_low, 0.5), rough=0.5)
    brush.ridge(horizon + 0.02, height * 0.6, 5, season.hills, rough=0.5)


def _peaks(brush: Brush, season: SeasonPalette, name: str, base: float, height: float, count: int) -> None:
    """Mountains with a lit and a dark flank; the snow line comes down in winter, climbs in summer."""
    rng = brush.rng
    snow = {"spring": 0.42, "summer": 0.20, "autumn": 0.28, "winter": 0.86}[name]
    xs = np.linspace(0.08, 0.92, count) + rng.uniform(-0.08, 0.08, count)
    for x in rng.permutation(xs):
        x, h = float(x), height * float(rng.uniform(0.7, 1.0))
        half = h * float(rng.uniform(0.62, 0.8))
        tip = base - h
        rock = brush.vary(season.rock, 8)
        brush.shape([(x - half, base), (x + half, base), (x, tip)], rock)
        brush.shape([(x, tip), (x + half, base), (x + half * 0.1, base)], mix(rock, (40, 50, 80), 0.28))
        s, edge = snow, float(rng.uniform(-0.05, 0.05))
        cap = [(x, tip), (x + half * s, tip + h * s), (x + half * s * 0.4, tip + h * s * (0.8 + edge))]
        cap += [(x + half * s * 0.05, tip + h * s * 1.1), (x - half * s * 0.4, tip + h * s * (0.78 - edge))]
        cap += [(x - half * s, tip + h * s)]
        brush.shape(cap, (248, 250, 255))
        brush.shape(
            [(x, tip), (x + half * s, tip + h * s), (x + half * s * 0.3, tip + h * s * 0.8)], (206, 218, 238)
        )


def _trees(brush: Brush, scene: Scene, places: list[tuple[float, float, float]], firs: float = 0.0) -> None:
    """Trees at (x, foot, height), the far ones first; a share of them are firs."""
    for x, foot, height in sorted(places, key=lambda p: p[1]):
        kind = fir if brush.rng.random() < firs else tree
        kind(brush, x, foot, height * float(brush.rng.uniform(0.9, 1.1)), scene.season)


def _row(
    brush: Brush, count: int, foot: float, height: float, keep: tuple[float, float] | None = None
) -> list[tuple[float, float, float]]:
    """`count` tree places over the width, none between the two bounds of `keep`."""
    xs = np.linspace(0.02, 0.98, count) + brush.rng.uniform(-0.05, 0.05, count)
    return [
        (float(x), foot + float(brush.rng.uniform(-0.012, 0.03)), height)
        for x in xs
        if keep is None or not keep[0] < x < keep[1]
    ]


def _scatter(brush: Brush, scene: Scene, horizon: float, count: int) -> None:
    """Flowers in spring and summer, fallen leaves in autumn, nothing on snow."""
    if scene.season in FLOWERS:
        flowers(brush, horizon, FLOWERS[scene.season], count if scene.season != "summer" else count // 3)


def _meadow(brush: Brush, scene: Scene, season: SeasonPalette, horizon: float) -> tuple[float, float]:
    _hills(brush, season, horizon, 0.16)
    _ground(brush, season, horizon)
    _scatter(brush, scene, horizon, 42)
    rng = brush.rng
    side = 1.0 if rng.random() < 0.5 else -1.0
    places = [(0.5 + side * float(rng.uniform(0.24, 0.36)), horizon + 0.16, float(rng.uniform(0.50, 0.60)))]
    places += [(0.5 - side * float(rng.uniform(0.2, 0.4)), horizon + 0.07, float(rng.uniform(0.28, 0.38)))]
    if rng.random() < 0.6:
        places.append((float(rng.uniform(0.3, 0.7)), horizon + 0.04, 0.22))
    _trees(brush, scene, places)
    return 0.88, 0.88


def _mountains(brush: Brush, scene: Scene, season: SeasonPalette, horizon: float) -> tuple[float, float]:
    _peaks(brush, season, scene.season, horizon, 0.54, 4)
    brush.ridge(horizon + 0.03, 0.09, 5, season.hills, rough=0.5)
    _ground(brush, season, horizon + 0.02)
    _scatter(brush, scene, horizon, 18)
    _trees(brush, scene, _row(brush, 5, horizon + 0.10, 0.24, (0.36, 0.64)), firs=0.3)
    return 0.92, 0.92


def _lake(brush: Brush, scene: Scene, season: SeasonPalette, horizon: float) -> tuple[float, float]:
    _peaks(brush, season, scene.season, horizon + 0.02, 0.30, 4)
    brush.ridge(horizon + 0.03, 0.05, 6, season.hills, rough=0.5)
    brush.wash(horizon + 0.02, 1.0, mix(season.water, season.sky_low, 0.4), season.water)
    for _ in range(7):
        x, y = float(brush.rng.uniform(0.1, 0.9)), float(brush.rng.uniform(horizon + 0.06, 0.78))
        gleam = brush.vary(mix(season.water, (255, 255, 255), 0.35))
        brush.line([(x - 0.07, y), (x + 0.07, y)], gleam, 0.010)
    bank = np.linspace(0, np.pi, 21)
    shore = np.stack([np.linspace(0, 1, 21), 0.74 + 0.13 * np.sin(bank)], axis=1)
    brush.shape(np.concatenate([shore, [[1.0, 1.0], [0.0, 1.0]]]), season.ground_near)
    _scatter(brush, scene, 0.80, 16)
    rng = brush.rng
    places = [(float(rng.uniform(0.06, 0.18)), 0.80, 0.44), (float(rng.uniform(0.82, 0.95)), 0.80, 0.40)]
    places += _row(brush, 6, horizon + 0.04, 0.13)
    _trees(brush, scene, places)
    return 0.96, 0.70


def _forest(brush: Brush, scene: Scene, season: SeasonPalette, horizon: float) -> tuple[float, float]:
    _ground(brush, season, horizon)
    far = mix(season.leaves[0], season.sky_low, 0.45)
    brush.ridge(
        horizon + 0.01,
        0.30,
        9,
        mix(far, (120, 120, 130), 0.4 if scene.season == "winter" else 0.1),
        rough=0.5,
    )
    brush.wash(horizon, 1.0, season.ground_far, season.ground_near)
    _scatter(brush, scene, horizon, 30)
    path = [(0.47, horizon), (0.53, horizon), (0.72, 1.0), (0.30, 1.0)]
    brush.shape(path, mix(season.ground_near, season.sand, 0.65))
    places = _row(brush, 8, horizon + 0.04, 0.42)
    places += _row(brush, 5, horizon + 0.16, 0.64, (0.30, 0.70))
    _trees(brush, scene, places, firs=0.15)
    return 0.93, 0.93


def _village(brush: Brush, scene: Scene, season: SeasonPalette, horizon: float) -> tuple[float, float]:
    _hills(brush, season, horizon, 0.18)
    _ground(brush, season, horizon)
    _scatter(brush, scene, horizon + 0.12, 22)
    rng = brush.rng
    _trees(brush, scene, _row(brush, 5, horizon + 0.03, 0.24))
    walls = (CREAM, (230, 206, 176), (236, 236, 228))
    for x in np.linspace(0.14, 0.86, 4) + rng.uniform(-0.04, 0.04, 4):
        foot = horizon + float(rng.uniform(0.08, 0.15))
        house(
            brush, float(x), foot, float(rng.uniform(0.20, 0.25)), walls[int(rng.integers(3))], scene.season
        )
    x = float(rng.choice([rng.uniform(0.05, 0.15), rng.uniform(0.85, 0.95)]))
    _trees(brush, scene, [(x, horizon + 0.24, 0.46)])
    return 0.93, 0.93


def _beach(brush: Brush, scene: Scene, season: SeasonPalette, horizon: float) -> tuple[float, float]:
    brush.wash(horizon, 0.80, mix(season.water, (20, 50, 90), 0.25), mix(season.water, (255, 255, 255), 0.25))
    for y in (horizon + 0.08, horizon + 0.16, horizon + 0.24):
        x = float(brush.rng.uniform(0.05, 0.6))
        brush.line([(x, y), (x + 0.3, y)], mix(season.water, (255, 255, 255), 0.6), 0.012)
    xs = np.linspace(0, 1, 21)
    slope = float(brush.rng.uniform(-0.12, 0.12))
    for lift, colour in ((0.018, (250, 252, 252)), (0.0, season.sand)):
        shore = 0.72 - lift + slope * (xs - 0.5) + 0.018 * np.sin(xs * 9.0)
        brush.shape(np.concatenate([np.stack([xs, shore], 1), [[1.0, 1.0], [0.0, 1.0]]]), colour)
    x = 0.10 if slope < 0 else 0.90
    brush.ellipse(x, 0.86, 0.34, 0.13, season.ground_near, upper=True)
    _trees(brush, scene, [(x + 0.02, 0.84, 0.52)])
    return 0.95, 0.64


def _river(brush: Brush, scene: Scene, season: SeasonPalette, horizon: float) -> tuple[float, float]:
    _hills(brush, season, horizon, 0.16)
    _ground(brush, season, horizon)
    _scatter(brush, scene, horizon, 26)
    t = np.linspace(0, 1, 24)
    bend = float(brush.rng.choice([-1.0, 1.0]))
    centre = 0.5 + bend * 0.16 * np.sin(t * 4.4) * (1 - 0.5 * t)
    width = 0.02 + 0.27 * t**1.3
    y = horizon + 0.01 + (1 - horizon) * t
    left, right = np.stack([centre - width, y], 1), np.stack([centre + width, y], 1)
    brush.shape(np.concatenate([left, right[::-1]]), season.water)
    for k in (8, 12, 16, 20):
        c, w = float(centre[k]), float(width[k])
        brush.line(
            [(c - w * 0.5, float(y[k])), (c + w * 0.2, float(y[k]))],
            mix(season.water, (255, 255, 255), 0.4),
            0.010,
        )
    rng = brush.rng
    places = [
        (float(rng.uniform(0.04, 0.14)), horizon + 0.20, 0.48),
        (float(rng.uniform(0.86, 0.96)), horizon + 0.16, 0.42),
    ]
    places += _row(brush, 6, horizon + 0.03, 0.17, (0.42, 0.58))
    _trees(brush, scene, places)
    return 0.94, 0.90


_PLACES: dict[str, Callable[[Brush, Scene, SeasonPalette, float], tuple[float, float]]] = {
    "meadow": _meadow,
    "mountains": _mountains,
    "lake": _lake,
    "forest": _forest,
    "village": _village,
    "beach": _beach,
    "river": _river,
}
"""Each paints its place below the sky and gives the heights where objects stand and float."""


def _nightfall(brush: Brush, sky: Picture) -> None:
    """Darken everything that is not sky, then light the windows."""
    land = (brush.canvas != sky).any(axis=2, keepdims=True)
    dim = np.clip(brush.canvas * np.asarray(palette.NIGHT_LIGHT, np.float32), 0, 255).astype(np.uint8)
    brush.canvas = np.ascontiguousarray(np.where(land, dim, brush.canvas))
    for window in brush.windows:
        brush.box(*window, palette.LAMP)


def _weather(brush: Brush, scene: Scene) -> None:
    """Falling snow or slanting rain in front of everything, and the greyness of a covered sky."""
    rng = brush.rng
    if scene.weather in ("cloudy", "rain"):
        brush.tint((0.90, 0.92, 0.95) if scene.weather == "cloudy" else (0.76, 0.80, 0.87))
    if scene.weather == "rain":
        for x, y in rng.uniform(-0.05, 1.05, (46, 2)):
            length = float(rng.uniform(0.06, 0.11))
            brush.line([(x, y), (x - length * 0.35, y + length)], (206, 216, 230), 0.006)
    if scene.weather == "snow":
        for x, y in rng.uniform(0, 1, (70, 2)):
            r = float(rng.uniform(0.008, 0.016))
            brush.ellipse(float(x), float(y), r, r, (255, 255, 255))
