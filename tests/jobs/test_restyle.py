"""Restyled films from real files: sound, speed, resuming, frames made again, and what goes wrong."""

from __future__ import annotations

import os
import random
import signal
import struct
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from lib_anim.engines.checker import CheckerEngine
from lib_anim.engines.contract.capabilities import Capabilities
from lib_anim.engines.contract.requests import StillRequest
from lib_anim.errors import FlipbookError, NotFound
from lib_anim.jobs.run.folder import RunFolder
from lib_anim.jobs.run.rerender import rerender
from lib_anim.jobs.run.runner import Result, render
from lib_anim.jobs.run.start import reopen, start
from lib_anim.kinds.draft import WHOLE, DraftOptions
from lib_anim.kinds.events import FrameDone
from lib_anim.kinds.registry import RESTYLE
from lib_anim.kinds.restyle.settings import Restyle
from lib_anim.media.pictures import read_picture, read_text, write_picture
from lib_anim.media.probe import probe
from lib_anim.media.sound import click_track, read_sound, write_wav
from lib_anim.media.write import open_sink
from tests.kinds.restyle.conftest import digest
from tests.media.test_video import make

COUNT = 12


def frame_of(number: int, width: int = 64, height: int = 64) -> np.ndarray:
    rng = np.random.default_rng(number)
    return np.kron(
        rng.integers(0, 256, (height // 16, width // 16, 3), dtype=np.uint8), np.ones((16, 16, 1), np.uint8)
    )


def film_of(path: Path, count: int = COUNT, rate: Any = 12, audio: Path | None = None, **size: int) -> Path:
    width, height = size.get("width", 64), size.get("height", 64)
    with open_sink(path, width=width, height=height, rate=rate, audio=audio) as sink:
        for number in range(count):
            sink.write(frame_of(number, width, height))
    return path


def folder_of(path: Path, numbers=range(COUNT), form: str = "{:04}.png") -> Path:
    path.mkdir()
    for number in numbers:
        write_picture(path / form.format(number), frame_of(number))
    return path


class Recorder(CheckerEngine):
    """The checker, with ControlNet units that it hashes and lays over the picture by their weight."""

    fingerprint = "recorder 1"

    def __init__(self) -> None:
        self.heard: dict[int, tuple[str, ...]] = {}
        self.requests: list[StillRequest] = []

    @property
    def capabilities(self) -> Capabilities:
        return replace(
            super().capabilities, control=True, control_models=("canny",), control_modules=("none",)
        )

    def still(self, request, on_step=None):
        self.requests.append(request)
        self.heard[request.seed] = tuple(digest(unit.image) for unit in request.control)
        picture = super().still(replace(request, control=()), on_step)
        for unit in request.control:
            picture = picture * 0.75 + unit.image * np.float32(0.25)
        return picture


SETTINGS = {"seed": 0, "seed_behavior": "iter", "prompts": {"0": "one", "6": "two"}, "steps": 3}


def begin(parent: Path, video: Path, engine=None, trial: DraftOptions = WHOLE, **changes):
    engine = engine or CheckerEngine()
    settings = Restyle(**{**SETTINGS, "video": str(video), **changes})
    run, plan = start(RESTYLE, settings, engine, "checker", parent, 0, (), trial)
    return run, plan, engine


def go(parent: Path, video: Path, engine=None, trial: DraftOptions = WHOLE, **changes) -> Result:
    run, plan, engine = begin(parent, video, engine, trial, **changes)
    return render(RESTYLE, plan, engine, run)


def pixels(run: Path) -> list[bytes]:
    return [read_picture(path).tobytes() for path in sorted((run / "frames").glob("*.png"))]


def stop_after(count: int):
    seen: list[int] = []

    def listen(event):
        if isinstance(event, FrameDone):
            seen.append(event.index)

    return listen, lambda: len(seen) >= count


def test_a_film_is_restyled_with_its_sound_at_its_speed(tmp_path):
    sound = write_wav(tmp_path / "clicks.wav", click_track(120, 3.0))
    video = film_of(tmp_path / "v.mp4", 36, 12, sound)
    result = go(tmp_path / "runs", video)
    facts = probe(result.film)
    assert (facts.frames, facts.rate, facts.width, facts.height) == (36, 12, 64, 64)
    heard, was = read_sound(result.film), read_sound(video)
    assert abs(len(heard) - len(was)) < 2400
    peaks = [np.flatnonzero(np.abs(track[:, 0]) > 0.3)[0] for track in (heard, was)]
    assert abs(peaks[0] - peaks[1]) < 480


def test_sound_begins_where_the_film_does(tmp_path):
    sound = write_wav(tmp_path / "clicks.wav", click_track(60, 4.0))
    video = film_of(tmp_path / "v.mp4", 48, 12, sound)
    # The click of the third second, six frames into the part that is used.
    result = go(tmp_path / "runs", video, video_start=18, video_stop=42, video_every=2)
    assert (result.frames, probe(result.film).rate) == (12, 6)
    heard = np.abs(read_sound(result.film)[:, 0])
    assert np.flatnonzero(heard > 0.3)[0] == pytest.approx(0.5 * 48000, abs=1200)


@pytest.mark.parametrize(("changes", "audio"), [({"sound": "none"}, False), ({}, True)])
def test_sound_can_be_dropped_or_replaced(tmp_path, changes, audio):
    sound = write_wav(tmp_path / "clicks.wav", click_track(120, 1.0))
    video = film_of(tmp_path / "v.mp4", audio=sound)
    result = go(tmp_path / "runs", video, **changes)
    assert bool(probe(result.film).audio) == audio
    other = write_wav(tmp_path / "tone.wav", np.full((24000, 2), 0.5, np.float32))
    result = go(tmp_path / "more", video, **changes, soundtrack=str(other))
    assert np.median(np.abs(read_sound(result.film)[2000:20000])) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(("source", "rate"), [("24000/1001", 30), ("30000/1001", 8), (60, 24), (30, 20)])
def test_the_film_lasts_as_long_as_the_video_at_any_rate(tmp_path, source, rate):
    video = film_of(tmp_path / "v.mp4", 45, source)
    result = go(tmp_path / "runs", video, fps=rate)
    assert abs(result.frames / Fraction(rate) - 45 / Fraction(source)) <= Fraction(1, rate)
    assert probe(result.film).rate == rate


def test_a_folder_becomes_a_film_and_carries_what_made_each_frame(tmp_path):
    result = go(tmp_path / "runs", folder_of(tmp_path / "in"), fps=8, denoising="0:(0.2), 11:(0.75)")
    assert (result.frames, probe(result.film).rate) == (12, 8)
    text = read_text(result.run / "frames" / "000007.png")
    assert (text["prompt"], text["seed"], text["video picture"], text["denoising"]) == (
        "two",
        "7",
        "7",
        "0.55",
    )


def test_a_unit_gets_frame_n_for_output_n_also_after_resuming_with_range_and_step(tmp_path):
    video = film_of(tmp_path / "v.mp4", 40, 12)
    pose = folder_of(tmp_path / "pose", range(40), "{:03}.png")
    units = [{"model": "canny", "image": str(pose)}, {"model": "canny"}]
    changes = {"units": units, "video_start": 4, "video_stop": 36, "video_every": 3}
    whole = go(tmp_path / "whole", video, Recorder(), **changes)
    run, plan, first = begin(tmp_path / "part", video, Recorder(), **changes)
    listen, stop = stop_after(4)
    assert not render(RESTYLE, plan, first, run, listen, stop=stop).finished
    rest = Recorder()
    assert render(RESTYLE, reopen(RESTYLE, run, rest), rest, run).finished
    assert pixels(run.path) == pixels(whole.run)
    heard = {**first.heard, **rest.heard}
    assert sorted(rest.heard) == list(range(4, 11)), "nothing is painted twice"
    for output in range(11):
        expected = read_picture(pose / f"{4 + 3 * output:03}.png").astype(np.float32) / np.float32(255)
        assert heard[output][0] == digest(expected)


INDEPENDENT = {}
FIRST = {"color_coherence": "LAB"}
PREVIOUS = {"init": "previous output"}


@pytest.mark.parametrize("changes", [INDEPENDENT, FIRST], ids=["alone", "colours of the first"])
def test_a_deleted_frame_alone_is_made_again(tmp_path, changes):
    result = go(tmp_path / "runs", film_of(tmp_path / "v.mp4"), Recorder(), **changes)
    before = pixels(result.run)
    for number in (3, 4, 8):
        (result.run / "frames" / f"{number:06d}.png").unlink()
    run, engine = RunFolder.open(result.run), Recorder()
    again = render(RESTYLE, reopen(RESTYLE, run, engine), engine, run)
    assert again.finished
    assert sorted(engine.heard) == [3, 4, 8]
    assert pixels(result.run) == before
    assert [w for w in again.warnings if "missing" in w] == [
        "frame 3 is missing and is rendered again",
        "frame 8 is missing and is rendered again",
    ]


def test_a_deleted_frame_of_a_film_that_feeds_on_itself_is_made_again_with_what_follows(tmp_path):
    result = go(tmp_path / "runs", film_of(tmp_path / "v.mp4"), Recorder(), **PREVIOUS)
    before = pixels(result.run)
    (result.run / "frames" / "000004.png").unlink()
    run, engine = RunFolder.open(result.run), Recorder()
    render(RESTYLE, reopen(RESTYLE, run, engine), engine, run)
    assert pixels(result.run) == before


@pytest.mark.parametrize(
    ("changes", "painted"),
    [(INDEPENDENT, [50]), (FIRST, [50]), (PREVIOUS, [1, 2, 3, 4, 50])],
    ids=["alone", "colours of the first", "previous output"],
)
def test_redo_this_frame(tmp_path, changes, painted):
    result = go(tmp_path / "runs", film_of(tmp_path / "v.mp4"), Recorder(), **changes)
    before = pixels(result.run)
    run, engine = RunFolder.open(result.run), Recorder()
    settings = _settings(run).changed({"seed": 45})
    done = rerender(RESTYLE, settings, 5, 5, engine, run, 0)
    assert done.finished
    assert sorted(engine.heard) == painted, "only what is needed is painted"
    after = pixels(result.run)
    assert [a == b for a, b in zip(before, after, strict=True)] == [n != 5 for n in range(12)]
    seams = "check the transition between 4 and 5, and between 5 and 6"
    assert f"frame 5 is re-rendered: {seams}" in done.warnings


@pytest.mark.parametrize("changes", [INDEPENDENT, FIRST, PREVIOUS])
def test_a_part_that_was_stopped_goes_on_where_it_was(tmp_path, changes):
    video = film_of(tmp_path / "v.mp4")
    runs = []
    for name in ("whole", "part"):
        result = go(tmp_path / name, video, Recorder(), **changes)
        run = RunFolder.open(result.run)
        settings = _settings(run).changed({"prompts": "three"})
        engine = Recorder()
        if name == "whole":
            rerender(RESTYLE, settings, 3, 9, engine, run, 0)
        else:
            listen, stop = stop_after(3)
            assert not rerender(RESTYLE, settings, 3, 9, engine, run, 0, listen, stop=stop).finished
            rest = Recorder()
            assert render(RESTYLE, reopen(RESTYLE, run, rest), rest, run).finished
            assert [request.seed for request in rest.requests] == [6, 7, 8, 9]
        runs.append(pixels(run.path))
    assert runs[0] == runs[1]


def _settings(run: RunFolder) -> Restyle:
    from lib_anim.settings.base import from_json

    return from_json(Restyle, run.manifest()["settings"])[0]


@pytest.mark.parametrize("changes", [INDEPENDENT, FIRST, PREVIOUS])
def test_trials_resume_too(tmp_path, changes):
    video = film_of(tmp_path / "v.mp4")
    whole = go(tmp_path / "whole", video, trial=DraftOptions(every=3), **changes)
    assert (whole.frames, probe(whole.film).rate) == (4, 4)
    run, plan, engine = begin(tmp_path / "part", video, None, DraftOptions(every=3), **changes)
    listen, stop = stop_after(2)
    render(RESTYLE, plan, engine, run, listen, stop=stop)
    assert render(RESTYLE, reopen(RESTYLE, run, engine), engine, run).finished
    assert pixels(run.path) == pixels(whole.run)


def _child(parent: Path, video: Path, changes: dict) -> subprocess.Popen:
    code = (
        "from pathlib import Path; from tests.jobs.test_restyle import *\n"
        f"run, plan, engine = begin(Path({str(parent)!r}), Path({str(video)!r}), **{changes!r})\n"
        "print('begun', flush=True)\n"
        "render(RESTYLE, plan, engine, run, lambda e: print('.', end='', flush=True))\n"
    )
    root = Path(__file__).resolve().parents[2]
    return subprocess.Popen([sys.executable, "-c", code], cwd=root, stdout=subprocess.PIPE)


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
@pytest.mark.parametrize("changes", [INDEPENDENT, FIRST, PREVIOUS])
def test_killed_at_a_random_moment_and_resumed_gives_the_same_pixels(tmp_path, changes):
    video = film_of(tmp_path / "v.mp4", 40)
    whole = pixels(go(tmp_path / "whole", video, **changes).run)
    dice = random.Random(len(changes))
    for kill in range(2):
        child = _child(tmp_path / f"kill{kill}", video, changes)
        child.stdout.read(len("begun\n") + dice.randrange(1, 70))
        child.send_signal(signal.SIGKILL)
        child.wait()
        (folder,) = (tmp_path / f"kill{kill}").iterdir()
        run, engine = RunFolder.open(folder), CheckerEngine()
        render(RESTYLE, reopen(RESTYLE, run, engine), engine, run)
        assert pixels(folder) == whole


def refused(parent: Path, video: Path, engine=None, **changes) -> FlipbookError:
    """The error of settings that are refused before a folder is made."""
    with pytest.raises(FlipbookError) as caught:
        begin(parent / "runs", video, engine, **changes)
    assert not (parent / "runs").exists()
    return caught.value


def test_a_video_that_is_not_there_is_a_sentence(tmp_path):
    error = refused(tmp_path, tmp_path / "gone.mp4")
    assert isinstance(error, NotFound)
    assert error.problems[0].field == "video"


def test_a_film_without_frames_is_a_sentence(tmp_path):
    write_wav(tmp_path / "only.wav", click_track(120, 1.0))
    assert "only.wav holds no film" in str(refused(tmp_path, tmp_path / "only.wav"))
    (tmp_path / "empty").mkdir()
    assert "holds no pictures" in str(refused(tmp_path, tmp_path / "empty"))


def test_one_frame_is_a_film(tmp_path):
    result = go(tmp_path / "runs", film_of(tmp_path / "v.mp4", 1))
    assert (result.frames, probe(result.film).frames) == (1, 1)


def test_a_picture_alone_is_a_film_of_one_frame(tmp_path):
    assert go(tmp_path / "runs", write_picture(tmp_path / "one.png", frame_of(0))).frames == 1


def test_a_portrait_film_with_rotation_stays_upright(tmp_path):
    video = make(tmp_path / "phone.mp4", [_left_light(number) for number in range(6)])
    data = bytearray(video.read_bytes())
    # The track header's matrix: a quarter turn clockwise, as phones write it.
    place = data.index(struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30), data.index(b"tkhd"))
    data[place : place + 36] = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    video.write_bytes(bytes(data))
    result = go(tmp_path / "runs", video, denoising=0)
    frame = read_picture(result.run / "frames" / "000003.png")
    assert frame.shape == (128, 64, 3)
    assert frame[8:40].mean() > 180, "the light left edge is the upper one now"
    assert frame[-40:-8].mean() < 80


def _left_light(number: int) -> np.ndarray:
    frame = np.full((64, 128, 3), 40, np.uint8)
    frame[:, :64] = 220
    return frame


def test_a_variable_rate_is_read_by_time(tmp_path):
    # 24 pictures: half a second at 24 frames/s, then a second at 12.
    ticks = [*range(12), *(12 + 2 * n for n in range(12))]
    video = make(tmp_path / "vfr.mp4", [frame_of(n) for n in range(24)], ticks=ticks)
    result = go(tmp_path / "runs", video, denoising=0)
    assert float(probe(result.film).rate) == pytest.approx(24, abs=0.03)
    assert abs(result.frames - 36) <= 1
    shown = [read_picture(p).astype(int) for p in sorted((result.run / "frames").glob("*.png"))]
    # Where the video holds a picture for two slots, so does the film.
    assert np.abs(shown[14] - shown[15]).max() == 0
    assert np.abs(shown[8] - shown[9]).max() > 20


def test_a_film_without_sound_has_none_and_nothing_is_said(tmp_path):
    result = go(tmp_path / "runs", film_of(tmp_path / "v.mp4"))
    assert not probe(result.film).audio
    assert result.warnings == ()


def test_a_damaged_tail_is_restyled_and_said(tmp_path):
    video = tmp_path / "v.mp4"
    with open_sink(video, width=96, height=64, rate=24, options={"g": "12"}) as sink:
        for number in range(48):
            blocks = np.random.default_rng(number // 3).integers(0, 255, (8, 12, 3))
            sink.write(np.kron(blocks, np.ones((8, 8, 1))).astype(np.uint8))
    with av.open(str(video)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    data = bytearray(video.read_bytes())
    for position, size in places[-6:]:
        data[position + 8 : position + size - 1] = bytes(size - 9)
    video.write_bytes(bytes(data))
    result = go(tmp_path / "runs", video)
    assert result.frames == 48
    assert any("damaged" in warning for warning in result.warnings), result.warnings


def test_a_folder_with_a_gap_is_restyled_and_said(tmp_path):
    result = go(tmp_path / "runs", folder_of(tmp_path / "in", [0, 1, 2, 5, 6]))
    assert result.frames == 5
    assert any("0002.png to 0005.png" in warning for warning in result.warnings)


def test_pictures_of_two_sizes_are_a_sentence(tmp_path):
    folder_of(tmp_path / "in", range(3))
    write_picture(tmp_path / "in" / "0009.png", frame_of(1, 128, 64))
    assert "all pictures of a film need one size" in str(refused(tmp_path, tmp_path / "in"))


def test_sizes_that_are_no_multiple_of_8_are_brought_there_and_said(tmp_path):
    video = tmp_path / "odd.mp4"
    with open_sink(video, width=130, height=98, rate=12) as sink:
        for number in range(3):
            sink.write(frame_of(number, 160, 112)[:98, :130])
    result = go(tmp_path / "runs", video)
    assert read_picture(result.run / "frames" / "000000.png").shape == (96, 128, 3)
    assert any("130 × 98 is painted as 128 × 96" in warning for warning in result.warnings)


@pytest.mark.skipif(os.name == "nt", reason="file size limits")
def test_a_full_disk_is_a_sentence_and_the_run_goes_on_later(tmp_path):
    import resource

    video = film_of(tmp_path / "v.mp4", width=256, height=256)
    whole = go(tmp_path / "whole", video, denoising=0.3)
    run, plan, engine = begin(tmp_path / "part", video, denoising=0.3)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(event):
        if isinstance(event, FrameDone) and event.index == 5:
            resource.setrlimit(resource.RLIMIT_FSIZE, (500, hard))

    try:
        with pytest.raises(FlipbookError) as caught:
            render(RESTYLE, plan, engine, run, fill)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "cannot be written" in str(caught.value)
    assert "free some disk space" in str(caught.value)
    assert render(RESTYLE, reopen(RESTYLE, run, engine), engine, run).finished
    assert pixels(run.path) == pixels(whole.run)


def test_an_engine_without_controlnet_is_a_sentence(tmp_path):
    error = refused(tmp_path, film_of(tmp_path / "v.mp4"), units=[{"model": "canny"}])
    assert str(error).startswith("units 0: this engine has no ControlNet")


def test_a_checkpoint_that_vanished_is_a_sentence_and_the_frames_stay(tmp_path):
    class Two(CheckerEngine):
        names = ("one", "two")

        @property
        def capabilities(self) -> Capabilities:
            return replace(super().capabilities, checkpoints=self.names)

    video = film_of(tmp_path / "v.mp4")
    run, plan, engine = begin(tmp_path / "runs", video, Two(), checkpoint='0:("one"), 6:("two")')
    listen, stop = stop_after(4)
    render(RESTYLE, plan, engine, run, listen, stop=stop)
    before = pixels(run.path)
    engine.names = ("one",)
    with pytest.raises(FlipbookError) as caught:
        reopen(RESTYLE, run, engine)
    assert str(caught.value) == 'checkpoint: "two" is not a checkpoint of this engine; it has one'
    assert pixels(run.path) == before
    engine.names = ("one", "two")
    assert render(RESTYLE, reopen(RESTYLE, run, engine), engine, run).finished


def test_a_video_that_was_changed_is_not_gone_on_with(tmp_path):
    video = film_of(tmp_path / "v.mp4")
    run, plan, engine = begin(tmp_path / "runs", video)
    listen, stop = stop_after(4)
    render(RESTYLE, plan, engine, run, listen, stop=stop)
    video.unlink()
    with pytest.raises(NotFound):
        reopen(RESTYLE, run, engine)
    film_of(video, 5)
    with pytest.raises(FlipbookError, match="have changed"):
        reopen(RESTYLE, run, engine)
