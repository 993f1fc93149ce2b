"""Noise and random numbers: pinned to the bit, spread evenly, smooth, independent of everything else."""

from __future__ import annotations

import numpy as np
import pytest

from lib_anim.timeline.context import Context
from lib_anim.timeline.randomness import smooth_noise, uniform
from lib_anim.timeline.schedule import parse_schedule


def _values(text: str, seed: int = 1234, frames: int = 25) -> np.ndarray:
    return parse_schedule(text).numbers(Context(frames=frames, seed=seed))


def _splitmix(word: int) -> int:
    """SplitMix64 in plain integers, as its authors print it."""
    mask = 2**64 - 1
    word = (word + 0x9E3779B97F4A7C15) & mask
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & mask
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & mask
    return word ^ (word >> 31)


def test_splitmix64_is_the_published_one() -> None:
    """First outputs of SplitMix64 for seed 1234567, from its reference implementation."""
    step, state, found = 0x9E3779B97F4A7C15, 1234567, []
    for _ in range(3):
        found.append(_splitmix(state))
        state = (state + step) & (2**64 - 1)
    assert found == [6457827717110365317, 3203168211198807973, 9817491932198370423]


@pytest.mark.parametrize("seed", [0, 1234, 2**32 - 1, 2**64 + 5, -3])
def test_rand_is_three_rounds_of_splitmix64(seed: int) -> None:
    for k in (0, 7, -2):
        want = []
        for frame in range(25):
            stream = _splitmix(_splitmix(seed % 2**64) ^ (k % 2**64))
            want.append((_splitmix(stream ^ frame) >> 11) * 2.0**-53)
        assert _values(f"0:(rand({k}))", seed).tolist() == want


PINNED_RAND = ["0x1.4adb4849c656ap-2", "0x1.69c4f40b0d2eep-1"]
PINNED_NOISE = ["-0x1.18fd485725ed4p-2", "0x1.e65305fe0b480p-6"]


def test_values_are_pinned() -> None:
    assert _values("0:(rand())")[:3].tolist() == _values("0:(rand(0))")[:3].tolist()
    assert [x.hex() for x in _values("0:(rand())")[:2]] == PINNED_RAND
    assert [x.hex() for x in _values("0:(noise(t/4))")[1:3]] == PINNED_NOISE


def test_rand_is_uniform_and_uncorrelated() -> None:
    values = _values("0:(rand())", frames=20_000)
    assert 0 <= values.min() < values.max() < 1
    assert values.mean() == pytest.approx(0.5, abs=0.01)
    assert values.var() == pytest.approx(1 / 12, abs=0.003)
    assert abs(np.corrcoef(values[1:], values[:-1])[0, 1]) < 0.03
    for other in (_values("0:(rand(1))", frames=20_000), _values("0:(rand())", seed=1235, frames=20_000)):
        assert abs(np.corrcoef(values, other)[0, 1]) < 0.03


def test_noise_is_smooth_bounded_and_differs_by_k_and_seed() -> None:
    values = _values("0:(noise(t/50))", frames=20_000)
    assert -1 <= values.min() < -0.9 < 0.9 < values.max() <= 1
    assert np.abs(np.diff(values)).max() < 2 * 1.875 / 50 * 1.01
    assert np.abs(np.diff(values, 2)).max() < 2 * 5.78 / 50**2 * 1.05
    assert abs(np.corrcoef(values, _values("0:(noise(t/50, 1))", frames=20_000))[0, 1]) < 0.2
    assert (values != _values("0:(noise(t/50))", seed=9, frames=20_000)).any()


def test_noise_at_whole_numbers_is_uniform_and_joins() -> None:
    x = np.arange(-5, 5, 0.5)
    values = smooth_noise(3, x, np.zeros(1))
    np.testing.assert_array_equal(values[::2], 2 * uniform(3, np.zeros(1), x[::2]) - 1)
    np.testing.assert_allclose(values[1:-1:2], (values[:-2:2] + values[2::2]) / 2)


def test_streams_do_not_depend_on_film_length_or_other_calls() -> None:
    assert _values("0:(rand(3))", frames=10).tolist() == _values("0:(rand(3))", frames=99)[:10].tolist()
    late = _values("0:(0), 5:(rand(3) + 0*rand(4))")
    assert late[5:].tolist() == _values("0:(rand(3))")[5:].tolist()


def test_arguments_without_a_meaning_do_not_crash() -> None:
    assert np.isnan(smooth_noise(1, np.array([np.nan, np.inf]), np.zeros(1))).all()
    assert np.isfinite(_values("0:(noise(t * 1e300, 1e300))")).all()
