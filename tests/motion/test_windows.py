"""Windows over long clips: coverage as a law, and the published examples."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
import torch
from scipy.stats import qmc

from lib_anim.motion.fusion import shares
from lib_anim.motion.plan import ClipPlan
from lib_anim.motion.windows import Window, ordered_halving, views, windows

WAYS: list[dict[str, Any]] = [
    *({"closed_loop": loop} for loop in ("N", "R-P", "R+P", "A")),
    {"closed_loop": "N", "fusion": "last"},
    {"schedule": "standard static"},
    {"schedule": "standard uniform"},
    {"schedule": "batched"},
]


Case = tuple[int, int, int, int]
"""Frames, context, overlap, stride."""


def cases() -> Iterator[Case]:
    """Every clip of 1–200 frames, context of 1–32, every overlap, stride of 1–4."""
    for count, length in itertools.product(range(1, 201), range(1, 33)):
        for overlap, stride in itertools.product(range(length), (1, 2, 3, 4)):
            yield count, length, overlap, stride


def hold(case: Case, way: dict[str, Any], steps: Iterable[int]) -> None:
    count, length, overlap, stride = case
    plan = ClipPlan(frames=count, context=length, overlap=overlap, stride=stride, **way)
    for step in steps:
        found = windows(plan, step)
        assert set().union(*found) == set(range(count)), (plan, step, found)
        for window in found:
            assert len(set(window)) == len(window) <= length, (plan, step, window)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: " ".join(way.values()))
def test_every_frame_is_covered_at_every_step_and_none_twice_in_a_window(way: dict[str, Any]) -> None:
    for case in random.Random(1).sample(list(cases()), 700):
        hold(case, way, (0, 1, case[0] % 64))


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: " ".join(way.values()))
def test_every_frame_is_covered_whatever_the_numbers(way: dict[str, Any]) -> None:
    """A larger sample: all 422,400 cases take some two minutes for each way."""
    for number, case in enumerate(random.Random(2).sample(list(cases()), 20_000)):
        hold(case, way, (number % 64,))


def test_ordered_halving_is_van_der_corputs_sequence() -> None:
    known = qmc.Halton(1, scramble=False).random(64)[:, 0]
    assert [ordered_halving(step) for step in range(64)] == pytest.approx(known.tolist(), abs=0)


def run(start: int, count: int, length: int = 16) -> Window:
    return tuple((start + i) % count for i in range(length))


# First frames of windows of 16 with overlap 4 and stride 1, as sd-webui-animatediff a88e889 yields them.
GOLDEN: list[tuple[int, str, int, list[int]]] = [
    (32, "R-P", 0, [0, 12, 24]),
    (32, "R-P", 1, [16, 28, 8]),
    (32, "R-P", 2, [8, 20, 0]),
    (24, "R-P", 0, [0, 12]),
    (24, "R-P", 1, [12, 0]),
    (24, "R-P", 2, [6, 18]),
    (48, "A", 0, [0, 12, 24, 36]),
    (48, "A", 1, [24, 36, 0, 12]),
]


@pytest.mark.parametrize(("count", "loop", "step", "starts"), GOLDEN)
def test_uniform_windows_are_where_they_were(count: int, loop: Any, step: int, starts: list[int]) -> None:
    plan = ClipPlan(frames=count, closed_loop=loop, overlap=4)
    assert list(windows(plan, step)) == [run(start, count) for start in starts]


def test_strided_windows_are_where_they_were() -> None:
    plan = ClipPlan(frames=8, context=4, stride=2, overlap=1)
    assert windows(plan, 0) == ((0, 1, 2, 3), (3, 4, 5, 6), (6, 7, 0, 1), (0, 2, 4, 6))
    assert windows(plan, 1) == ((4, 5, 6, 7), (7, 0, 1, 2), (2, 3, 4, 5), (5, 7, 1, 3))


@pytest.mark.parametrize(("step", "starts"), [(0, [0, 12, 16, 0]), (1, [16, 16, 0, 8]), (2, [8, 16, 0])])
def test_mode_n_under_last_is_the_old_extensions(step: int, starts: list[int]) -> None:
    plan = ClipPlan(frames=32, closed_loop="N", overlap=4, fusion="last")
    assert list(windows(plan, step)) == [run(start, 32) for start in starts]


def test_mode_n_never_runs_over_the_end() -> None:
    for count, stride, step, fusion in itertools.product(
        range(17, 130, 3), (1, 3), range(4), ("pyramid", "last")
    ):
        plan = ClipPlan(frames=count, closed_loop="N", stride=stride, fusion=fusion)
        for window in windows(plan, step):
            assert list(window) == sorted(window)


def test_standard_static() -> None:
    found = windows(ClipPlan(frames=32, schedule="standard static", overlap=4), 5)
    assert [window[0] for window in found] == [0, 12, 16]


def test_standard_uniform_never_runs_over_the_end() -> None:
    for count, step in itertools.product(range(17, 130, 3), range(4)):
        for window in windows(ClipPlan(frames=count, schedule="standard uniform", stride=2), step):
            assert list(window) == sorted(window)


def test_batched_windows_share_nothing() -> None:
    assert [len(w) for w in windows(ClipPlan(frames=20, context=8, schedule="batched"), 3)] == [8, 8, 4]


@pytest.mark.parametrize("fusion", ["pyramid", "flat", "overlap-linear", "last"])
def test_shares_add_up_to_one(fusion: Any) -> None:
    for count, loop, step in itertools.product((17, 24, 33, 100), ("N", "R-P", "A"), range(6)):
        plan = ClipPlan(frames=count, closed_loop=loop, fusion=fusion)
        found = windows(plan, step)
        sums = [0.0] * count
        for window, part in zip(found, shares(found, count, fusion, plan.shared, loop == "A"), strict=True):
            for frame, share in zip(window, part, strict=True):
                sums[frame] += share
        assert sums == pytest.approx([1.0] * count, abs=1e-9)


@pytest.mark.parametrize("loop", ["N", "A"])
def test_views_cover_every_frame(loop: Any) -> None:
    for count, length in itertools.product(range(1, 60), (1, 7, 16)):
        plan = ClipPlan(frames=count, context=length, schedule="views", closed_loop=loop)
        assert windows(plan, 3) == (tuple(range(count)),)
        found = views(plan)
        assert (found == ()) is (count <= length)
        if found:
            assert set().union(*found) == set(range(count))
            assert all(len(set(window)) == length for window in found)
            assert any({count - 1, 0} <= set(window) for window in found) is (loop == "A" and length > 1)


def smoothed(count: int, loop: Any) -> torch.Tensor:
    """Distances of frames to the next, the last to the first, behind a synthetic module.

    It draws the frames of a window together, in windows over the steps of one sampling.
    """
    x = torch.randn(count, 64, generator=torch.Generator().manual_seed(count))
    plan = ClipPlan(frames=count, closed_loop=loop, overlap=4)
    for step in range(20):
        found = windows(plan, step)
        drawn = torch.zeros_like(x)
        for window, part in zip(found, shares(found, count, "pyramid", 4, loop == "A"), strict=True):
            rows = list(window)
            drawn[rows] += torch.tensor(part)[:, None] * x[rows].mean(0)
        x += 0.3 * (drawn - x)
    return (x.roll(-1, 0) - x).norm(dim=1)


def test_a_closes_as_near_as_neighbours_are() -> None:
    ratios = []
    for count in range(33, 80, 3):
        distances = smoothed(count, "A")
        assert distances[-1] <= 1.1 * distances[:-1].max()
        ratios.append(float(distances[-1] / distances[:-1].mean()))
    assert sum(ratios) / len(ratios) < 1.1


def test_n_leaves_the_ends_apart() -> None:
    for count in (33, 48, 64):
        distances = smoothed(count, "N")
        assert distances[-1] > 5 * distances[:-1].max()
