"""Captions for drawn scenes: short natural phrases that say some of the facts, and only true ones."""

from __future__ import annotations

import numpy as np

from training.scenes import COLOURS, MOTIONS, OBJECTS, Scene

PLACE_WORDS = {
    "meadow": ("meadow", "grassy meadow", "field"),
    "mountains": ("mountains", "mountain landscape", "mountain range"),
    "lake": ("lake", "mountain lake", "lake below mountains"),
    "forest": ("forest", "woods", "woodland"),
    "village": ("village", "small village", "village with houses"),
    "beach": ("beach", "sea shore", "seaside"),
    "river": ("river", "winding river", "stream"),
}
PLURAL_PLACES = ("mountains", "woods")
SEASON_WORDS = {
    "spring": ("spring", "springtime"),
    "summer": ("summer", "summertime"),
    "autumn": ("autumn", "fall"),
    "winter": ("winter", "wintertime"),
}
SEASON_DETAILS = {
    "spring": ("blossoming trees", "pink blossom", "blossoms", "fresh green grass", "flowers"),
    "summer": ("green trees", "lush green", "deep green leaves", "leafy trees"),
    "autumn": ("orange and red leaves", "golden leaves", "autumn leaves", "orange trees"),
    "winter": ("bare trees", "snow-covered ground", "snowy", "white snow", "frost"),
}
WEATHER_WORDS = {
    ("clear", "day"): ("clear day", "sunny", "sunny day", "blue sky", "clear sky", "sunshine"),
    ("clear", "night"): ("clear night", "starry night", "stars", "moonlight", "clear sky"),
    ("cloudy", "day"): ("cloudy", "cloudy day", "overcast", "clouds"),
    ("cloudy", "night"): ("cloudy", "cloudy night", "clouds"),
    ("rain", "day"): ("rain", "rainy", "rainy day", "raining"),
    ("rain", "night"): ("rain", "rainy", "rainy night", "raining"),
    ("snow", "day"): ("snow", "snowing", "snowfall", "falling snow"),
    ("snow", "night"): ("snow", "snowing", "snowfall", "falling snow"),
}
TIME_WORDS = {"day": ("day", "daytime", "daylight"), "night": ("night", "at night", "night time")}
POSITION_WORDS = {"left": "on the left", "middle": "in the middle", "right": "on the right"}
MEDIUMS = ("a painting of", "painting of", "a drawing of", "a picture of", "illustration of", "landscape,")
PRAISE = ("beautiful", "masterpiece", "detailed", "best quality", "high quality", "scenery", "soft colours")


def _subject(scene: Scene, rng: np.random.Generator) -> str:
    """Place and season, one of them, or neither, in one of their common orders."""
    place = str(rng.choice(PLACE_WORDS[scene.place]))
    season = str(rng.choice(SEASON_WORDS[scene.season]))
    article = "" if rng.random() < 0.4 or place in PLURAL_PLACES else "a "
    form = rng.random()
    if form < 0.16:
        return season
    if form < 0.28:
        return article + place
    if form < 0.52:
        return f"{article}{place} in {season}"
    if form < 0.84:
        vowel = article and season[0] in "aeiou"
        return f"{'an ' if vowel else article}{season} {place}"
    return f"{season}, {article}{place}"


def object_phrase(scene: Scene, rng: np.random.Generator) -> str:
    """The object with its colour, mostly where it moves, and often its place in the picture."""
    phrase = f"{scene.colour} {scene.obj}"
    if rng.random() < 0.75:
        phrase = "a " + phrase
    if scene.motion and rng.random() < 0.85:
        phrase += f" moving {scene.motion}"
    return f"{phrase} {POSITION_WORDS[scene.position]}" if scene.position and rng.random() < 0.4 else phrase


def plain_caption(place: str, season: str, obj: str = "", colour: str = "", way: str = "") -> str:
    """A prompt as one would write it: season and place, then the object and which way it moves, if any."""
    named = f", a {colour} {obj}" if obj else ""
    return f"{season} {place}{named}{f' moving {way}' if way else ''}"


def caption(scene: Scene, rng: np.random.Generator) -> str:
    """One caption of the scene; which facts it names is left to `rng`, what it names is always drawn."""
    subject = _subject(scene, rng)
    if rng.random() < 0.3:
        detail = str(rng.choice(SEASON_DETAILS[scene.season]))
        subject = f"{subject} with {detail}" if rng.random() < 0.5 else f"{subject}, {detail}"
    rest = []
    if rng.random() < 0.65:
        rest.append(str(rng.choice(WEATHER_WORDS[scene.weather, scene.time])))
    if rng.random() < (0.9 if scene.time == "night" else 0.3):
        rest.append(str(rng.choice(TIME_WORDS[scene.time])))
    named = object_phrase(scene, rng) if scene.obj and rng.random() < 0.95 else ""
    leading = named != "" and rng.random() < 0.25
    if named and not leading:
        rest.append(named)
    if rng.random() < 0.15:
        rest.append(str(rng.choice(PRAISE)))
    rng.shuffle(rest)
    if rng.random() < 0.2:
        subject = f"{rng.choice(MEDIUMS)} {subject}"
    if leading:
        subject = f"{named}, {subject}"
    return ", ".join([subject, *rest])


def vocabulary() -> list[str]:
    """Every word that captions use, in a fixed order: what the tokenizer is built from."""
    groups = [*PLACE_WORDS.values(), *SEASON_WORDS.values(), *SEASON_DETAILS.values()]
    groups += [*WEATHER_WORDS.values(), *TIME_WORDS.values(), MEDIUMS, PRAISE]
    phrases = [phrase for group in groups for phrase in group]
    phrases += [*COLOURS, *OBJECTS, *POSITION_WORDS.values(), "moving", *MOTIONS, "with", "in", "an"]
    words = [word.strip(",") for phrase in phrases for word in phrase.replace("-", " ").split()]
    return list(dict.fromkeys(words))
