"""Damaged films: counted, bounded, reported, and the same from wherever they are read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from lib_anim.errors import FlipbookError
from lib_anim.media.probe import probe
from lib_anim.media.read import open_source
from lib_anim.media.write import open_sink

COUNT = 48


@pytest.fixture
def film(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A film of blocks whose packets are large enough to hit, with a key every twelve frames."""
    name, suffix = request.param
    path = tmp_path / f"whole{suffix}"
    options = {"g": "12"} if name != "prores" else {}
    with open_sink(path, width=96, height=64, rate=24, format=name, options=options) as sink:
        for number in range(COUNT):
            blocks = np.random.default_rng(number // 3).integers(0, 255, (8, 12, 3))
            sink.write(np.kron(blocks, np.ones((8, 8, 1))).astype(np.uint8))
    return path


def hit(path: Path, packets: list[int], seed: int = 0) -> Path:
    """A copy in which the middle half of those packets is noise."""
    with av.open(str(path)) as container:
        places = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    data = bytearray(path.read_bytes())
    noise = np.random.default_rng(seed)
    for number in packets:
        position, size = places[number]
        begin, length = position + max(8, size // 4), max(4, size // 2)
        data[begin : begin + length] = noise.integers(0, 256, length, dtype=np.uint8).tobytes()
    damaged = path.with_name("damaged" + path.suffix)
    damaged.write_bytes(bytes(data))
    return damaged


KINDS = [("h264", ".mp4"), ("prores", ".mov")]


@pytest.mark.parametrize("film", KINDS, indirect=True, ids=lambda kind: kind[0])
def test_damaged_pictures_are_held_counted_and_reported(film: Path) -> None:
    damaged = hit(film, [20, 27])
    with open_source(film) as whole, open_source(damaged) as source:
        seen = list(source)
        assert len(seen) == source.info.frames == COUNT
        assert "2 of 48 pictures are damaged" in source.warnings[0]
        assert sum((a == b).all() for a, b in zip(seen, whole, strict=True)) >= COUNT - 24
        assert whole.warnings == ()


@pytest.mark.parametrize(
    "film", [*KINDS, ("h265", ".mp4"), ("vp9", ".webm")], indirect=True, ids=lambda kind: kind[0]
)
@pytest.mark.parametrize("packets", [[0], [13], [7, 24, 40]], ids=str)
def test_a_damaged_film_looks_the_same_from_wherever_it_is_read(film: Path, packets: list[int]) -> None:
    damaged = hit(film, packets)
    with open_source(damaged) as source:
        seen = list(source)
    with open_source(damaged) as source:
        for number in np.random.default_rng(1).permutation(COUNT):
            assert (source[int(number)] == seen[number]).all()


@pytest.mark.parametrize("film", [("prores", ".mov")], indirect=True, ids=lambda kind: kind[0])
def test_too_much_damage_is_refused(film: Path) -> None:
    damaged = hit(film, list(range(0, COUNT, 3)))
    with pytest.raises(FlipbookError) as error, open_source(damaged) as source:
        list(source)
    assert "25% of 48 pictures are damaged" in str(error.value)


@pytest.mark.parametrize(
    "film", [("vp9", ".webm"), ("av1", ".webm")], indirect=True, ids=lambda kind: kind[0]
)
def test_a_cut_off_film_is_read_as_far_as_it_goes(film: Path) -> None:
    cut = film.with_name("cut" + film.suffix)
    cut.write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    with open_source(cut) as source:
        assert 5 < source.info.frames < COUNT
        assert len(list(source)) == source.info.frames


@pytest.mark.parametrize("film", [("h264", ".mp4")], indirect=True, ids=lambda kind: kind[0])
@pytest.mark.parametrize("keep", [0, 7, 100, 900])
def test_a_film_without_its_index_is_a_sentence(film: Path, keep: int) -> None:
    cut = film.with_name("cut.mp4")
    cut.write_bytes(film.read_bytes()[:keep])
    for look in (open_source, probe):
        with pytest.raises(FlipbookError) as error:
            look(cut)
        assert "cut.mp4" in str(error.value)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("film", [("h264", ".mp4")], indirect=True, ids=lambda kind: kind[0])
def test_noise_anywhere_never_breaks_the_promise(film: Path) -> None:
    good = film.read_bytes()
    said: list[str] = []
    for seed in range(25):
        noise = np.random.default_rng(seed)
        data = bytearray(good)
        for _ in range(int(noise.integers(1, 30))):
            data[int(noise.integers(0, len(data)))] = int(noise.integers(0, 256))
        broken = film.with_name("broken.mp4")
        broken.write_bytes(bytes(data))
        try:
            with open_source(broken) as source:
                assert sum(1 for _ in source) == source.info.frames
        except FlipbookError as error:
            said.append(str(error))
    assert all("\n" not in sentence for sentence in said)


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
def test_a_cut_off_animation_is_read_as_far_as_it_goes_or_is_a_sentence(
    tmp_path: Path, clip: Callable, suffix: str
) -> None:
    path = tmp_path / f"whole{suffix}"
    kind = {".png": "apng"}.get(suffix)
    with open_sink(path, width=96, height=64, rate=12, format=kind) as sink:
        for frame in clip(20):
            sink.write(frame)
    data = path.read_bytes()
    said: list[str] = []
    for part in (0.2, 0.5, 0.9):
        cut = tmp_path / f"cut{suffix}"
        cut.write_bytes(data[: int(len(data) * part)])
        try:
            with open_source(cut) as source:
                assert sum(1 for _ in source) == source.info.frames
                assert source.info.frames == 20 or "damaged" in source.warnings[0]
        except FlipbookError as error:
            said.append(str(error))
    assert all(f"cut{suffix}" in sentence for sentence in said)
