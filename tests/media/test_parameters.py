"""What pictures say about how they were made, and what folders say about their files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lib_anim.media.pictures import read_parameters, write_picture
from lib_anim.media.read import open_source
from lib_anim.media.write import open_sink

TEXT = "a castle, naïve\nSteps: 4, Seed: 9"
FRAME = np.full((64, 64, 3), 90, np.uint8)


@pytest.mark.parametrize("ending", ["jpg", "webp"])
def test_jpeg_and_webp_keep_it_as_a_user_comment(tmp_path: Path, ending: str) -> None:
    exif = Image.Exif()
    exif[0x8769] = {0x9286: b"UNICODE\0" + TEXT.encode("utf-16-be")}
    Image.fromarray(FRAME).save(tmp_path / f"a.{ending}", exif=exif)
    assert read_parameters(tmp_path / f"a.{ending}") == TEXT


def test_png_keeps_it_as_text(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", FRAME, {"parameters": TEXT})
    write_picture(tmp_path / "b.png", FRAME)
    assert read_parameters(tmp_path / "a.png") == TEXT
    assert read_parameters(tmp_path / "b.png") == ""


def test_a_folder_tells_its_names_and_has_no_time(tmp_path: Path) -> None:
    for name in ("f10.png", "f2.png", "f1.png"):
        write_picture(tmp_path / name, FRAME)
    with open_source(tmp_path) as source:
        assert (source.info.names, source.info.timed) == (("f1.png", "f2.png", "f10.png"), False)
    with open_source(tmp_path, start=1) as source:
        assert source.info.names == ("f2.png", "f10.png")


def test_a_film_has_time_and_no_names(tmp_path: Path) -> None:
    with open_sink(tmp_path / "v.mp4", width=64, height=64, rate=12) as sink:
        sink.write(FRAME)
        sink.write(FRAME)
    with open_source(tmp_path / "v.mp4") as source:
        assert (source.info.names, source.info.timed) == ((), True)
