"""`make demo`: the film is made from the photograph, and checks itself."""

from __future__ import annotations

import numpy as np
import pytest

from demo import film
from lib_anim.media.sound import click_track, write_wav
from lib_anim.media.write import open_sink


@pytest.mark.slow
def test_the_demo_makes_its_film_and_finds_what_it_promises(tmp_path):
    result = film.make(tmp_path)
    assert result.finished
    assert result.warnings == ()
    assert len(film.check(result.film)) == 4
    assert result.sheet.is_file()


def moving(path, shift, sound=None, frames=48):
    """A film whose picture moves by `shift(frame)` pixels to the right at each frame."""
    rng = np.random.default_rng(0)
    picture = np.kron(rng.integers(0, 256, (16, 32, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    with open_sink(path, width=256, height=128, rate=12, audio=sound) as sink:
        for frame in range(frames):
            picture = np.roll(picture, shift(frame), axis=1)
            sink.write(picture)
    return path


def there_and_back(frame):
    return 2 if frame <= 24 else -2


@pytest.fixture
def clicks(tmp_path):
    return write_wav(tmp_path / "clicks.wav", click_track(film.BPM, film.SECONDS, film.RATE), film.RATE)


def test_it_believes_a_film_that_is_right(tmp_path, clicks):
    assert len(film.check(moving(tmp_path / "film.mp4", there_and_back, clicks))) == 4


@pytest.mark.parametrize(
    ("shift", "frames", "sentence"),
    [
        (lambda frame: -2, 48, "first half"),
        (lambda frame: 2, 48, "second half"),
        (lambda frame: 0, 48, "neighbouring"),
        (there_and_back, 47, "47 frames"),
    ],
)
def test_it_does_not_believe_a_film_that_is_wrong(tmp_path, clicks, shift, frames, sentence):
    with pytest.raises(film.DemoFailed, match=sentence):
        film.check(moving(tmp_path / "film.mp4", shift, clicks, frames))


def test_it_hears_late_and_missing_clicks(tmp_path):
    track = np.roll(click_track(film.BPM, film.SECONDS, film.RATE), film.RATE // 6, axis=0)
    late = write_wav(tmp_path / "late.wav", track, film.RATE)
    with pytest.raises(film.DemoFailed, match="from its beat"):
        film.check(moving(tmp_path / "late.mp4", there_and_back, late))
    quiet = write_wav(tmp_path / "few.wav", click_track(60, film.SECONDS, film.RATE), film.RATE)
    with pytest.raises(film.DemoFailed, match="clicks instead"):
        film.check(moving(tmp_path / "few.mp4", there_and_back, quiet))
