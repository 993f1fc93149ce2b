"""Films as cameras, phones and other programs make them, and films that are damaged."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from lib_anim.errors import FlipbookError
from lib_anim.media.hdr import HLG, PQ
from lib_anim.media.read import open_source
from lib_anim.media.write import open_sink


def make(
    path: Path,
    frames: Sequence[np.ndarray],
    *,
    codec: str = "libx264",
    ticks: Sequence[int] | None = None,
    base: Fraction = Fraction(1, 24),
    pixels: str = "yuv420p",
    matrix: int = 1,
    transfer: int = 1,
    shift: int = 0,
    options: dict[str, str] | None = None,
) -> Path:
    """Write a film with chosen timestamps and tags, as other programs may."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=24, options=options or {})
        height, width = frames[0].shape[:2]
        stream.width, stream.height, stream.pix_fmt = width, height, pixels
        context = stream.codec_context
        context.time_base, context.colorspace, context.color_trc = base, matrix, transfer
        for number, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            # 5 is the scaler's number for BT.601.
            picture = picture.reformat(format=pixels, dst_colorspace=1 if matrix == 1 else 5)
            picture.pts, picture.time_base = (ticks[number] if ticks else number), base
            for packet in stream.encode(picture):
                packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                out.mux(packet)
        for packet in stream.encode(None):
            packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
            out.mux(packet)
    return path


def numbers(path: Path, read: Callable, **how: object) -> list[int]:
    with open_source(path, **how) as source:
        return [read(frame) for frame in source]


ROTATIONS = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}
"""Clockwise degrees as phones write them: a, b, c, d of the track header's matrix."""


@pytest.mark.parametrize("degrees", ROTATIONS)
def test_rotation_is_applied(tmp_path: Path, degrees: int) -> None:
    stored = np.full((48, 96, 3), 30, np.uint8)
    stored[:16, :32] = 220
    path = make(tmp_path / "phone.mp4", [stored] * 3)
    data = bytearray(path.read_bytes())
    a, b, c, d = (value * 65536 for value in ROTATIONS[degrees])
    at = data.index(b"tkhd") + 4 + 4 + 36
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 0x40000000)
    path.write_bytes(bytes(data))
    shown = np.rot90(stored, -degrees // 90)
    with open_source(path) as source:
        assert (source.info.height, source.info.width) == shown.shape[:2]
        for frame in (source[0], source[2], *source):
            assert np.abs(frame.astype(int) - shown).mean() < 4


def test_three_timestamps_are_read_by_time(tmp_path: Path, clip: Callable, number_of: Callable) -> None:
    path = make(tmp_path / "v.mp4", clip(3), ticks=[0, 33, 1000], base=Fraction(1, 1000))
    with open_source(path) as source:
        shown = [number_of(frame) for frame in source]
        assert set(shown) == {0, 1, 2}
        assert abs(shown.index(2) / source.info.rate - 1) <= 1 / source.info.rate
        assert "variable frame rate" in source.warnings[0]
    with open_source(path, rate=10) as source:
        assert [number_of(frame) for frame in source][:10] == [0] + [1] * 9
        assert number_of(source[10]) == 2


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_wandering_rate_keeps_every_picture_near_its_time(
    tmp_path: Path, clip: Callable, number_of: Callable, suffix: str
) -> None:
    ticks = np.cumsum(np.random.default_rng(5).integers(20, 70, 60)).tolist()
    path = make(tmp_path / f"v.{suffix}", clip(60), ticks=ticks, base=Fraction(1, 1000))
    with open_source(path) as source:
        shown = [number_of(frame) for frame in source]
        rate = source.info.rate
        assert sorted(set(shown)) == list(range(60))
        for number, tick in enumerate(ticks):
            assert (
                abs(shown.index(number) / rate - Fraction(tick - ticks[0], 1000)) <= Fraction(51, 100) / rate
            )


@pytest.mark.parametrize("source_rate", [Fraction(24000, 1001), Fraction(30000, 1001), 25, 50, 60], ids=str)
@pytest.mark.parametrize("rate", [8, 12, 15, 24, 30])
def test_resampling_there_and_back_keeps_the_length(
    tmp_path: Path, clip: Callable, number_of: Callable, source_rate: Fraction, rate: int
) -> None:
    with open_sink(
        tmp_path / "a.mp4", width=96, height=64, rate=source_rate, options={"preset": "ultrafast"}
    ) as sink:
        for frame in clip(91):
            sink.write(frame)
    with open_source(tmp_path / "a.mp4", rate=rate) as there:
        assert abs(there.info.duration - 91 / Fraction(source_rate)) <= Fraction(1, rate)
        with open_sink(
            tmp_path / "b.mp4", width=96, height=64, rate=rate, options={"preset": "ultrafast"}
        ) as sink:
            for frame in there:
                sink.write(frame)
    with open_source(tmp_path / "b.mp4", rate=source_rate) as back:
        length = back.info.duration
        assert abs(length - 91 / Fraction(source_rate)) <= 1 / Fraction(source_rate) + Fraction(1, rate)
        for index in (0, len(back) // 2, len(back) - 1):
            late = index / back.info.rate - number_of(back[index]) / Fraction(source_rate)
            assert abs(late) <= Fraction(1, rate)


def test_range_and_every_nth(tmp_path: Path, clip: Callable, number_of: Callable) -> None:
    path = make(tmp_path / "a.mp4", clip(40))
    assert numbers(path, number_of, start=5, stop=12) == list(range(5, 12))
    assert numbers(path, number_of, every=7) == list(range(0, 40, 7))
    with open_source(path, start=10, stop=34, every=3) as source:
        assert [number_of(f) for f in source] == list(range(10, 34, 3))
        assert source.info.rate == 8
    assert numbers(path, number_of, start=12, stop=36, rate=8) == list(range(12, 36, 3))


@pytest.mark.parametrize(
    "how", [{"start": 40}, {"start": -1}, {"stop": 41}, {"start": 5, "stop": 5}, {"every": 0}]
)
def test_a_range_outside_the_film_is_refused(tmp_path: Path, clip: Callable, how: dict[str, int]) -> None:
    path = make(tmp_path / "a.mp4", clip(40))
    with pytest.raises(FlipbookError) as error:
        open_source(path, **how)
    assert str(error.value).startswith(("range: ", "every: "))


@pytest.mark.parametrize("options", [{"bf": "0"}, {"bf": "2"}])
def test_an_edit_list_hides_what_it_cuts(
    tmp_path: Path, clip: Callable, number_of: Callable, options: dict[str, str]
) -> None:
    path = make(tmp_path / "a.mp4", clip(20), shift=-5, options=options)
    with open_source(path) as source:
        assert [number_of(frame) for frame in source] == list(range(5, 20))
        assert number_of(source[3]) == 8


def test_an_edit_list_that_delays_the_film_begins_with_its_first_picture(
    tmp_path: Path, clip: Callable, number_of: Callable
) -> None:
    path = make(tmp_path / "a.mp4", clip(10), shift=24)
    with open_source(path) as source:
        assert source.info.rate == 24
        assert [number_of(frame) for frame in source] == list(range(10))


def test_ten_bit_keeps_its_colours(tmp_path: Path, chart: np.ndarray, patch_error: Callable) -> None:
    options = {"x265-params": "log-level=error:lossless=1"}
    path = make(tmp_path / "a.mp4", [chart] * 5, codec="libx265", pixels="yuv420p10le", options=options)
    with open_source(path) as source:
        assert max(patch_error(frame, chart) for frame in source) <= 2
        assert source.warnings == ()


@pytest.mark.parametrize(
    ("pixels", "codec", "suffix"), [("yuvj420p", "mjpeg", "avi"), ("yuvj444p", "mjpeg", "mov")]
)
def test_full_range_is_read_as_such(
    tmp_path: Path, chart: np.ndarray, patch_error: Callable, pixels: str, codec: str, suffix: str
) -> None:
    path = make(
        tmp_path / f"a.{suffix}", [chart] * 2, codec=codec, pixels=pixels, matrix=5, options={"q": "1"}
    )
    with open_source(path) as source:
        # Read as limited range, black would be off by 16 or more; the rest is JPEG.
        assert max(patch_error(frame, chart) for frame in source) <= 6


@pytest.mark.parametrize(
    ("codec", "pixels", "suffix"),
    [
        ("ffv1", "bgr0", "mkv"),
        ("libx264rgb", "rgb24", "mkv"),
        ("qtrle", "argb", "mov"),
        ("png", "rgba", "mov"),
    ],
)
def test_rgb_films_are_read_exactly(
    tmp_path: Path, chart: np.ndarray, codec: str, pixels: str, suffix: str
) -> None:
    path = tmp_path / f"a.{suffix}"
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=24, options={"qp": "0"} if "264" in codec else {})
        stream.width, stream.height, stream.pix_fmt = 192, 256, pixels
        frame = np.dstack([chart, np.full(chart.shape[:2], 128, np.uint8)])
        for _ in range(2):
            picture = av.VideoFrame.from_ndarray(frame, format="rgba").reformat(format=pixels)
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    with open_source(path) as source:
        assert source.info.alpha == ("a" in pixels)
        for got in source:
            assert (got[:, :, :3] == chart).all()
            assert (got[:, :, 3:] == 128).all()


def test_pixels_that_are_not_square_are_said(tmp_path: Path, clip: Callable) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(16, 11)
        out.mux(
            stream.encode(av.VideoFrame.from_ndarray(clip(1)[0], format="rgb24").reformat(format="yuv420p"))
        )
        out.mux(stream.encode(None))
    with open_source(path) as source:
        assert source[0].shape == (64, 96, 3)
        assert "16/11" in source.warnings[0]


def test_an_untagged_small_film_is_taken_as_bt601(
    tmp_path: Path, chart: np.ndarray, patch_error: Callable
) -> None:
    path = make(tmp_path / "a.mp4", [chart] * 2, matrix=2, transfer=2, options={"crf": "1"})
    with open_source(path) as source:
        assert max(patch_error(frame, chart) for frame in source) <= 2


def hdr_film(path: Path, planes: np.ndarray, transfer: int) -> Path:
    """Two frames of 160 x 32 pixels from 10-bit planar samples, lossless, tagged BT.2020."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx265", rate=24, options={"x265-params": "log-level=error:lossless=1"})
        stream.width, stream.height, stream.pix_fmt = 160, 32, "yuv420p10le"
        context = stream.codec_context
        context.colorspace, context.color_primaries, context.color_trc, context.color_range = (
            9,
            9,
            transfer,
            1,
        )
        picture = av.VideoFrame(160, 32, "yuv420p10le")
        sizes = np.cumsum([160 * 32, 80 * 16, 80 * 16])
        for plane, samples in zip(picture.planes, np.split(planes, sizes[:-1]), strict=True):
            wide = 160 if plane.width == 160 else 80
            padded = np.zeros((plane.height, plane.line_size // 2), np.uint16)
            padded[:, :wide] = samples.reshape(plane.height, wide)
            plane.update(padded.tobytes())
        for number in range(3):
            picture.pts = number
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    return path


def pq_code(nits: float) -> float:
    y = (nits / 10000) ** (2610 / 16384)
    return ((3424 / 4096 + 2413 / 128 * y) / (1 + 2392 / 128 * y)) ** (2523 / 32)


@pytest.mark.parametrize(("transfer", "white"), [(PQ, pq_code(203)), (HLG, 0.75)])
def test_hdr_is_tone_mapped_and_said(tmp_path: Path, transfer: int, white: float) -> None:
    codes = [white * step / 8 for step in range(9)] + [1.0]
    luma = np.repeat(np.array([64 + 876 * code for code in codes]), 16)[None, :].repeat(32, 0)
    planes = np.concatenate([luma.ravel(), np.full(2 * 16 * 80, 512.0)]).round().astype(np.uint16)
    path = hdr_film(tmp_path / "hdr.mp4", planes, transfer)
    with open_source(path) as source:
        row = source[0][16, 8::16].astype(int)
        assert "tone-mapped" in source.warnings[0]
    assert (np.abs(row - row[:, :1]) <= 1).all()
    grey = row[:, 0]
    assert grey[0] == 0
    assert (np.diff(grey) >= 0).all()
    assert abs(grey[8] - 237) <= 2
    assert 245 <= grey[9] <= 255
