"""Golden frames: what each mode looked like, kept as pictures, so that nothing drifts unseen.

Painted by waves whose colour is the prompt's and whose place is the seed's, alike under every version of
every library, and by the embedded engine with a narrow checkpoint of random weights.
`python -m tests.kinds.keyframed.test_golden_frames` writes them anew; look at them first.
"""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from skimage import data

from lib_anim.engines.contract.requests import StillRequest
from lib_anim.kinds.base import Studio
from lib_anim.kinds.events import FrameDone
from lib_anim.kinds.keyframed.inputs import Inputs
from lib_anim.kinds.keyframed.loop import run
from lib_anim.kinds.keyframed.plan import plan
from lib_anim.kinds.keyframed.settings import Keyframed
from lib_anim.media.contract import SourceInfo
from lib_anim.media.pictures import read_picture, write_picture
from lib_anim.types import Picture
from tests.engines.conftest import checkpoint, maker  # noqa: F401 (fixtures)
from tests.kinds.keyframed.conftest import Recorder, Video

GOLDEN = Path(__file__).with_name("golden")
SHOWN = (0, 2, 5, 7)
BASE: dict[str, Any] = {
    "width": 96,
    "height": 96,
    "frames": 8,
    "seed": 5,
    "prompts": {"0": "one", "4": "two"},
    "strength": 0.6,
}
FILMS: dict[str, dict[str, Any]] = {
    "2d": {"zoom": 1.05, "angle": 3, "translation_x": 2},
    "flip": {"perspective_flip": True, "flip_phi": "0:(3)", "flip_theta": "0:(-2)", "color_coherence": "HSV"},
    "interpolation": {"mode": "Interpolation", "prompt_blend": "AND"},
    "video-input": {"mode": "Video Input", "video": "v.mp4", "mask_image": "m.png", "mask_blur": 3},
    "cadence": {"zoom": 1.05, "cadence": 3, "angle": -4},
    "wrap": {"translation_x": 9, "strength": 0.95, "border": "wrap"},
    "reflect": {"translation_x": 9, "strength": 0.95, "border": "reflect", "color_coherence": "RGB"},
    "noise-mask": {"noise": 0.9, "noise_mask_expression": "[m.png]", "init_image": "i.png", "strength": 0.9},
}

WITHIN = 1.0
"""Mean difference in 8-bit steps that is allowed."""


class Waves(Recorder):
    """Paints waves over the init as far as denoising says, where the mask lets it."""

    def still(self, request: StillRequest, on_step: Any = None) -> Picture:
        y, x = np.mgrid[: request.height, : request.width] / 96
        tones = zlib.crc32(request.prompt.encode()) >> np.array([0, 8, 16]) & 255
        waves = np.sin(2 * np.pi * (3 * x + request.seed / 7)) * np.sin(2 * np.pi * (2 * y + x))
        picture = 0.5 + 0.4 * waves[..., None] * np.cos(tones / 40) + 0.1 * np.sin(tones / 40)
        if request.init is not None:
            share = request.denoising if request.mask is None else request.denoising * request.mask[..., None]
            picture = request.init * (1 - share) + picture * share
        return np.clip(picture, 0, 1).astype(np.float32)


def probe(need: Any) -> SourceInfo:
    return SourceInfo(width=96, height=96, rate=Fraction(8), frames=8)


def inputs(settings: Keyframed) -> Inputs:
    photograph = data.coffee()[100:196, 200:392]
    mask = np.zeros((96, 96, 3), np.uint8)
    mask[:, :48] = 255
    return Inputs(
        init=photograph[:, :96] if settings.init_image else None,
        mask_image=mask if settings.mask_image else None,
        mask_files={"m.png": mask},
        video=Video(np.stack([photograph[:, 9 * n : 96 + 9 * n] for n in range(8)])),
    )


def painted(name: str, engine: Any, changes: dict[str, Any]) -> np.ndarray:
    """Some frames of a film side by side, 8 bits."""
    settings = Keyframed(**{**BASE, **changes})
    events: Iterator[Any] = run(
        plan(settings, engine.capabilities, 0, probe), Studio(engine=engine), inputs(settings)
    )
    frames = [event.picture for event in events if isinstance(event, FrameDone) and event.index in SHOWN]
    return np.rint(np.hstack(frames) * 255).astype(np.uint8)


def assert_golden(name: str, picture: np.ndarray, within: float = WITHIN) -> None:
    golden = read_picture(GOLDEN / f"{name}.png")
    assert picture.shape == golden.shape
    assert np.abs(picture.astype(int) - golden).mean() <= within, f"{name} no longer looks as it did"


@pytest.mark.parametrize("name", FILMS)
def test_frames_look_as_they_did(name: str) -> None:
    assert_golden(name, painted(name, Waves(), FILMS[name]))


def test_golden_frames_tell_films_apart() -> None:
    """The tolerance is far below what any two of these films differ by."""
    pictures = {name: read_picture(GOLDEN / f"{name}.png").astype(int) for name in FILMS}
    for one, other in combinations(FILMS, 2):
        assert np.abs(pictures[one] - pictures[other]).mean() > 4 * WITHIN, (one, other)


ENGINE_FILM = {"zoom": 1.05, "steps": 4, "width": 64, "height": 64, "color_coherence": "None"}


def test_frames_of_an_engine_look_as_they_did(checkpoint: Path) -> None:  # noqa: F811
    from lib_anim.engines.diffusion.engine import open_engine

    engine = open_engine(checkpoint)
    # Random weights magnify what torch's versions round differently.
    assert_golden("engine", painted("engine", engine, ENGINE_FILM), within=3)
    engine.close()


def write() -> None:
    """Write all golden frames anew."""
    from lib_anim.engines.diffusion.engine import open_engine
    from tests.models.random_checkpoint import write_sd1

    for name, changes in FILMS.items():
        write_picture(GOLDEN / f"{name}.png", painted(name, Waves(), changes))
    with tempfile.TemporaryDirectory() as folder:
        engine = open_engine(write_sd1(Path(folder) / "narrow.safetensors", text_layers=3))
        write_picture(GOLDEN / "engine.png", painted("engine", engine, ENGINE_FILM))
        engine.close()


if __name__ == "__main__":
    write()
