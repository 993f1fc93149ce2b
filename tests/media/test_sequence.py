"""Folders of numbered pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lib_anim.errors import Conflict, FlipbookError
from lib_anim.media.pictures import read_text
from lib_anim.media.read import open_source
from lib_anim.media.sequence import PictureSink
from lib_anim.media.write import open_sink


def test_png_frames_carry_their_own_values(tmp_path: Path, clip: Callable) -> None:
    with open_sink(tmp_path / "frames %d", width=96, height=64, rate=24, format="png", comment="{}") as sink:
        assert isinstance(sink, PictureSink)
        for number, frame in enumerate(clip(3)):
            sink.write(frame, {"parameters": f"Seed: {number}"})
    folder = tmp_path / "frames %d"
    assert sorted(p.name for p in folder.iterdir()) == [
        "000000.png",
        "000001.png",
        "000002.png",
        "settings.json",
    ]
    assert read_text(folder / "000002.png")["parameters"] == "Seed: 2"
    with open_source(folder) as source:
        assert [(a == b).all() for a, b in zip(source, clip(3), strict=True)] == [True] * 3


def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    with pytest.raises(Conflict) as error:
        open_sink(tmp_path / "mine", width=8, height=8, rate=24, format="png")
    assert "mine" in str(error.value)
    assert (tmp_path / "mine" / "notes.txt").read_text() == "keep"


def test_sound_is_said_to_be_left_out(tmp_path: Path, clip: Callable, sound: Path) -> None:
    with open_sink(tmp_path / "a", width=96, height=64, rate=24, format="jpeg", audio=sound) as sink:
        sink.write(clip(1)[0])
    assert "clicks.wav" in sink.warnings[0]


def test_jpeg_refuses_transparency(tmp_path: Path) -> None:
    with pytest.raises(FlipbookError):
        open_sink(tmp_path / "a", width=8, height=8, rate=24, format="jpeg", alpha=True)
