"""Frames that come out larger than they were painted."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from lib_anim.engines.checker import CheckerEngine
from lib_anim.errors import FlipbookError
from lib_anim.imaging.fit import fit
from lib_anim.jobs.run.disk_space import most_bytes
from lib_anim.jobs.run.rerender import rerender
from lib_anim.jobs.run.runner import render
from lib_anim.jobs.run.start import start
from lib_anim.kinds.registry import KINDS
from lib_anim.media.pictures import read_picture
from lib_anim.media.probe import probe

LOOP = {"width": 64, "height": 72, "frames": 6, "seed": 5, "prompts": "a", "zoom": 1.05, "cadence": 2}


def film(folder, kind="keyframed", without=(), engine=None, **settings):
    kind, engine = KINDS[kind], engine or CheckerEngine()
    given = {name: value for name, value in LOOP.items() if name not in without} | settings
    run, plan = start(kind, kind.settings(**given), engine, "checker", folder, 0)
    return run, plan, render(kind, plan, engine, run)


def frames_of(run):
    return [read_picture(path) for path in sorted((run.path / "frames").glob("*.png"))]


def test_frames_and_film_are_larger_and_the_loop_goes_on_from_what_was_painted(tmp_path):
    plain, plan, _ = film(tmp_path)
    large, large_plan, result = film(tmp_path, upscale=1.5)
    for one, other in zip(frames_of(plain), frames_of(large), strict=True):
        assert other.shape == (108, 96, 3)
        expected = fit(one.astype(np.float32) / 255, 96, 108, "stretch")
        # The one was rounded to 8 bits before it was made larger, the other after.
        assert np.abs(other / 255 - expected).max() <= 2 / 255
    facts = probe(result.film)
    assert (facts.width, facts.height) == (96, 108)
    assert most_bytes(large_plan) - most_bytes(plan) == 6 * 3 * (96 * 108 - 64 * 72)


def test_it_is_the_upscaler_that_is_named_and_only_for_frames_that_are_kept(tmp_path):
    asked = []

    class Two(CheckerEngine):
        @property
        def capabilities(self):
            return dataclasses.replace(super().capabilities, upscalers=("Lanczos", "Blocks"))

        def upscale(self, picture, upscaler, width, height):
            asked.append((upscaler, width, height))
            return np.kron(picture, np.ones((2, 2, 1), np.float32))

    film(tmp_path, engine=Two(), upscale=2, upscaler="Blocks")
    assert asked == [("Blocks", 128, 144)] * 6
    asked.clear()
    film(tmp_path, engine=Two(), upscaler="Blocks")
    assert asked == []


@pytest.mark.parametrize("kind", ["keyframed", "clip"])
def test_an_upscaler_that_the_engine_lacks_is_a_sentence(tmp_path, kind):
    with pytest.raises(FlipbookError) as caught:
        film(tmp_path, kind, {"zoom", "cadence"}, upscale=2, upscaler="ESRGAN")
    sentence = 'upscaler: "ESRGAN" is not an upscaler of this engine; it has Lanczos'
    assert [p.sentence for p in caught.value.problems] == [sentence]


def test_a_part_keeps_the_films_size(tmp_path):
    run, plan, _ = film(tmp_path, cadence=1, upscale=2)
    kind = KINDS["keyframed"]
    with pytest.raises(FlipbookError) as caught:
        rerender(kind, plan.settings.changed({"upscale": 1}), 2, 3, CheckerEngine(), run, 0)
    assert caught.value.problems[0].field == "upscale"
    done = rerender(kind, plan.settings.changed({"zoom": "0:(1.2)"}), 2, 3, CheckerEngine(), run, 0)
    assert done.finished
    assert {frame.shape for frame in frames_of(run)} == {(144, 128, 3)}
