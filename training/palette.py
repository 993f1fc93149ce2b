"""The colours of seasons, skies and objects, as RGB in 0…255."""

from __future__ import annotations

from dataclasses import dataclass

Colour = tuple[float, float, float]

OBJECT_COLOURS: dict[str, Colour] = {
    "red": (214, 40, 40),
    "yellow": (250, 208, 40),
    "green": (30, 150, 70),
    "blue": (40, 84, 210),
    "purple": (138, 60, 176),
    "white": (248, 248, 246),
}


@dataclass(frozen=True)
class SeasonPalette:
    """What a season looks like: sky from top to horizon, ground from far to near, leaves, hills, water."""

    sky_top: Colour
    sky_low: Colour
    ground_far: Colour
    ground_near: Colour
    leaves: tuple[Colour, ...]
    hills: Colour
    rock: Colour
    water: Colour
    sand: Colour
    roof: Colour | None
    """None where the roof keeps its own colour, else what lies on it."""


SEASONS: dict[str, SeasonPalette] = {
    "spring": SeasonPalette(
        sky_top=(130, 196, 244),
        sky_low=(226, 240, 248),
        ground_far=(176, 222, 120),
        ground_near=(126, 200, 84),
        leaves=((250, 170, 196), (252, 196, 214), (246, 150, 184)),
        hills=(150, 200, 140),
        rock=(150, 160, 170),
        water=(120, 190, 220),
        sand=(240, 224, 176),
        roof=None,
    ),
    "summer": SeasonPalette(
        sky_top=(40, 130, 224),
        sky_low=(170, 220, 248),
        ground_far=(84, 158, 62),
        ground_near=(48, 122, 42),
        leaves=((30, 98, 42), (44, 118, 48), (24, 84, 46)),
        hills=(62, 124, 84),
        rock=(122, 128, 136),
        water=(36, 120, 196),
        sand=(250, 220, 150),
        roof=None,
    ),
    "autumn": SeasonPalette(
        sky_top=(150, 180, 200),
        sky_low=(246, 226, 196),
        ground_far=(206, 166, 84),
        ground_near=(168, 120, 56),
        leaves=((226, 106, 24), (204, 56, 30), (240, 166, 36)),
        hills=(176, 112, 62),
        rock=(136, 122, 116),
        water=(96, 132, 150),
        sand=(222, 196, 146),
        roof=None,
    ),
    "winter": SeasonPalette(
        sky_top=(164, 190, 216),
        sky_low=(226, 234, 242),
        ground_far=(226, 234, 244),
        ground_near=(246, 250, 254),
        leaves=((214, 224, 236),),
        hills=(196, 210, 228),
        rock=(156, 170, 190),
        water=(186, 214, 232),
        sand=(240, 240, 240),
        roof=(246, 250, 255),
    ),
}

WEATHER_SKY: dict[str, tuple[Colour, Colour, float]] = {
    "clear": ((0, 0, 0), (0, 0, 0), 0.0),
    "cloudy": ((150, 162, 176), (206, 212, 218), 0.7),
    "rain": ((92, 104, 122), (150, 160, 172), 0.85),
    "snow": ((176, 184, 196), (214, 220, 228), 0.8),
}
"""Weather → (top, horizon, how much of it covers the season's sky)."""

NIGHT_TOP: Colour = (10, 16, 52)
NIGHT_LOW: Colour = (42, 58, 112)
NIGHT_LIGHT: Colour = (0.36, 0.40, 0.60)
"""What night multiplies the colours of everything below the sky with."""
BARK: Colour = (92, 66, 48)
LAMP: Colour = (255, 206, 96)


def mix(a: Colour, b: Colour, t: float) -> Colour:
    """Linear mixture: `a` at 0, `b` at 1."""
    return (a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t)
