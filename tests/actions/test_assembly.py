from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from lib_anim.actions.assembly import assemble
from lib_anim.errors import FlipbookError, NotFound
from lib_anim.kinds.assemble.settings import Assemble
from lib_anim.media.pictures import read_picture, write_picture
from lib_anim.media.probe import probe
from lib_anim.media.read import open_source
from lib_anim.media.sound import click_track, read_sound, write_wav
from lib_anim.media.write import open_sink

LEVELS = [20, 60, 100, 140, 180, 220]


def grey(level: int) -> np.ndarray:
    return np.full((64, 64, 3), level, np.uint8)


@pytest.fixture
def pictures(tmp_path):
    """A folder of six greys whose names sort naturally, not by letters."""
    folder = tmp_path / "pictures 图"
    folder.mkdir()
    for number, level in enumerate(LEVELS, start=8):
        write_picture(folder / f"f{number}.png", grey(level))
    return folder


@pytest.fixture
def film(tmp_path):
    """Six greys at 12 frames a second with a click at its start."""
    sound = write_wav(tmp_path / "click.wav", click_track(120, 0.5), 48000)
    with open_sink(tmp_path / "film.mp4", width=64, height=64, rate=12, audio=sound) as sink:
        for level in LEVELS:
            sink.write(grey(level))
    return tmp_path / "film.mp4"


def shown(path) -> list[int]:
    """Which of the six greys each frame is."""
    with open_source(path) as source:
        values = [float(frame.mean()) for frame in source]
    return [int(np.argmin([abs(level - value) for level in LEVELS])) for value in values]


def make(source, out, **changes):
    told = []
    done = assemble(Assemble(source=str(source), **changes), out, told.append)
    return done, told


def test_a_folder_becomes_a_film_in_natural_order(pictures, tmp_path):
    done, _ = make(pictures, tmp_path / "out.mp4", fps=8)
    assert shown(done.film) == [0, 1, 2, 3, 4, 5]
    facts = probe(done.film)
    assert (facts.frames, facts.rate) == (6, 8)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"reverse": True}, [5, 4, 3, 2, 1, 0]),
        ({"boomerang": True}, [0, 1, 2, 3, 4, 5, 4, 3, 2, 1]),
        ({"loop": 2}, [0, 1, 2, 3, 4, 5] * 2),
        ({"reverse": True, "boomerang": True}, [5, 4, 3, 2, 1, 0, 1, 2, 3, 4]),
        ({"speed": 2}, [1, 3, 5]),
        ({"speed": 0.5}, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]),
        ({"start": 1, "stop": 5}, [1, 2, 3, 4]),
        ({"every": 2}, [0, 2, 4]),
    ],
)
def test_orders(film, tmp_path, changes, expected):
    done, _ = make(film, tmp_path / "out.mp4", **changes)
    assert shown(done.film) == expected


@pytest.mark.parametrize("rate", [6, 8, 24, Fraction(30000, 1001)])
def test_resampling_a_film_keeps_its_length(film, tmp_path, rate):
    done, _ = make(film, tmp_path / "out.mp4", fps=rate)
    assert probe(done.film).rate == rate
    assert abs(done.frames / rate - Fraction(1, 2)) <= 1 / rate


def test_sound_stays_where_frames_keep_step_and_else_is_dropped_and_said(film, tmp_path):
    kept, _ = make(film, tmp_path / "kept.mp4")
    assert probe(kept.film).audio
    assert kept.warnings == ()
    dropped, told = make(film, tmp_path / "dropped.mp4", reverse=True)
    assert not probe(dropped.film).audio
    assert "dropped" in dropped.warnings[0]
    assert any("dropped" in getattr(event, "sentence", "") for event in told)


def test_sound_is_trimmed_with_the_frames(tmp_path):
    sound = write_wav(tmp_path / "click.wav", click_track(60, 3), 48000)
    with open_sink(tmp_path / "film.mp4", width=64, height=64, rate=12, audio=sound) as sink:
        for _ in range(36):
            sink.write(grey(100))
    done, _ = make(tmp_path / "film.mp4", tmp_path / "out.mp4", start=6)
    loud = np.abs(read_sound(done.film)).max(axis=1)
    first = int(np.flatnonzero(loud > 0.3)[0]) / 48000
    assert first == pytest.approx(0.5, abs=1 / 24)


def test_another_sound_replaces_it(film, tmp_path):
    other = write_wav(tmp_path / "other.wav", click_track(240, 0.5), 48000)
    done, _ = make(film, tmp_path / "out.mp4", reverse=True, audio=str(other))
    assert probe(done.film).audio
    assert done.warnings == ()


def test_a_run_folder_gives_its_frames(pictures, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    pictures.rename(run / "frames")
    (run / "run.json").write_text("{}")
    (run / "sheet.png").write_bytes(b"not a frame")
    done, _ = make(run, tmp_path / "out.mp4")
    assert done.frames == 6


def test_sheet_and_poster(film, tmp_path):
    make(
        film,
        tmp_path / "out.mp4",
        reverse=True,
        sheet=str(tmp_path / "sheet.png"),
        poster=str(tmp_path / "poster.png"),
        poster_frame=1,
    )
    assert abs(read_picture(tmp_path / "poster.png").mean() - LEVELS[4]) < 3
    sheet = read_picture(tmp_path / "sheet.png")
    assert sheet.shape[1] >= 4 * 64


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"source": ""}, "source"),
        ({"poster": "p.png", "poster_frame": 6}, "poster_frame"),
        ({"speed": 100.0}, "speed"),
    ],
)
def test_mistakes_are_sentences_and_leave_nothing(film, tmp_path, changes, field):
    settings = {"source": str(film), **changes}
    with pytest.raises(FlipbookError) as caught:
        assemble(Assemble(**settings), tmp_path / "out.mp4", lambda event: None)
    assert caught.value.problems[0].field == field
    assert not list(tmp_path.glob("out.mp4*"))


def test_a_missing_source_is_named(tmp_path):
    with pytest.raises(NotFound):
        make(tmp_path / "nothing.mp4", tmp_path / "out.mp4")


def test_transparent_pictures_lie_over_black_where_the_format_has_no_alpha(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    half = np.full((64, 64, 4), 200, np.uint8)
    half[..., 3] = 128
    for index in range(3):
        write_picture(folder / f"{index}.png", half)
    flat, _ = make(folder, tmp_path / "flat.mp4")
    with open_source(flat.film) as source:
        assert abs(source[1].mean() - 100) < 3
    assert "over black" in flat.warnings[0]
    kept, _ = make(folder, tmp_path / "kept.webm", format="vp9")
    with open_source(kept.film) as source:
        assert source.info.alpha
    assert kept.warnings == ()


@pytest.mark.parametrize("name", ["film.gif", "film.webp", "film.webm", "film.mov"])
def test_other_formats_by_their_ending(film, tmp_path, name):
    done, _ = make(film, tmp_path / name, sound="none")
    assert probe(done.film).frames == 6
