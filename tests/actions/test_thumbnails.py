"""Small pictures of what settings name."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lib_anim.actions.thumbnails import thumbnail
from lib_anim.errors import NotFound
from lib_anim.media.pictures import write_picture


def test_a_picture_shows_itself_and_its_size(tmp_path: Path) -> None:
    picture = np.zeros((100, 400, 3), np.uint8)
    picture[:, :200] = (250, 10, 10)
    write_picture(tmp_path / "a.png", picture)
    found = thumbnail(tmp_path / "a.png")
    small = Image.open(io.BytesIO(found.jpeg))
    assert small.size == (256, 64)
    assert np.abs(np.asarray(small)[32, 40].astype(int) - (250, 10, 10)).max() < 12
    assert found.facts == "400 × 100"


def test_a_folder_says_how_many_frames_it_has(tmp_path: Path) -> None:
    for index in range(12):
        write_picture(tmp_path / f"{index:03}.png", np.full((32, 64, 3), index, np.uint8))
    assert thumbnail(tmp_path).facts.startswith("64 × 32, 12 frames, ")


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r'there is no "gone.png"'):
        thumbnail(tmp_path / "gone.png")
