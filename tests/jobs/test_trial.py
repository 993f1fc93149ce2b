"""Trials in run folders: made, broken off and gone on with, made anew in part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lib_anim.engines.checker import CheckerEngine
from lib_anim.jobs.run.disk_space import most_bytes
from lib_anim.jobs.run.folder import RunFolder
from lib_anim.jobs.run.rerender import rerender
from lib_anim.jobs.run.runner import render
from lib_anim.jobs.run.start import reopen, start
from lib_anim.kinds.draft import DraftOptions
from lib_anim.kinds.events import Estimated, FrameDone
from lib_anim.kinds.keyframed.settings import Keyframed
from lib_anim.kinds.registry import KEYFRAMED
from lib_anim.media.pictures import read_picture, read_text
from lib_anim.media.probe import probe

SETTINGS: dict[str, Any] = {
    "width": 128,
    "height": 160,
    "frames": 20,
    "fps": 12,
    "seed": 5,
    "prompts": {"0": "one", "8": "two"},
    "translation_x": 3,
    "steps": 2,
}


def begin(folder: Path, trial: DraftOptions, **changes: Any) -> tuple[RunFolder, Any, CheckerEngine]:
    engine, settings = CheckerEngine(), Keyframed(**{**SETTINGS, **changes})
    run, plan = start(KEYFRAMED, settings, engine, "checker", folder, 0, draft=trial)
    return run, plan, engine


def pixels(run: RunFolder) -> list[bytes]:
    return [read_picture(path).tobytes() for path in sorted(run.frames.glob("*.png"))]


@pytest.mark.parametrize(
    ("trial", "frames", "rate", "size"),
    [
        (DraftOptions(every=4), 5, 3, (128, 160)),
        (DraftOptions(half=True), 20, 12, (64, 80)),
        (DraftOptions(every=6, half=True), 4, 2, (64, 80)),
    ],
)
def test_a_trial_broken_off_goes_on_as_if_it_had_not(tmp_path, trial, frames, rate, size):
    run, plan, engine = begin(tmp_path / "whole", trial, cadence=2)
    film = render(KEYFRAMED, plan, engine, run).film
    facts = probe(film)
    assert (facts.frames, facts.rate, (facts.width, facts.height)) == (frames, rate, size)
    wanted = pixels(run)
    assert len(wanted) == frames
    run, plan, engine = begin(tmp_path / "part", trial, cadence=2)
    seen = []

    def listen(event):
        if isinstance(event, FrameDone):
            seen.append(event.index)

    assert not render(KEYFRAMED, plan, engine, run, listen, stop=lambda: len(seen) >= 2).finished
    assert render(KEYFRAMED, reopen(KEYFRAMED, run, engine), engine, run).finished
    assert pixels(run) == wanted
    # The manifest keeps the film's settings, not the trial's.
    assert run.manifest()["settings"]["width"] == 128


def test_one_frame_alone_is_that_of_the_film(tmp_path):
    run, plan, engine = begin(tmp_path / "whole", DraftOptions(), mode="Interpolation")
    render(KEYFRAMED, plan, engine, run)
    wanted = pixels(run)[7]
    run, plan, engine = begin(tmp_path / "one", DraftOptions(only=7), mode="Interpolation")
    result = render(KEYFRAMED, plan, engine, run)
    assert (result.frames, result.finished) == (1, True)
    assert pixels(run) == [wanted]
    assert read_text(run.frame_path(0))["frame"] == "7"


class Counting(CheckerEngine):
    """Counts what it paints."""

    def __init__(self) -> None:
        self.count = 0

    def still(self, request, on_step=None):
        self.count += 1
        return super().still(request, on_step)


@pytest.mark.parametrize("only", [11, 12])
def test_one_frame_alone_in_2d_broken_off_goes_on_from_where_it_was(tmp_path, only):
    run, plan, engine = begin(tmp_path / "whole", DraftOptions(), cadence=4)
    render(KEYFRAMED, plan, engine, run)
    wanted = pixels(run)[only]
    run, plan, engine = begin(tmp_path / "one", DraftOptions(only=only), cadence=4)
    engine, told, asked = Counting(), [], []

    def stop() -> bool:
        asked.append(engine.count)
        return engine.count == 2

    part = render(KEYFRAMED, plan, engine, run, told.append, stop=stop)
    assert (part.finished, part.frames, part.film, engine.count) == (False, 0, None, 2)
    assert [event.paint for event in told if isinstance(event, Estimated)] == [4]
    assert not [event for event in told if isinstance(event, FrameDone)]
    assert any("4 pictures are painted" in sentence for sentence in run.manifest()["warnings"])
    assert render(KEYFRAMED, reopen(KEYFRAMED, run, engine), engine, run, told.append).finished
    assert engine.count == 4
    assert pixels(run) == [wanted]
    assert read_text(run.frame_path(0))["frame"] == str(only)
    assert render(KEYFRAMED, reopen(KEYFRAMED, run, engine), engine, run).finished
    assert engine.count == 4


def test_a_part_of_a_trial_is_made_anew_by_its_own_numbers(tmp_path):
    run, plan, engine = begin(tmp_path, DraftOptions(every=4))
    render(KEYFRAMED, plan, engine, run)
    before = pixels(run)
    changed = Keyframed(**{**SETTINGS, "prompts": "three"})
    assert rerender(KEYFRAMED, changed, 2, 3, engine, run, 0).finished
    same = [new == old for new, old in zip(pixels(run), before, strict=True)]
    assert same == [True, True, False, False, True]
    assert read_text(run.frame_path(2))["frame"] == "8"


@pytest.mark.parametrize(("cadence", "paint"), [(1, 20), (4, 6)])
def test_the_estimate_is_told_first_and_holds(tmp_path, cadence, paint):
    run, plan, engine = begin(tmp_path, DraftOptions(), cadence=cadence)
    told: list[Any] = []
    render(KEYFRAMED, plan, engine, run, told.append)
    (estimate,) = [event for event in told if isinstance(event, Estimated)]
    assert estimate is told[0]
    assert (estimate.paint, estimate.frames) == (paint, 20)
    assert estimate.most_bytes == most_bytes(plan)
    painted = [event for event in told if isinstance(event, FrameDone) and event.painted]
    assert len(painted) == paint
    written = [*run.frames.iterdir(), *run.states.rglob("*.npz")]
    assert sum(path.stat().st_size for path in written) <= estimate.most_bytes


def test_the_estimate_of_the_rest_counts_the_rest(tmp_path):
    run, plan, engine = begin(tmp_path, DraftOptions())
    seen: list[Any] = []
    render(KEYFRAMED, plan, engine, run, seen.append, stop=lambda: len(seen) >= 20)
    done = len(pixels(run))
    assert 0 < done < 20
    told: list[Any] = []
    render(KEYFRAMED, reopen(KEYFRAMED, run, engine), engine, run, told.append)
    (estimate,) = [event for event in told if isinstance(event, Estimated)]
    assert (estimate.paint, estimate.frames) == (20 - done, 20 - done)
