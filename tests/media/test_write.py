"""Films written and read back: every frame, its time, its colour, its sound."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from lib_anim.errors import FlipbookError
from lib_anim.media.read import open_source
from lib_anim.media.sound import click_track, read_sound, write_wav
from lib_anim.media.write import open_sink

RATES = [Fraction(r) for r in (8, 24, 25, 60)] + [Fraction(24000, 1001), Fraction(30000, 1001)]


def write(
    path: Path, frames: list[np.ndarray], rate: Fraction = Fraction(24), **more: object
) -> tuple[str, ...]:
    height, width = frames[0].shape[:2]
    with open_sink(path, width=width, height=height, rate=rate, **more) as sink:
        for frame in frames:
            sink.write(frame)
    return sink.warnings


@pytest.mark.parametrize("rate", RATES, ids=str)
@pytest.mark.parametrize("count", [1, 2, 31])
def test_every_frame_comes_back_at_its_time(
    tmp_path: Path, clip: Callable, number_of: Callable, rate: Fraction, count: int
) -> None:
    write(tmp_path / "f.mp4", clip(count), rate)
    with open_source(tmp_path / "f.mp4") as source:
        assert source.info.rate == rate
        assert source.info.frames == count
        assert source.info.duration == count / rate
        assert [number_of(frame) for frame in source] == list(range(count))


def test_colour_chart_and_grey_ramp_survive(tmp_path: Path, chart: np.ndarray, patch_error: Callable) -> None:
    write(tmp_path / "f.mp4", [chart] * 3)
    with open_source(tmp_path / "f.mp4") as source:
        assert max(patch_error(frame, chart) for frame in source) <= 2
    with av.open(str(tmp_path / "f.mp4")) as file:
        context = file.streams.video[0].codec_context
        assert context.pix_fmt == "yuv420p"
        assert (context.color_primaries, context.color_trc, context.colorspace, context.color_range) == (
            1,
            1,
            1,
            1,
        )


def test_odd_sizes_are_padded_and_said(tmp_path: Path, clip: Callable) -> None:
    frames = clip(3, width=97, height=65)
    warnings = write(tmp_path / "f.mp4", frames)
    assert "97 x 65 is padded to 98 x 66" in warnings[0]
    with open_source(tmp_path / "f.mp4") as source:
        assert (source.info.width, source.info.height) == (98, 66)
        frame = source[0]
    assert np.abs(frame[-1].astype(int) - frame[-2].astype(int)).max() <= 6


def test_the_film_begins_with_its_index(tmp_path: Path, clip: Callable) -> None:
    write(tmp_path / "f.mp4", clip(30))
    data = (tmp_path / "f.mp4").read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")
    assert b"moof" not in data


@pytest.mark.parametrize("suffix", ["wav", "mp4"])
def test_sound_lasts_as_long_as_the_film_and_stays_in_time(
    tmp_path: Path, clip: Callable, suffix: str
) -> None:
    sound = write_wav(tmp_path / "a.wav", click_track(120, 3.0))
    if suffix == "mp4":
        write(tmp_path / "with sound.mp4", clip(72), audio=sound)
        sound = tmp_path / "with sound.mp4"
    write(tmp_path / "f.mp4", clip(60), Fraction(24), audio=sound)
    with open_source(tmp_path / "f.mp4") as source:
        assert source.info.audio
    heard = np.abs(read_sound(tmp_path / "f.mp4", 48000, 1)[:, 0])
    assert abs(len(heard) / 48000 - 2.5) < 0.05
    for beat in range(5):
        around = heard[max(0, beat * 24000 - 2000) : beat * 24000 + 4000]
        start = max(0, beat * 24000 - 2000) + int(np.argmax(around > 0.25))
        assert abs(start / 48000 - beat / 2) < 0.005


def test_a_frame_of_another_shape_is_refused_by_name(tmp_path: Path, clip: Callable) -> None:
    with (
        pytest.raises(FlipbookError) as error,
        open_sink(tmp_path / "f.mp4", width=64, height=64, rate=24) as sink,
    ):
        sink.write(clip(1, 96, 64)[0])
    assert "f.mp4" in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_ending_names_those_that_are_known(tmp_path: Path) -> None:
    with pytest.raises(FlipbookError) as error:
        open_sink(tmp_path / "f.xyz", width=64, height=64, rate=24)
    assert ".mp4" in str(error.value)
