"""What a drawn scene is: its facts, how scenes are sampled, and which combinations are never drawn."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

PLACES = ("meadow", "mountains", "lake", "forest", "village", "beach", "river")
SEASONS = ("spring", "summer", "autumn", "winter")
WEATHERS = ("clear", "cloudy", "rain", "snow")
TIMES = ("day", "night")
OBJECTS = ("ball", "balloon", "boat", "house", "car", "tent")
COLOURS = ("red", "yellow", "green", "blue", "purple", "white")
POSITIONS = {"left": (0.17, 0.30), "middle": (0.43, 0.57), "right": (0.70, 0.83)}
"""Position word → range of the object's centre, as a fraction of the picture's width."""

MOTIONS = ("left", "right")
MOVES = ("ball", "balloon", "boat", "car")
"""Objects that can move; a still picture shows it by streaks behind the object and by where it faces."""
MOTION_SHARE = 0.5
"""How many of those that can do."""
OBJECT_SHARE = 0.85
OBJECT_ODDS = (0.15, 0.15, 0.26, 0.14, 0.15, 0.15)
"""Boats are asked for more often, because most places and winter refuse them."""

WET_PLACES = ("lake", "beach", "river")
HELD_OUT_PAIRS = frozenset({("beach", "autumn"), ("village", "spring")})
"""(place, season) pairs that training never draws together."""


@dataclass(frozen=True)
class Scene:
    """The facts of one drawing; the same scene always gives the same picture.

    `x` is the object's centre as a fraction of the width, `seed` fixes the layout (trees, hills, clouds).
    `obj`, `colour` and `position` are empty strings and `x` is 0.5 when the scene has no object. `motion`
    says where a moving object goes, "" for one at rest.
    """

    place: str
    season: str
    weather: str
    time: str
    seed: int
    obj: str = ""
    colour: str = ""
    position: str = ""
    x: float = 0.5
    motion: str = ""

    @property
    def held_out(self) -> bool:
        """Whether training must never see this combination."""
        return (self.place, self.season) in HELD_OUT_PAIRS or (
            self.obj != "" and held_out_triple(self.place, self.season, self.obj)
        )


def held_out_triple(place: str, season: str, obj: str) -> bool:
    """Whether (place, season, object) is kept for evaluation: one in seven, spread over all values."""
    return (PLACES.index(place) + 2 * SEASONS.index(season) + 3 * OBJECTS.index(obj)) % 7 == 3


def colours_in(season: str) -> tuple[str, ...]:
    """Colours that are seen: nothing white stands in the snow."""
    return tuple(colour for colour in COLOURS if season != "winter" or colour != "white")


def possible(place: str, season: str, weather: str, obj: str, colour: str = "") -> bool:
    """Whether such a scene makes sense: snow falls and rain stops in winter, boats need open water."""
    if colour and colour not in colours_in(season):
        return False
    if (weather == "snow") != (season == "winter") and weather in ("snow", "rain"):
        return False
    return obj != "boat" or (place in WET_PLACES and season != "winter")


def held_out_combinations() -> list[tuple[str, str, str]]:
    """All (place, season, object) that training never draws; object "" stands for a whole pair."""
    triples = [
        (p, s, o)
        for p, s, o in product(PLACES, SEASONS, OBJECTS)
        if (p, s) not in HELD_OUT_PAIRS and held_out_triple(p, s, o) and possible(p, s, "clear", o)
    ]
    return [(p, s, "") for p, s in sorted(HELD_OUT_PAIRS)] + triples


def sample_scene(rng: np.random.Generator, held_out: bool = False) -> Scene:
    """Draw the facts of one scene; `held_out` chooses which side of the split it comes from."""
    while True:
        place, season = str(rng.choice(PLACES)), str(rng.choice(SEASONS))
        weather = str(rng.choice(WEATHERS, p=(0.46, 0.2, 0.17, 0.17)))
        time = "night" if rng.random() < 0.2 else "day"
        obj = str(rng.choice(OBJECTS, p=OBJECT_ODDS)) if rng.random() < OBJECT_SHARE else ""
        colour = str(rng.choice(COLOURS)) if obj else ""
        position = str(rng.choice(list(POSITIONS))) if obj else ""
        x = float(rng.uniform(*POSITIONS[position])) if obj else 0.5
        motion = str(rng.choice(MOTIONS)) if obj in MOVES and rng.random() < MOTION_SHARE else ""
        seed = int(rng.integers(2**31))
        scene = Scene(place, season, weather, time, seed, obj, colour, position, x, motion)
        if possible(place, season, weather, obj, colour) and scene.held_out == held_out:
            return scene
