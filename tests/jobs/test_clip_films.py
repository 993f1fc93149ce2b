"""Every format that a clip is saved in: all frames, its parameters inside, and how often it is shown."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lib_anim.engines.checker import CheckerEngine
from lib_anim.errors import FlipbookError
from lib_anim.jobs.run.clip_films import FILMS, next_stem, write_clip
from lib_anim.jobs.run.rerender import rerender
from lib_anim.jobs.run.runner import render
from lib_anim.jobs.run.start import start
from lib_anim.kinds.clip.animatediff import ClipCall, from_infotext, to_infotext
from lib_anim.kinds.clip.motion_settings import Motion
from lib_anim.kinds.clip.settings import Clip
from lib_anim.kinds.registry import CLIP
from lib_anim.media.comment import read_comment
from lib_anim.media.pictures import read_text
from lib_anim.media.probe import probe
from lib_anim.media.read import open_source
from lib_anim.settings.infotext import from_infotext as settings_from_infotext
from lib_anim.settings.infotext import to_infotext as settings_to_infotext

TEXT = (
    'a "red" ball, sky\n0: day\n8: night — 夜\nNegative prompt: <blue> & grey\nSteps: 4, '
    'AnimateDiff: "x: \\"y, z\\""'
)


def frame(index: int) -> np.ndarray:
    picture = np.full((48, 64, 3), 40, np.uint8)
    picture[8:24, 4 + 6 * index : 20 + 6 * index] = (220, 120, 40)
    return picture


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory):
    motion = Motion(formats=[*FILMS, "PNG", "TXT", "Frame"], fps=8, loop_number=3)
    return write_clip(frame, 6, motion, tmp_path_factory.mktemp("out") / "2026-01-01", "00000-7", TEXT)


def test_every_format_holds_every_frame(files) -> None:
    assert [path.suffix for path in files.films] == [".gif", ".mp4", ".webp", ".webm", ".apng"]
    for path in files.films:
        with open_source(path) as source:
            assert (source.info.frames, source.info.rate) == (6, 8), path.name
            for index, found in enumerate(source):
                assert np.abs(found.astype(int) - frame(index)).mean() < 4, path.name
    assert [path.name for path in files.pictures] == [f"{i:05}.png" for i in range(6)]
    assert np.array_equal(np.asarray(Image.open(files.pictures[5])), frame(5))


def test_every_container_holds_the_parameters(files) -> None:
    for path in files.films:
        assert read_comment(path) == TEXT, path.name
    assert all(read_text(path)["parameters"] == TEXT for path in files.pictures)
    assert files.text.read_text("utf-8") == TEXT + "\n"


def test_the_webui_finds_them_in_pictures(files) -> None:
    """Where PNG Info looks: GIF's comment, EXIF's user comment, PNG's parameters."""
    gif, _, webp, _, apng = files.films
    assert Image.open(gif).info["comment"].decode("utf-8") == TEXT
    assert Image.open(apng).text["parameters"] == TEXT
    comment = Image.open(webp).getexif().get_ifd(0x8769)[0x9286]
    assert comment[:8] == b"UNICODE\0"
    assert comment[8:].decode("utf-16-be") == TEXT


@pytest.mark.parametrize(("times", "gif"), [(0, 0), (1, None), (3, 2)])
def test_animations_are_shown_as_often_as_asked(tmp_path: Path, times: int, gif: int | None) -> None:
    motion = Motion(formats=["GIF", "WEBP", "APNG"], loop_number=times)
    files = write_clip(frame, 3, motion, tmp_path, "x", "")
    # A GIF counts how often it is shown again.
    assert Image.open(files.films[0]).info.get("loop") == gif
    assert Image.open(files.films[1]).info["loop"] == times
    assert Image.open(files.films[2]).info["loop"] == times


def test_reverse_and_in_betweens_reach_films_and_pictures(tmp_path: Path) -> None:
    motion = Motion(formats=["MP4", "PNG"], reverse="boomerang", interp="Flow", interp_x=2)
    files = write_clip(frame, 4, motion, tmp_path, "x", "")
    # Forth and back are six frames, the five gaps between them hold one each.
    assert probe(files.films[0]).frames == len(files.pictures) == 11


def test_stems_number_on(tmp_path: Path) -> None:
    folder = tmp_path / "day"
    assert next_stem(folder, 5) == "00000-5"
    folder.mkdir()
    (folder / "00000-5.gif").touch()
    (folder / "00007-1").mkdir()
    assert next_stem(folder, 6, "a b/../c") == "00008-6-a_b_.._c"


def test_a_clips_run_folder(tmp_path: Path) -> None:
    engine = CheckerEngine()
    settings = Clip(
        width=64, height=64, frames=5, seed=1, prompts="a", fps=Fraction(10), formats=["GIF", "WEBM", "TXT"]
    )
    run, plan = start(CLIP, settings, engine, "checker", tmp_path, 0)
    result = render(CLIP, plan, engine, run)
    names = {path.name for path in run.path.iterdir()}
    assert {"film.mp4", "film.gif", "film.webm", "film.txt", "sheet.png", "frames", "run.json"} <= names
    assert result.film == run.path / "film.mp4"
    for name in ("film.mp4", "film.gif", "film.webm"):
        assert json.loads(read_comment(run.path / name))["module"] == "checker"
        assert probe(run.path / name).frames == 5


def test_a_part_of_a_clip_cannot_be_made_anew(tmp_path: Path) -> None:
    engine = CheckerEngine()
    run, plan = start(
        CLIP, Clip(width=64, height=64, frames=5, seed=1, formats="MP4"), engine, "checker", tmp_path, 0
    )
    render(CLIP, plan, engine, run)
    before = run.manifest()
    with pytest.raises(FlipbookError, match="denoised as one"):
        rerender(CLIP, plan.settings, 1, 2, engine, run, 0)
    assert run.manifest() == before


def test_settings_come_back_from_a_films_text(tmp_path: Path) -> None:
    """The accordion's entry and a clip's whole settings, each through every container."""
    motion = Motion(module="a, b: c.safetensors", formats=list(FILMS), motion_scale="0:(1), 8:(1.2)", fps=12)
    call = ClipCall(motion=motion, enable=True, request_id="r, 1")
    clip = Clip(module="v3: x", prompts="a\n0: b, c\n4: d", init_image="C:\\i, j.png", formats=list(FILMS))
    for text, read, wanted in (
        (to_infotext(call), from_infotext, call),
        (settings_to_infotext(clip), lambda found: settings_from_infotext(Clip, found)[0], clip),
    ):
        for path in write_clip(frame, 2, motion, tmp_path, "x", text).films:
            assert read(read_comment(path)) == wanted, path.name
            path.unlink()
