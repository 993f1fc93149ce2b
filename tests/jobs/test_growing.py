"""The film that is encoded beside the painting is the one of the frames on the disk, however a run goes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lib_anim.engines.checker import CheckerEngine
from lib_anim.errors import FlipbookError, Problem
from lib_anim.jobs.run import films as films
from lib_anim.jobs.run.folder import RunFolder
from lib_anim.jobs.run.rerender import rerender
from lib_anim.jobs.run.runner import Result, render
from lib_anim.jobs.run.start import reopen, start
from lib_anim.kinds.clip.settings import Clip
from lib_anim.kinds.events import FrameDone
from lib_anim.kinds.keyframed.settings import Keyframed
from lib_anim.kinds.registry import CLIP, KEYFRAMED
from lib_anim.media.film import FilmSink
from lib_anim.media.pictures import read_picture
from lib_anim.media.read import open_source

FRAMES = 12
SETTINGS = {"width": 64, "height": 64, "frames": FRAMES, "fps": 12, "seed": 5, "zoom": 1.02, "cadence": 2}


class Numbered(CheckerEngine):
    """Paints a grey that tells the seed, so that every painted frame of a film is known by its looks."""

    before: Callable[[int], None] = staticmethod(lambda seed: None)

    def still(self, request: Any, on_step: Any = None) -> Any:
        self.before(request.seed)
        shape = (request.height, request.width, 3)
        return np.full(shape, 0.2 + 0.7 * (request.seed * 37 % 100) / 100, np.float32)


def begin(folder: Path, engine: CheckerEngine, **changes: Any) -> tuple[RunFolder, Any]:
    settings = Keyframed(**{**SETTINGS, **changes})
    return start(KEYFRAMED, settings, engine, "checker", folder, 0)


def go(folder: Path, engine: CheckerEngine | None = None, after: int | None = None, **changes: Any) -> Result:
    """A film, ended after `after` painted frames where that is given."""
    engine = engine or Numbered()
    run, plan = begin(folder, engine, **changes)
    painted: list[int] = []

    def hear(event: Any) -> None:
        if isinstance(event, FrameDone) and event.painted:
            painted.append(event.index)

    return render(KEYFRAMED, plan, engine, run, hear, stop=lambda: len(painted) == after)


def resume(run: Path, engine: CheckerEngine | None = None) -> Result:
    engine = engine or Numbered()
    folder = RunFolder.open(run)
    return render(KEYFRAMED, reopen(KEYFRAMED, folder, engine), engine, folder)


def check_film(result: Result, order: list[int] | None = None) -> None:
    """The film shows the frames on the disk, each once and in order; nothing half is left."""
    order = list(range(result.frames)) if order is None else order
    assert result.film is not None
    with open_source(result.film) as source:
        shown = [frame.astype(int) for frame in source]
    assert len(shown) == len(order)
    made = [
        read_picture(result.run / "frames" / f"{number:06d}.png").astype(int)
        for number in range(result.frames)
    ]
    for number, frame in zip(order, shown, strict=True):
        away = [np.abs(frame - picture).mean() for picture in made]
        assert away[number] < min(away) + 2, number
        assert away[number] < 7, number
    assert not list(result.run.glob("film*.part"))
    assert (result.run / "sheet.png").is_file()


@pytest.fixture
def encoded(monkeypatch):
    """How many frames an encoder was given so far; `reached` waits for a number of them."""
    told, count = threading.Condition(), [0]
    write = FilmSink.write

    def counting(sink: FilmSink, frame: Any) -> None:
        write(sink, frame)
        with told:
            count[0] += 1
            told.notify_all()

    def reached(number: int) -> bool:
        with told:
            return told.wait_for(lambda: count[0] >= number, timeout=60)

    monkeypatch.setattr(FilmSink, "write", counting)
    return reached


def test_frames_are_encoded_while_later_ones_are_painted(tmp_path, encoded):
    engine, early = Numbered(), []

    def before(seed: int) -> None:
        if seed == 5 + 3:
            early.append(encoded(3))

    engine.before = before
    check_film(go(tmp_path, engine, cadence=1))
    assert early == [True]


def test_a_stopped_run_has_its_film_and_a_resumed_one_all_of_it(tmp_path):
    part = go(tmp_path, after=3)
    assert not part.finished
    assert part.frames < FRAMES
    check_film(part)
    check_film(resume(part.run))


def test_resumed_the_first_frames_are_encoded_before_the_rest_is_painted(tmp_path, encoded):
    part = go(tmp_path, after=3, cadence=1)
    engine, early = Numbered(), []

    def before(seed: int) -> None:
        early.append(encoded(part.frames + 3))

    engine.before = before
    check_film(resume(part.run, engine))
    assert early[0]


def test_a_frame_that_is_made_again_is_not_encoded_before(tmp_path):
    whole = go(tmp_path)
    # What stands after a gap is made again: the film must not show what stood there before.
    (whole.run / "frames" / "000004.png").unlink()
    grey = read_picture(whole.run / "frames" / "000000.png")
    for number in range(5, FRAMES):
        films.write_picture(whole.run / "frames" / f"{number:06d}.png", np.zeros_like(grey))
    again = resume(whole.run)
    check_film(again)
    assert read_picture(whole.run / "frames" / "000009.png").mean() > 20


@pytest.mark.parametrize(("first", "last"), [(0, 3), (4, 7), (8, 11)])
def test_a_part_made_anew_is_in_the_film(tmp_path, first, last):
    whole, engine = go(tmp_path), Numbered()
    settings = Keyframed(**{**SETTINGS, "seed": 77})
    check_film(rerender(KEYFRAMED, settings, first, last, engine, RunFolder.open(whole.run), 0))
    check_film(resume(whole.run))


def test_a_part_broken_off_leaves_the_film_of_what_is_there(tmp_path):
    whole, engine = go(tmp_path), Numbered()
    run = RunFolder.open(whole.run)
    settings = Keyframed(**{**SETTINGS, "seed": 77})
    part = rerender(KEYFRAMED, settings, 4, 11, engine, run, 0, stop=lambda: True)
    assert not part.finished
    assert part.frames == FRAMES
    check_film(part)
    check_film(resume(whole.run))


@pytest.mark.parametrize("after", [None, 3])
def test_a_film_that_runs_backwards(tmp_path, after):
    result = go(tmp_path, after=after, init_last=True)
    check_film(result, list(reversed(range(result.frames))))


def test_a_clip_forth_and_back_in_every_format(tmp_path):
    settings = Clip(
        frames=6, width=64, height=64, seed=5, reverse="boomerang", formats=("GIF", "MP4", "WEBP")
    )
    engine = CheckerEngine()
    run, plan = start(CLIP, settings, engine, "checker", tmp_path, 0)
    result = render(CLIP, plan, engine, run)
    check_film(result, [0, 1, 2, 3, 4, 5, 4, 3, 2, 1])
    assert {path.name for path in run.path.glob("film.*")} == {"film.mp4", "film.gif", "film.webp"}


def test_an_encoder_that_fails_once_costs_no_frame_and_no_film(tmp_path, monkeypatch):
    write, broken = FilmSink.write, [False]

    def breaking(sink: FilmSink, frame: Any) -> None:
        if not broken[0] and sink._count == 4:
            broken[0] = True
            raise FlipbookError(Problem("it cannot be written", "out"))
        write(sink, frame)

    monkeypatch.setattr(FilmSink, "write", breaking)
    result = go(tmp_path)
    assert broken[0]
    assert result.finished
    check_film(result)
    assert '"film restarted"' in (result.run / "log.jsonl").read_text()


def test_an_encoder_that_goes_on_failing_is_its_own_sentence_and_all_frames_are_there(tmp_path, monkeypatch):
    def breaking(sink: FilmSink, frame: Any) -> None:
        raise FlipbookError(Problem("film.mp4 cannot be written: no space left on device.", "out"))

    with monkeypatch.context() as patch:
        patch.setattr(FilmSink, "write", breaking)
        engine = Numbered()
        run, plan = begin(tmp_path, engine)
        with pytest.raises(FlipbookError, match="no space left on device"):
            render(KEYFRAMED, plan, engine, run)
    assert run.frames_present() == FRAMES
    assert not list(run.path.glob("film*"))
    assert run.manifest()["status"] == "failed"
    check_film(resume(run.path))


def test_a_run_that_fails_leaves_the_earlier_film_and_no_half_one(tmp_path):
    part = go(tmp_path, after=3)
    before = part.film.read_bytes()
    engine = Numbered()

    def burst(seed: int) -> None:
        raise ValueError("burst")

    engine.before = burst
    with pytest.raises(ValueError, match="burst"):
        resume(part.run, engine)
    assert part.film.read_bytes() == before
    assert not list(part.run.glob("film*.part"))


def test_a_run_that_ends_before_its_first_frame_has_no_film(tmp_path):
    engine = Numbered()
    run, plan = begin(tmp_path, engine)

    def burst(seed: int) -> None:
        from lib_anim.engines.contract.engine import Interrupted

        raise Interrupted

    engine.before = burst
    result = render(KEYFRAMED, plan, engine, run)
    assert (result.film, result.sheet, result.frames) == (None, None, 0)
    assert not list(run.path.glob("film*"))
