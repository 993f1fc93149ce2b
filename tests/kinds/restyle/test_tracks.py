"""Which picture of a film or folder beside the video belongs to which frame: never one by chance."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from lib_anim.errors import FlipbookError
from lib_anim.kinds.restyle.plan import plan
from lib_anim.kinds.restyle.settings import Restyle
from tests.kinds.restyle.conftest import EVERYTHING, QUIET


def picks(looks, **changes) -> list[int]:
    return plan(Restyle(**QUIET, mask="m", **changes), EVERYTHING, 0, looks).picks["mask"].tolist()


def names(*numbers: int, form: str = "{:04}.png") -> dict:
    return {
        "timed": False,
        "rate": Fraction(24),
        "frames": len(numbers),
        "names": tuple(form.format(number) for number in numbers),
    }


def refused(looks, **changes) -> str:
    with pytest.raises(FlipbookError) as caught:
        picks(looks, **changes)
    (problem,) = caught.value.problems
    assert problem.field == "mask"
    return problem.message


def test_one_picture_serves_all_frames(looks):
    looks.known["m"] = {"frames": 1, "timed": False}
    assert picks(looks) == [0] * 8


def test_range_and_step_hold_for_tracks_too(looks):
    looks.known["v.mp4"] = looks.known["m"] = {"frames": 30}
    assert picks(looks, video_start=4, video_stop=20, video_every=5) == [4, 9, 14, 19]


def test_a_track_may_follow_the_film_instead(looks):
    looks.known["v.mp4"] = {"frames": 30}
    looks.known["m"] = {"frames": 4}
    changes = {"video_start": 4, "video_stop": 20, "video_every": 5}
    assert picks(looks, tracks_follow="film", **changes) == [0, 1, 2, 3]
    assert "set tracks_follow to film" in refused(looks, **changes)


def test_resampled_frames_take_the_track_of_the_picture_that_they_show(looks):
    looks.known["v.mp4"] = looks.known["m"] = {"frames": 30, "rate": Fraction(30)}
    made = plan(Restyle(**QUIET, mask="m", fps=12), EVERYTHING, 0, looks)
    np.testing.assert_array_equal(made.picks["mask"], made.picks["video"])
    looks.known["m"] = names(*range(30))
    np.testing.assert_array_equal(picks(looks, fps=12), made.picks["video"])


def test_a_film_at_another_rate_is_followed_by_time(looks):
    looks.known["v.mp4"] = {"frames": 24, "rate": Fraction(24)}
    looks.known["m"] = {"frames": 12, "rate": Fraction(12)}
    found = picks(looks)
    assert found[0] == 0
    assert found[-1] == 11
    assert all(abs(track / 12 - frame / 24) <= 1 / 12 for frame, track in enumerate(found))


@pytest.mark.parametrize("have", [2, 7])
def test_fewer_masks_than_frames_is_a_sentence_not_a_shift(looks, have):
    looks.known["m"] = names(*range(have), form="m{}.png")
    assert refused(looks) == (
        f'"m" has {have} pictures and none for frame {have} of the film, which has 8; '
        "give every frame its own, or one picture for all"
    )


def test_folders_are_matched_by_name(looks):
    looks.known["v.mp4"] = names(3, 4, 5, 7)
    looks.known["m"] = names(*range(10), form="{:04}.jpg")
    assert picks(looks) == [3, 4, 5, 7]


def test_a_mask_that_is_missing_between_others_is_named(looks):
    looks.known["v.mp4"] = names(*range(8))
    looks.known["m"] = names(0, 1, 2, 4, 5, 6, 7, 8)
    assert refused(looks) == '"m" has no picture called "0003", as the video has; every frame needs its own'


def test_folders_with_other_names_are_matched_by_number(looks):
    looks.known["v.mp4"] = names(*range(8))
    looks.known["m"] = names(*range(8), form="mask_{}.png")
    assert picks(looks) == list(range(8))


def test_a_film_beside_a_folder_is_matched_by_number(looks):
    looks.known["v.mp4"] = names(*range(8))
    looks.known["m"] = {"frames": 8, "rate": Fraction(30)}
    assert picks(looks) == list(range(8))
