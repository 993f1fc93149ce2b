"""A restyled film painted by a real WebUI: resumed, with stills of others between its frames, memory flat."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lib_anim.jobs.run.runner import render
from lib_anim.jobs.run.start import reopen, start
from lib_anim.kinds.events import FrameDone
from lib_anim.kinds.registry import RESTYLE
from lib_anim.kinds.restyle.settings import Restyle
from lib_anim.media.pictures import read_picture, write_picture

pytestmark = [pytest.mark.webui, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    path = Path(__file__).with_name("remote_engine.py")
    spec = spec_from_file_location("remote_engine", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    made = module.start_engine(tmp_path_factory.mktemp("engine"))
    yield made
    made.close()


def pictures(folder: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        blocks = np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        write_picture(folder / f"{number:03}.png", np.kron(blocks, np.ones((8, 8, 1), np.uint8)))
    return folder


def begin(engine: Any, video: Path, parent: Path, **changes: Any) -> tuple[Any, Any]:
    settings = Restyle(
        **{
            "video": str(video),
            "seed": 7,
            "seed_behavior": "iter",
            "steps": 2,
            "prompts": "a house",
            **changes,
        }
    )
    return start(RESTYLE, settings, engine, "webui", parent, 0)


def pixels(run: Any) -> list[bytes]:
    return [read_picture(path).tobytes() for path in sorted(run.frames.glob("*.png"))]


def test_stills_between_its_frames_and_resuming_change_no_pixel(engine: Any, tmp_path: Path) -> None:
    video = pictures(tmp_path / "in", 4)
    changes = {"denoising": "0:(0.3), 3:(0.9)", "mask": str(video / "000.png"), "mask_blur": 0}
    whole, plan = begin(engine, video, tmp_path / "whole", **changes)
    assert render(RESTYLE, plan, engine, whole).finished
    run, plan = begin(engine, video, tmp_path / "part", **changes)
    stills: list[np.ndarray] = []

    def paint_between(event: Any) -> None:
        if isinstance(event, FrameDone):
            stills.append(engine.webui.still(scheduler="Automatic"))

    assert not render(RESTYLE, plan, engine, run, paint_between, stop=lambda: len(stills) == 2).finished
    assert render(RESTYLE, reopen(RESTYLE, run, engine), engine, run).finished
    assert pixels(run) == pixels(whole)
    assert len(set(pixels(run))) == 4
    assert np.array_equal(stills[0], stills[1])
    assert np.array_equal(stills[0], engine.webui.still(scheduler="Automatic"))


def test_a_mask_keeps_what_is_black(engine: Any, tmp_path: Path) -> None:
    video = pictures(tmp_path / "in", 2)
    mask = np.zeros((64, 64, 3), np.uint8)
    mask[:, 32:] = 255
    write_picture(tmp_path / "mask.png", mask)
    run, plan = begin(engine, video, tmp_path / "runs", mask=str(tmp_path / "mask.png"), denoising=0.9)
    assert render(RESTYLE, plan, engine, run).finished
    for number in range(2):
        before = read_picture(video / f"{number:03}.png").astype(int)
        after = read_picture(run.frame_path(number)).astype(int)
        assert np.abs(after - before)[:, :16].max() <= 1
        assert np.abs(after - before)[:, 48:].mean() > 5
