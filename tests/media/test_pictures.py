"""Pictures and folders of pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lib_anim.errors import FlipbookError, NotFound
from lib_anim.media.pictures import PictureFolder, natural_key, read_picture, read_text, write_picture
from lib_anim.media.read import open_source


@pytest.mark.parametrize("channels", [3, 4])
def test_a_png_comes_back_bit_for_bit_with_its_text(tmp_path: Path, channels: int) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (33, 47, channels), dtype=np.uint8)
    path = write_picture(
        tmp_path / "frame 日本 %d.png", frame, {"parameters": "春 to winter, seed 7\nSteps: 2"}
    )
    assert (read_picture(path) == frame).all()
    assert read_text(path)["parameters"] == "春 to winter, seed 7\nSteps: 2"
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_failed_write_leaves_the_old_picture(tmp_path: Path) -> None:
    old = np.zeros((8, 8, 3), np.uint8)
    path = write_picture(tmp_path / "a.png", old)
    with pytest.raises(FlipbookError):
        write_picture(path, np.zeros((8, 8, 3), np.float32))  # type: ignore[arg-type]
    assert (read_picture(path) == old).all()
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path: Path, orientation: int) -> None:
    upright = np.zeros((40, 60, 3), np.uint8)
    upright[:20, :30] = (255, 0, 0)
    upright[:20, 30:] = (0, 255, 0)
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.transpose(1, 0, 2), 6: np.rot90(upright), 7: np.rot90(upright, 2).transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "a.png", exif=exif)
    assert (read_picture(tmp_path / "a.png") == upright).all()
    folder = PictureFolder(tmp_path)
    assert (folder.width, folder.height) == (60, 40)


def test_sixteen_bit_grey_keeps_its_brightness(tmp_path: Path) -> None:
    grey = (np.arange(256, dtype=np.uint16) * 257).reshape(16, 16)
    Image.fromarray(grey).save(tmp_path / "a.png")
    assert (read_picture(tmp_path / "a.png")[:, :, 0].ravel() == np.arange(256)).all()


def test_natural_order_counts() -> None:
    names = ["frame10.png", "Frame2.png", "frame1.png", "b.png", "frame02b.png"]
    assert sorted(names, key=natural_key) == [
        "b.png",
        "frame1.png",
        "Frame2.png",
        "frame02b.png",
        "frame10.png",
    ]


def test_a_still_picture_is_one_frame_at_any_rate(tmp_path: Path, clip: Callable) -> None:
    path = write_picture(tmp_path / "a.png", clip(1)[0])
    for rate in (None, 8, 60):
        with open_source(path, rate=rate) as source:
            assert (source.info.frames, source.info.rate) == (1, rate or 24)
            assert [(frame == clip(1)[0]).all() for frame in source] == [True]


def test_a_folder_with_two_sizes_names_the_odd_one(tmp_path: Path, clip: Callable) -> None:
    write_picture(tmp_path / "1.png", clip(1, 96, 64)[0])
    write_picture(tmp_path / "2.png", clip(1, 64, 64)[0])
    with pytest.raises(FlipbookError) as error:
        PictureFolder(tmp_path)
    assert "2.png is 64 x 64" in str(error.value)


def test_what_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n but no more")
    with pytest.raises(FlipbookError) as error:
        read_picture(tmp_path / "a.png")
    assert "a.png" in str(error.value)
    with pytest.raises(NotFound):
        read_picture(tmp_path / "none.png")
    with pytest.raises(FlipbookError):
        read_picture("https://example.org/a.png")
    with pytest.raises(FlipbookError):
        PictureFolder(tmp_path / "a folder")


def test_a_damaged_picture_is_a_sentence(tmp_path: Path, clip: Callable) -> None:
    path = write_picture(tmp_path / "a.png", np.random.default_rng(1).integers(0, 255, (64, 64, 3), np.uint8))
    path.write_bytes(path.read_bytes()[:4000])
    with pytest.raises(FlipbookError) as error:
        read_picture(path)
    assert "a.png" in str(error.value)


def test_a_huge_picture_is_refused_from_its_header(tmp_path: Path) -> None:
    Image.new("1", (20000, 20000)).save(tmp_path / "bomb.png")
    with pytest.raises(FlipbookError) as error:
        read_picture(tmp_path / "bomb.png")
    assert "bomb.png is too large" in str(error.value)
    assert "400000000 pixels" in str(error.value)
