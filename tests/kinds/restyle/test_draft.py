from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from lib_anim.errors import FlipbookError
from lib_anim.kinds.base import Studio
from lib_anim.kinds.draft import DraftOptions
from lib_anim.kinds.events import FrameDone
from lib_anim.kinds.restyle.draft import make_draft
from lib_anim.kinds.restyle.loop import run
from tests.kinds.restyle.conftest import EVERYTHING, Recorder, frames_of

VIDEO = frames_of(0)


def film(plan, recorder) -> list[FrameDone]:
    return [e for e in run(plan, Studio(engine=recorder), {"video": VIDEO}) if isinstance(e, FrameDone)]


CHANGES = {"seed_behavior": "iter", "denoising": "0:(0.1), 7:(0.8)", "prompts": {"0": "a", "4": "b"}}


def test_every_nth_frame_is_the_whole_films(quiet):
    plan = quiet(**CHANGES)
    whole = film(plan, Recorder())
    tried = make_draft(plan, DraftOptions(every=3), EVERYTHING)
    some = film(tried, Recorder())
    assert [frame.index for frame in some] == [0, 1, 2]
    assert [frame.values["frame"] for frame in some] == [0, 3, 6]
    assert tried.rate == Fraction(12, 3)
    for number, frame in enumerate(some):
        np.testing.assert_array_equal(frame.picture, whole[3 * number].picture)


@pytest.mark.parametrize("coherence", ["None", "RGB"])
def test_one_frame_alone_is_the_whole_films(quiet, coherence):
    plan = quiet(color_coherence=coherence, **CHANGES)
    whole = film(plan, Recorder())
    (alone,) = film(make_draft(plan, DraftOptions(only=5), EVERYTHING), recorder := Recorder())
    np.testing.assert_array_equal(alone.picture, whole[5].picture)
    assert len(recorder.requests) == (1 if coherence == "None" else 2)


def test_a_frame_that_needs_the_one_before_it_is_refused_alone(quiet):
    with pytest.raises(FlipbookError, match="painted from the frame before it"):
        make_draft(quiet(init="previous output"), DraftOptions(only=5), EVERYTHING)
    with pytest.raises(FlipbookError, match="frames 0 to 7"):
        make_draft(quiet(), DraftOptions(only=8), EVERYTHING)


def test_half_the_size_scales_lengths(quiet, looks):
    looks.known["v.mp4"] = {"width": 256, "height": 128}
    tried = make_draft(quiet(mask_blur=8, mask_padding=32), DraftOptions(half=True), EVERYTHING)
    assert tried.size == (128, 64)
    assert tried.at("mask_blur", 0) == 4
    assert tried.at("mask_padding", 0) == 16
    film(replace(tried, picks={"video": np.arange(8)}), recorder := Recorder())
    assert recorder.requests[0].init.shape == (64, 128, 3)
    with pytest.raises(FlipbookError, match="no half"):
        make_draft(quiet(width=64, height=64), DraftOptions(half=True), EVERYTHING)
