"""Every format: frames, times, colours, transparency, odd sizes, and the text it carries."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lib_anim.errors import FlipbookError
from lib_anim.media.comment import LONGEST, read_comment
from lib_anim.media.formats import FORMATS, SEQUENCES
from lib_anim.media.read import open_source
from lib_anim.media.write import open_sink

ALL = [*FORMATS, *SEQUENCES]
ALPHA = [name for name, form in FORMATS.items() if form.pixels_alpha] + ["png"]


def write(
    folder: Path, name: str, frames: list[np.ndarray], rate: Fraction = Fraction(24), **more: object
) -> Path:
    suffix = FORMATS[name].suffix if name in FORMATS else ""
    height, width = frames[0].shape[:2]
    alpha = frames[0].shape[2] == 4
    path = folder / f"film{suffix}"
    with open_sink(path, width=width, height=height, rate=rate, format=name, alpha=alpha, **more) as sink:
        for frame in frames:
            sink.write(frame)
    return path


@pytest.mark.parametrize("name", ALL)
def test_colour_chart_and_grey_ramp_survive(
    tmp_path: Path, name: str, chart: np.ndarray, patch_error: Callable
) -> None:
    with open_source(write(tmp_path, name, [chart] * 3)) as source:
        assert max(patch_error(frame, chart) for frame in source) <= 2


@pytest.mark.parametrize("rate", [Fraction(8), Fraction(12), Fraction(30000, 1001)], ids=str)
@pytest.mark.parametrize("name", FORMATS)
def test_count_rate_and_length_survive(
    tmp_path: Path, name: str, rate: Fraction, clip: Callable, number_of: Callable
) -> None:
    with open_source(write(tmp_path, name, clip(25), rate)) as source:
        # Delays in hundredths or thousandths of a second cannot tell 29.97 from 30 in so few frames.
        assert source.info.rate == (30 if rate > 12 and name in ("gif", "webp") else rate)
        assert [number_of(frame) for frame in source] == list(range(25))


@pytest.mark.parametrize("name", ALPHA)
def test_transparency_survives(tmp_path: Path, name: str, clip: Callable) -> None:
    frames = clip(3, alpha=True)
    with open_source(write(tmp_path, name, frames)) as source:
        assert source.info.alpha
        for got, sent in zip(source, frames, strict=True):
            for column in (20, 70):
                assert abs(int(got[40, column, 3]) - int(sent[40, column, 3])) <= 2


@pytest.mark.parametrize("name", [n for n in [*FORMATS, *SEQUENCES] if n not in ALPHA])
def test_a_format_without_transparency_refuses_it(tmp_path: Path, name: str, clip: Callable) -> None:
    with pytest.raises(FlipbookError) as error:
        write(tmp_path, name, clip(1, alpha=True))
    assert "transparency" in str(error.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ALL)
def test_odd_sizes_work(tmp_path: Path, name: str, clip: Callable, number_of: Callable) -> None:
    with open_source(write(tmp_path, name, clip(2, width=81, height=65))) as source:
        even = name in FORMATS and FORMATS[name].even
        assert (source.info.width, source.info.height) == ((82, 66) if even else (81, 65))
        assert [number_of(frame[:65, :80]) for frame in source] == [0, 1]


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("name", ALL)
def test_a_megabyte_of_settings_comes_back(tmp_path: Path, name: str, count: int, clip: Callable) -> None:
    settings = json.dumps(
        {"prompts": {str(n): f'春 <winter> & "snow" {n}\n' for n in range(26000)}}, ensure_ascii=False
    )
    assert len(settings.encode()) > 1_000_000
    path = write(tmp_path, name, clip(count), comment=settings)
    assert read_comment(path) == settings
    with open_source(path) as source:
        assert source.info.frames == count


@pytest.mark.parametrize("name", ALL)
def test_every_letter_of_the_settings_comes_back(tmp_path: Path, name: str, clip: Callable) -> None:
    text = "tab\t line\n return\r\n quote\" 'x' <a> &amp; ]]> \\ 雪 🎬 \u2028 é"
    assert read_comment(write(tmp_path, name, clip(2), comment=text)) == text


class ByChance:
    """A stream whose encoder leaves the times of decoding to chance, as libx265 does in short films."""

    def __init__(self, stream: Any, times: list[int | None]) -> None:
        self._stream, self._times = stream, iter(times)

    def encode(self, picture: Any) -> Iterator[Any]:
        for packet in self._stream.encode(picture):
            packet.dts = next(self._times)
            yield packet

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@pytest.mark.parametrize("times", [(900, 3), (None, None), (-(2**62), 2**62), (5, 5), (0, 0)])
def test_times_of_decoding_left_to_chance_end_no_film(
    tmp_path: Path, times: tuple[int | None, ...], clip: Callable
) -> None:
    frames = clip(2)
    height, width = frames[0].shape[:2]
    sink = open_sink(tmp_path / "film.mp4", width=width, height=height, rate=24, format="h264")
    sink._stream = ByChance(sink._stream, list(times))
    for frame in frames:
        sink.write(frame)
    with open_source(sink.close()) as source:
        assert len(list(source)) == 2


@pytest.mark.parametrize("name", FORMATS)
def test_a_film_without_settings_has_none(tmp_path: Path, name: str, clip: Callable) -> None:
    assert read_comment(write(tmp_path, name, clip(1))) == ""


def test_too_much_text_is_refused_before_anything_is_written(tmp_path: Path, clip: Callable) -> None:
    with pytest.raises(FlipbookError) as error:
        write(tmp_path, "h264", clip(1), comment="x" * (LONGEST + 1))
    assert str(error.value).startswith("comment: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "quality"), [("h264", 60), ("vp9", -1), ("webp", 101), ("gif", 5)])
def test_a_quality_out_of_range_is_refused(tmp_path: Path, name: str, quality: int, clip: Callable) -> None:
    with pytest.raises(FlipbookError) as error:
        write(tmp_path, name, clip(1), quality=quality)
    assert str(error.value).startswith("quality: ")


@pytest.mark.parametrize(
    ("name", "fine", "coarse"), [("h264", 10, 45), ("vp9", 10, 60), ("webp", 95, 5), ("jpeg", 95, 5)]
)
def test_quality_changes_the_size(tmp_path: Path, name: str, fine: int, coarse: int) -> None:
    noise = [np.random.default_rng(n).integers(0, 255, (64, 96, 3), np.uint8) for n in range(3)]
    sizes = []
    for quality in (fine, coarse):
        folder = tmp_path / str(quality)
        folder.mkdir()
        path = write(folder, name, noise, quality=quality)
        sizes.append(sum(f.stat().st_size for f in ([path] if path.is_file() else path.iterdir())))
    assert sizes[0] > 2 * sizes[1]


def test_a_gif_too_fast_for_its_clock_is_refused_and_a_fast_one_is_named(
    tmp_path: Path, clip: Callable
) -> None:
    with pytest.raises(FlipbookError) as error:
        write(tmp_path, "gif", clip(1), Fraction(120))
    assert str(error.value).startswith("fps: ")
    with open_sink(tmp_path / "a.gif", width=96, height=64, rate=60) as sink:
        sink.write(clip(1)[0])
    assert "slow" in sink.warnings[0]


def test_a_photo_in_a_gif_keeps_its_colours_on_average(tmp_path: Path) -> None:
    y, x = np.mgrid[0:96, 0:128]
    photo = np.stack([x * 2, y * 2.5, 255 - x - y], axis=2).clip(0, 255).astype(np.uint8)
    with open_source(write(tmp_path, "gif", [photo] * 2)) as source:
        for frame in source:
            blocks = np.abs(
                frame.reshape(12, 8, 16, 8, 3).mean((1, 3)) - photo.reshape(12, 8, 16, 8, 3).mean((1, 3))
            )
            assert blocks.mean() < 3
