"""Drawings: the same for the same seed, and true to their captions in colour."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from skimage.color import rgb2hsv

from training.painting import paint, paint_and_mark
from training.palette import OBJECT_COLOURS
from training.scenes import MOVES, PLACES, POSITIONS, SEASONS, Scene


def scene(place: str = "meadow", season: str = "summer", **facts: object) -> Scene:
    return replace(Scene(place, season, "clear", "day", 3), **facts)  # type: ignore[arg-type]


def test_equal_scenes_give_equal_pictures_and_seeds_change_them() -> None:
    assert np.array_equal(paint(scene()), paint(scene()))
    assert not np.array_equal(paint(scene()), paint(scene(seed=4)))


@pytest.mark.parametrize("side", [64, 128, 256])
def test_pictures_have_the_size_asked_for(side: int) -> None:
    picture = paint(scene(), side)
    assert picture.shape == (side, side, 3)
    assert picture.dtype == np.uint8


@pytest.mark.parametrize("place", PLACES)
def test_seasons_differ_in_colour_as_their_names_say(place: str) -> None:
    means = {
        season: np.mean([paint(scene(place, season, seed=n))[64:].mean((0, 1)) for n in range(4)], axis=0)
        for season in SEASONS
    }
    assert means["winter"].min() > 1.15 * max(means[s].min() for s in ("spring", "summer", "autumn"))
    warmth = {season: mean[0] - mean[2] for season, mean in means.items()}
    assert max(warmth, key=lambda s: warmth[s]) == "autumn" or place == "beach"
    assert means["summer"].sum() < means["spring"].sum()


def test_blossom_is_drawn_in_spring_alone() -> None:
    def pink(season: str) -> float:
        hsv = rgb2hsv(paint(scene("forest", season)))
        return float(((hsv[..., 0] > 0.88) & (hsv[..., 1] > 0.15) & (hsv[..., 2] > 0.7)).mean())

    assert pink("spring") > 0.08
    assert max(pink(s) for s in ("summer", "autumn", "winter")) < 0.02


def test_night_is_darker_than_day() -> None:
    for place in PLACES:
        assert paint(scene(place, time="night")).mean() < 0.6 * paint(scene(place)).mean()


@pytest.mark.parametrize("obj", ["ball", "balloon", "car", "tent", "house"])
@pytest.mark.parametrize("position", POSITIONS)
def test_the_object_has_its_colour_and_stands_where_it_is_said_to(obj: str, position: str) -> None:
    x = sum(POSITIONS[position]) / 2
    bare = paint(scene(season="winter"))
    with_it = paint(scene(season="winter", obj=obj, colour="purple", position=position, x=x))
    distance = np.abs(with_it.astype(int) - np.asarray(OBJECT_COLOURS["purple"])).sum(-1)
    mask = distance < 60
    assert mask.mean() > 0.003
    assert abs(np.nonzero(mask)[1].mean() / 128 - x) < 0.06
    assert (np.abs(bare.astype(int) - np.asarray(OBJECT_COLOURS["purple"])).sum(-1) < 60).mean() < 0.001


@pytest.mark.parametrize("obj", ["ball", "balloon", "boat", "car", "tent", "house"])
def test_the_mark_is_where_the_object_is(obj: str) -> None:
    place = "lake" if obj == "boat" else "meadow"
    bare, (picture, mark) = paint(scene(place)), paint_and_mark(scene(place, obj=obj, colour="purple", x=0.5))
    assert mark.shape == picture.shape[:2]
    assert 0.03 < mark.mean() < 0.25
    changed = np.abs(picture.astype(int) - bare).max(-1) > 60
    assert changed[~mark].mean() < 0.1 * changed[mark].mean()
    assert not paint_and_mark(scene(place))[1].any()


@pytest.mark.parametrize("obj", MOVES)
def test_streaks_lie_behind_what_moves(obj: str) -> None:
    place = "lake" if obj == "boat" else "meadow"
    at_rest = paint_and_mark(scene(place, obj=obj, colour="red", x=0.5))[1]
    for motion, behind in (("left", 1), ("right", -1)):
        moving = paint_and_mark(scene(place, obj=obj, colour="red", x=0.5, motion=motion))[1]
        more = np.nonzero(moving & ~at_rest)[1].mean() - 63.5
        assert np.sign(more) == behind, motion
