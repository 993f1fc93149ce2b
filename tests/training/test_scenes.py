"""What scenes are possible, and that held-out combinations stay out."""

from __future__ import annotations

import numpy as np

from training.scenes import PLACES, SEASONS, held_out_combinations, possible, sample_scene


def test_the_same_seed_gives_the_same_scenes() -> None:
    first = [sample_scene(np.random.default_rng(4)) for _ in range(3)]
    assert first == [sample_scene(np.random.default_rng(4)) for _ in range(3)]


def test_training_scenes_never_show_a_held_out_combination() -> None:
    kept = set(held_out_combinations())
    rng = np.random.default_rng(0)
    drawn = [sample_scene(rng) for _ in range(3000)]
    assert not kept & {(s.place, s.season, s.obj) for s in drawn if s.obj}
    assert not kept & {(s.place, s.season, "") for s in drawn}


def test_evaluation_scenes_are_all_held_out_and_cover_every_combination() -> None:
    rng = np.random.default_rng(1)
    drawn = [sample_scene(rng, held_out=True) for _ in range(1500)]
    assert all(s.held_out for s in drawn)
    seen = {(s.place, s.season, s.obj) for s in drawn} | {(s.place, s.season, "") for s in drawn}
    assert set(held_out_combinations()) <= seen


def test_every_place_and_season_is_still_learnt_alone() -> None:
    rng = np.random.default_rng(2)
    drawn = [sample_scene(rng) for _ in range(1000)]
    assert {s.place for s in drawn} == set(PLACES)
    assert {s.season for s in drawn} == set(SEASONS)


def test_snow_falls_in_winter_only_and_boats_need_open_water() -> None:
    assert possible("lake", "winter", "snow", "")
    assert not possible("lake", "winter", "rain", "")
    assert not possible("lake", "summer", "snow", "")
    assert possible("lake", "summer", "rain", "boat")
    assert not possible("forest", "summer", "clear", "boat")
    assert not possible("lake", "winter", "clear", "boat")
