"""The measures themselves: readers read drawings, baselines stand where they should."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from training import pictures
from training.captions import POSITION_WORDS
from training.evaluate import FACTS, Fact, Group, drawn, prompts, read
from training.readers import SIDE, histogram, pixels
from training.scenes import OBJECTS, POSITIONS, SEASONS, held_out_combinations


def test_prompts_name_held_out_combinations_and_their_facts_alone() -> None:
    texts, named = prompts(60)
    combinations = set(held_out_combinations())
    assert {(s.place, s.season, s.obj) for s in named} == combinations
    for text, scene in zip(texts, named, strict=True):
        assert text.startswith(f"{scene.season} {scene.place}")
        assert (f", a {scene.colour} {scene.obj} " in text) == bool(scene.obj)
        assert text.endswith(f" {POSITION_WORDS.get(scene.position)}") == bool(scene.obj)
        assert (scene.season, scene.colour) != ("winter", "white")
    assert {scene.position for scene in named} == {"", *POSITIONS}


def test_scenes_without_an_object_have_no_object_to_read() -> None:
    scenes = pictures.scenes(60, 3)
    numbers = FACTS[2].of(scenes)
    assert [OBJECTS[n] if n >= 0 else "" for n in numbers.tolist()] == [s.obj for s in scenes]
    assert (FACTS[0].of(scenes) >= 0).all()


def test_a_histogram_counts_every_pixel_and_no_place() -> None:
    batch = pictures.drawings(2, 4)
    bars = histogram(batch)
    assert torch.allclose(bars.sum(1), torch.ones(2))
    assert torch.equal(bars, histogram(batch[:, ::-1, ::-1]))
    assert pixels(batch).shape == (2, 3, SIDE, SIDE)


def test_a_reader_reads_what_it_learnt_and_not_shuffled_pictures() -> None:
    seasons = Fact("season", SEASONS, (16, 24, 32), 6)
    learnt, held = drawn(240, 1), drawn(60, 2, held_out=True)
    order = np.random.default_rng(0).permutation(60)
    figures = read(seasons, learnt, {"held": held, "shuffled": Group(held.shown[order], held.scenes)})
    assert figures["season_classifier_held"] > 0.55
    assert figures["season_classifier_shuffled"] < 0.5
    assert figures["season_chance"] == 0.25


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_object_reader_reads_drawings_of_held_out_combinations() -> None:
    figures = read(FACTS[2], drawn(3000, 31), {"held": drawn(300, 32, held_out=True)})
    assert figures["object_classifier_held"] >= 0.95
    assert figures["object_histogram_held"] < 0.6


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_side_reader_reads_drawings_of_held_out_combinations() -> None:
    figures = read(FACTS[3], drawn(3000, 31), {"held": drawn(300, 32, held_out=True)})
    assert figures["side_classifier_held"] >= 0.9
    assert figures["side_histogram_held"] < 0.5
