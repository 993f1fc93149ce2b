"""ControlNet's scheduled weight and range in restyled films: in pixels, at the frames that they say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lib_anim.errors import FlipbookError
from lib_anim.jobs.run.runner import render
from lib_anim.jobs.run.start import start
from lib_anim.kinds.registry import RESTYLE
from lib_anim.kinds.restyle.settings import Restyle
from lib_anim.media.pictures import read_picture, write_picture

pytestmark = [pytest.mark.webui, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def engine(clip_host: Any, remote_engine: Any) -> Any:
    if clip_host.request("/controlnet/model_list")[0] != 200:
        pytest.skip("needs sd-webui-controlnet: WEBUI_CONTROLNET=its folder, WEBUI_CONTROLNET_MODELS")
    return remote_engine(clip_host.url)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("video")
    for number in range(4):
        blocks = np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        write_picture(folder / f"{number:03}.png", np.kron(blocks, np.ones((8, 8, 1), np.uint8)))
    return folder


def model_of(engine: Any) -> str:
    models = engine.capabilities.control_models
    return str(next((name for name in models if "tiny" in name), models[0]))


def film(engine: Any, video: Path, folder: Path, **unit: Any) -> list[np.ndarray]:
    """Frames of a film with one unit that follows the video."""
    units = [{"module": "none", "model": model_of(engine), **unit}]
    return painted(engine, video, folder, units=units)


def painted(engine: Any, video: Path, folder: Path, **changes: Any) -> list[np.ndarray]:
    """Frames of a small film."""
    settings = Restyle(
        **{
            "video": str(video),
            "seed": 7,
            "steps": 4,
            "prompts": "a house",
            "denoising": "0:(0.9)",
            **changes,
        }
    )
    run, plan = start(RESTYLE, settings, engine, "webui", folder, 0)
    assert render(RESTYLE, plan, engine, run).finished
    return [read_picture(run.frame_path(number)) for number in range(plan.frames)]


def test_a_model_that_is_not_there_is_a_sentence_before_any_frame(
    engine: Any, video: Path, tmp_path: Path
) -> None:
    settings = Restyle(video=str(video), units=[{"model": "control_gone"}])  # type: ignore[arg-type]
    with pytest.raises(FlipbookError) as raised:
        start(RESTYLE, settings, engine, "webui", tmp_path, 0)
    (problem,) = raised.value.problems
    assert problem.field == "units 0 model"
    assert problem.message.startswith('"control_gone" is not a ControlNet model here; it has ')
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "low", "high", "least"),
    # The last steps move a picture of a random network by little; equal requests differ in no pixel.
    [("weight", 0, 1, 0.5), ("guidance_start", 0, 0.6, 0.5), ("guidance_end", 0, 1, 0.01)],
)
def test_a_schedule_changes_the_picture_at_its_frame(
    engine: Any, video: Path, tmp_path: Path, name: str, low: float, high: float, least: float
) -> None:
    before = film(engine, video, tmp_path / "low", **{name: f"0:({low})"})
    after = film(engine, video, tmp_path / "high", **{name: f"0:({high})"})
    schedule = f"0:({low}), 1:({low}), 2:({high})"
    turned = film(engine, video, tmp_path / "turned", **{name: schedule})
    for number, (picture, one, other) in enumerate(zip(turned, before, after, strict=True)):
        assert np.abs(one.astype(int) - other).mean() > least, f"{name} does nothing at frame {number}"
        assert np.array_equal(picture, one if number < 2 else other), number


def test_controlnets_own_arguments_are_units_like_any(engine: Any, video: Path, tmp_path: Path) -> None:
    own = {"enabled": True, "module": "none", "model": model_of(engine), "guidance_end": 0.6}
    off = {"enabled": False, "model": "gone"}
    unit = film(engine, video, tmp_path / "unit", guidance_end="0:(0.6)")
    found = painted(engine, video, tmp_path / "own", scripts={"ControlNet": [off, own]})
    assert all(np.array_equal(*pair) for pair in zip(found, unit, strict=True))
    units = [{"module": "none", "model": model_of(engine), "weight": "0:(0.5)"}]
    both = painted(engine, video, tmp_path / "both", units=units, scripts={"ControlNet": [off, own]})
    assert np.abs(both[0].astype(int) - unit[0]).mean() > 0.5


def test_a_missing_model_among_controlnets_own_arguments_ends_the_film(
    engine: Any, video: Path, tmp_path: Path
) -> None:
    with pytest.raises(FlipbookError, match=r'no ControlNet model "gone" here; it has .*tiny'):
        painted(engine, video, tmp_path, scripts={"ControlNet": [{"enabled": True, "model": "gone"}]})
