"""The WebUI's random numbers."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
import torchsde

from lib_anim.engines.sampling.brownian import BrownianNoise
from lib_anim.engines.sampling.noise import PictureNoise, slerp
from lib_anim.engines.sampling.randomness import PhiloxNormals

SHAPE = (4, 8, 8)


def normals(seed: int, shape: tuple[int, ...] = SHAPE) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_a_seeds_first_draw_is_torchs_and_its_steps_follow() -> None:
    noise = PictureNoise(SHAPE, 5)
    stream = torch.Generator().manual_seed(5)
    for draw in (noise.first, noise.next, noise.next):
        assert torch.equal(draw(), torch.randn(SHAPE, generator=stream))


def test_the_delta_moves_the_steps_only() -> None:
    noise = PictureNoise(SHAPE, 5, ancestral_delta=10)
    assert torch.equal(noise.first(), normals(5))
    assert torch.equal(noise.next(), normals(15))


def test_subseeds_lie_on_an_arc_of_equal_length() -> None:
    half = PictureNoise((4, 64, 64), 5, subseed=6, subseed_strength=0.5).first()
    assert abs(float(half.std()) - 1) < 0.03, "a straight mixture would have 0.71"
    assert torch.allclose(half, slerp(0.5, normals(6, (4, 64, 64)), normals(5, (4, 64, 64))), atol=1e-4)


def test_a_resized_seed_keeps_its_middle() -> None:
    small = normals(5, (4, 4, 6))
    grown = PictureNoise((4, 8, 8), 5, resize_from=(48, 32)).first()
    assert torch.equal(grown[:, 2:6, 1:7], small)
    assert torch.equal(grown[:, :2], normals(5)[:, :2])
    cut = PictureNoise((4, 4, 6), 5, resize_from=(64, 64)).first()
    assert torch.equal(cut, normals(5, (4, 8, 8))[:, 2:6, 1:7])


def test_an_nvidia_cards_numbers_for_seed_0() -> None:
    # torch.manual_seed(0); torch.randn(8, device="cuda")
    card = [
        -0.92466259,
        -0.42534415,
        -2.6438457,
        0.14518388,
        -0.12086647,
        -0.57972564,
        -0.62285122,
        -0.32838709,
    ]
    assert np.allclose(PhiloxNormals(0).draw((8,)).numpy(), card, atol=1e-6)


def test_philox_draws_differ_and_are_normal() -> None:
    stream = PhiloxNormals(2**32 + 3)
    first, second = stream.draw((40000,)), stream.draw((40000,))
    assert not torch.equal(first, second)
    for draw in (first, second):
        assert abs(float(draw.mean())) < 0.02
        assert abs(float(draw.std()) - 1) < 0.02


def test_a_brownian_path_has_unit_steps_that_add_up() -> None:
    path = BrownianNoise((4, 64, 64), 7, (0.03, 14.6))
    one, two, both = path.between(8.0, 5.0), path.between(5.0, 1.0), path.between(8.0, 1.0)
    assert abs(float(one.std()) - 1) < 0.03
    assert torch.allclose(one * math.sqrt(3) + two * math.sqrt(4), both * math.sqrt(7), atol=1e-3)
    again = BrownianNoise((4, 64, 64), 7, (0.03, 14.6))
    assert torch.equal(again.between(8.0, 5.0), one)


@pytest.mark.parametrize("seed", [0, 7, 2**31 + 5])
def test_a_brownian_path_has_torchsdes_numbers(seed: int) -> None:
    levels = [14.6146, 9.7, 6.30012, 3.333333, 1.5, 0.61, 0.2, 0.0292]
    tree = torchsde.BrownianTree(
        torch.tensor(levels[-1]), torch.zeros(4, 8, 8), torch.tensor(levels[0]), entropy=seed
    )
    path = BrownianNoise((4, 8, 8), seed, (levels[-1], levels[0]))
    for here, there in pairwise(levels):
        low, high = max(there, round(levels[-1], 6)), min(here, round(levels[0], 6))
        want = -tree(low, high) / math.sqrt(here - there)
        assert torch.allclose(path.between(here, there), want, atol=2e-6)


def test_a_brownian_path_is_drawn_from_the_noise_source() -> None:
    noise = PictureNoise((4, 8, 8), 7, source="nv")
    one = BrownianNoise((4, 8, 8), 7, (0.03, 14.6), noise.normals).between(14.6, 0.03)
    other = BrownianNoise((4, 8, 8), 7, (0.03, 14.6)).between(14.6, 0.03)
    assert not torch.allclose(one, other)
    (seed,) = np.random.SeedSequence(7, pool_size=24).generate_state(1)
    assert torch.allclose(-one, PhiloxNormals(int(seed)).draw((4, 8, 8)), atol=1e-6)


def test_what_was_forgotten_of_a_path_is_drawn_alike_again() -> None:
    path = BrownianNoise((1, 2, 2), 3, (0.03, 14.6))
    first = path.between(2.0, 1.0)
    for step in range(40):
        path.between(14.0 - step / 4, 13.9 - step / 4)
    assert torch.equal(path.between(2.0, 1.0), first)
