"""Captions name only what is drawn."""

from __future__ import annotations

import re

import numpy as np

from training.captions import PLACE_WORDS, SEASON_WORDS, TIME_WORDS, caption, vocabulary
from training.scenes import COLOURS, OBJECTS, Scene, sample_scene


def words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]+", text))


def test_captions_never_name_another_season_object_or_colour() -> None:
    rng = np.random.default_rng(3)
    for _ in range(800):
        scene = sample_scene(rng)
        said = words(caption(scene, rng)) - {"fall"}
        for season in set(SEASON_WORDS) - {scene.season}:
            assert season not in said
        assert not said & (set(OBJECTS) - {scene.obj, "house"})
        if scene.obj:
            assert not said & (set(COLOURS) - {scene.colour} - {"white", "red", "green", "blue"})


def test_a_night_is_never_called_a_day() -> None:
    rng = np.random.default_rng(5)
    night = Scene("lake", "summer", "clear", "night", 1)
    for _ in range(200):
        text = caption(night, rng)
        assert not words(text) & {"day", "sunny", "daytime", "daylight", "sunshine"}, text


def test_partial_captions_occur() -> None:
    rng = np.random.default_rng(6)
    scene = Scene("lake", "winter", "clear", "day", 1)
    texts = {caption(scene, rng) for _ in range(400)}
    assert "winter" in texts
    assert any(place in texts for place in PLACE_WORDS["lake"])
    assert any(set(TIME_WORDS["day"]) & set(text.split(", ")) for text in texts)


def test_the_vocabulary_covers_every_caption() -> None:
    rng = np.random.default_rng(7)
    known = set(vocabulary()) | {"a"}
    for _ in range(500):
        text = caption(sample_scene(rng), rng)
        assert words(text) <= {part for word in known for part in words(word)}, text
