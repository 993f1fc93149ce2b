"""What every source of frames promises, checked on each kind of source."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from lib_anim.media.pictures import write_picture
from lib_anim.media.read import Source, open_source
from lib_anim.media.write import open_sink

COUNT = 29


def frames() -> list[np.ndarray]:
    made = []
    for number in range(COUNT):
        frame = np.random.default_rng(number // 4).integers(60, 200, (6, 8, 3)).astype(np.uint8)
        frame = np.kron(frame, np.ones((8, 8, 1), np.uint8))
        frame[:, (number * 2) % 64 : (number * 2) % 64 + 2] = 250
        made.append(frame)
    return made


def film(folder: Path, name: str, **more: object) -> Path:
    with open_sink(folder / name, width=64, height=48, rate=12, **more) as sink:
        for frame in frames():
            sink.write(frame)
    return folder / name


def folder_of_pictures(folder: Path) -> Path:
    for number, frame in enumerate(frames()):
        write_picture(folder / f"{number}.png", frame)
    return folder


def foreign(folder: Path, name: str, codec: str, alpha: bool = False, **options: str) -> Path:
    """A film as other programs write it: straight into its container, with the encoder's options."""
    with av.open(str(folder / name), "w") as out:
        stream = out.add_stream(codec, rate=12, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuva420p" if alpha else "yuv420p"
        if codec == "mpeg4":
            stream.codec_context.max_b_frames = 2
        for frame in frames():
            array = np.dstack([frame, frame[:, :, 0]]) if alpha else frame
            picture = av.VideoFrame.from_ndarray(array, format="rgba" if alpha else "rgb24")
            out.mux(stream.encode(picture.reformat(format=stream.pix_fmt)))
        out.mux(stream.encode(None))
    return folder / name


SOURCES: dict[str, Callable[[Path], Source]] = {
    "folder": lambda at: open_source(folder_of_pictures(at), rate=12),
    "h264": lambda at: open_source(film(at, "f.mp4", options={"g": "9", "keyint_min": "9", "bf": "3"})),
    "h264 open GOP": lambda at: open_source(
        film(at, "f.mp4", options={"x264-params": "keyint=9:min-keyint=9:open-gop=1:bframes=3:b-pyramid=2"})
    ),
    "h265 open GOP": lambda at: open_source(
        foreign(at, "f.mkv", "libx265", **{"x265-params": "keyint=9:open-gop=1:bframes=4:log-level=error"})
    ),
    "h264 transport stream": lambda at: open_source(foreign(at, "f.ts", "libx264", g="9", bf="3")),
    "mpeg4 in avi": lambda at: open_source(foreign(at, "f.avi", "mpeg4", g="9")),
    "mpeg2 open GOP": lambda at: open_source(foreign(at, "f.mpg", "mpeg2video", g="9", bf="2")),
    "vp8": lambda at: open_source(foreign(at, "f.webm", "libvpx", g="9")),
    "vp9 alpha": lambda at: open_source(foreign(at, "f.webm", "libvpx-vp9", alpha=True, g="9")),
    "av1": lambda at: open_source(film(at, "f.webm", format="av1", options={"g": "9"})),
    "prores": lambda at: open_source(film(at, "f.mov")),
    "gif": lambda at: open_source(film(at, "f.gif")),
    "webp": lambda at: open_source(film(at, "f.webp")),
    "apng": lambda at: open_source(film(at, "f.png", format="apng")),
    "range": lambda at: open_source(film(at, "f.mp4"), start=3, stop=28, every=3),
    "resampled up": lambda at: open_source(film(at, "f.mp4"), rate=Fraction(30000, 1001)),
    "resampled down": lambda at: open_source(film(at, "f.mp4"), rate=8),
}


@pytest.fixture(params=SOURCES, ids=str)
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Source:
    with SOURCES[request.param](tmp_path) as opened:
        yield opened


def test_info_tells_the_truth(source: Source) -> None:
    seen = list(source)
    assert len(seen) == source.info.frames == len(source)
    for frame in seen:
        assert frame.dtype == np.uint8
        assert frame.shape == (source.info.height, source.info.width, 4 if source.info.alpha else 3)
    assert source.info.duration == len(seen) / source.info.rate
    assert abs(source.info.duration - COUNT / Fraction(12)) <= max(1 / source.info.rate, Fraction(4, 12))


def test_any_frame_equals_iteration_in_any_order(source: Source) -> None:
    seen = list(source)
    order = np.random.default_rng(3).permutation(len(seen))
    for n in [*order, len(seen) - 1, 0, 1, 2, len(seen) - 1]:
        assert (source[int(n)] == seen[n]).all(), n


def test_two_readings_do_not_disturb_each_other(source: Source) -> None:
    first, second = iter(source), iter(source)
    a = [next(first) for _ in range(3)]
    b = [next(second) for _ in range(2)]
    middle = source[len(source) - 1]
    a += list(first)
    b += list(second)
    assert len(a) == len(b) == len(source)
    assert all((x == y).all() for x, y in zip(a, b, strict=True))
    assert (middle == a[-1]).all()


def test_frames_are_the_callers_own(source: Source) -> None:
    kept = source[1].copy()
    source[1][:] = 0
    for frame in source:
        frame[:] = 0
    assert (source[1] == kept).all()


@pytest.mark.parametrize("index", [-1, 10**6])
def test_an_index_outside_raises(source: Source, index: int) -> None:
    with pytest.raises(IndexError):
        source[index]
    with pytest.raises(IndexError):
        source[len(source)]


def test_closing_twice_is_allowed(source: Source) -> None:
    source.close()
    source.close()


def test_warnings_are_sentences(source: Source) -> None:
    list(source)
    assert all(isinstance(w, str) and w.endswith(".") for w in source.warnings)
