import pytest

from lib_anim.kinds.seeds import painted_seeds


@pytest.mark.parametrize(
    ("behavior", "iter_n", "expected"),
    [
        ("iter", 1, [10, 11, 12, 13, 14]),
        ("iter", 2, [10, 11, 11, 12, 12]),
        ("iter", 3, [10, 11, 11, 11, 12]),
        ("fixed", 1, [10, 10, 10, 10, 10]),
        ("ladder", 1, [10, 12, 11, 13, 12]),
        ("alternate", 1, [10, 11, 10, 11, 10]),
    ],
)
def test_behaviors(behavior, iter_n, expected):
    assert painted_seeds(behavior, 10, 5, iter_n, [0] * 5) == expected


def test_seeds_stay_below_two_to_the_32():
    assert painted_seeds("iter", 2**32 - 1, 2, 1, [0, 0]) == [2**32 - 1, 0]


def test_random_is_drawn_from_the_base_seed_and_starts_with_it():
    seeds = painted_seeds("random", 10, 5, 1, [0] * 5)
    assert seeds == painted_seeds("random", 10, 5, 1, [0] * 5)
    assert seeds[0] == 10
    assert seeds != painted_seeds("random", 11, 5, 1, [0] * 5)
    assert len(set(seeds)) == 5


def test_schedule_keeps_values_and_draws_where_it_says_minus_one():
    seeds = painted_seeds("schedule", 10, 4, 1, [5, -1, -1, 9])
    assert (seeds[0], seeds[3]) == (5, 9)
    assert seeds[1] != seeds[2]
