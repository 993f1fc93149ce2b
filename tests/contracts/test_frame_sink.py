"""What every sink of frames promises, checked on each format."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lib_anim.errors import Conflict, FlipbookError
from lib_anim.media.contract import FrameSink
from lib_anim.media.formats import FORMATS, SEQUENCES
from lib_anim.media.read import open_source
from lib_anim.media.write import open_sink


@pytest.fixture(params=[*FORMATS, *SEQUENCES], ids=str)
def target(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    suffix = FORMATS[request.param].suffix if request.param in FORMATS else ""
    return request.param, tmp_path / f"film{suffix}"


def opened(target: tuple[str, Path]) -> FrameSink:
    return open_sink(target[1], width=64, height=48, rate=12, format=target[0])


def frame(number: int) -> np.ndarray:
    return np.full((48, 64, 3), 20 + number * 10, np.uint8)


def contents(path: Path) -> dict[str, bytes]:
    files = [path] if path.is_file() else sorted(path.iterdir())
    return {file.name: file.read_bytes() for file in files}


def fail_after_a_frame(sink: FrameSink) -> None:
    sink.write(frame(0))
    raise KeyError("something else went wrong")


def test_the_name_appears_when_the_film_is_whole(target: tuple[str, Path]) -> None:
    path = target[1]
    sink = opened(target)
    for number in range(5):
        sink.write(frame(number))
        assert not path.exists()
        assert path.with_name(path.name + ".part").exists()
    assert sink.close() == path
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    with open_source(path, rate=12) as source:
        assert [round((float(np.median(f)) - 20) / 10) for f in source] == [0, 1, 2, 3, 4]


def test_closing_twice_gives_the_same_path(target: tuple[str, Path]) -> None:
    sink = opened(target)
    sink.write(frame(0))
    assert sink.close() == sink.close()
    with pytest.raises(FlipbookError):
        sink.write(frame(1))


def test_an_error_leaves_what_was_there(target: tuple[str, Path]) -> None:
    path = target[1]
    with opened(target) as sink:
        sink.write(frame(9))
    before = contents(path)
    # A folder that holds pictures is never replaced: that sink refuses to open.
    with pytest.raises((KeyError, Conflict)), opened(target) as sink:
        fail_after_a_frame(sink)
    assert contents(path) == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("shape", [(48, 64, 4), (48, 65, 3), (64, 48, 3), (48, 64)])
def test_a_frame_that_does_not_fit_is_refused(target: tuple[str, Path], shape: tuple[int, ...]) -> None:
    sink = opened(target)
    with pytest.raises(FlipbookError):
        sink.write(np.zeros(shape, np.uint8))
    sink.abort()
    sink.abort()
    assert list(target[1].parent.iterdir()) == []


def test_a_film_without_frames_is_refused(target: tuple[str, Path]) -> None:
    with pytest.raises(FlipbookError):
        opened(target).close()
    assert list(target[1].parent.iterdir()) == []
