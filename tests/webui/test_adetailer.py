"""ADetailer in stills, restyled films and clips: it paints inside its box in every frame, and nowhere else.

Its detector is `detector_door`, which always finds one box: no weights of a detector are at hand.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lib_anim.engines.contract.requests import StillRequest
from lib_anim.jobs.run.runner import render
from lib_anim.jobs.run.start import start
from lib_anim.kinds.registry import RESTYLE
from lib_anim.kinds.restyle.settings import Restyle
from lib_anim.media.pictures import read_picture, write_picture

pytestmark = [
    pytest.mark.webui,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        not os.environ.get("WEBUI_ADETAILER") and not os.environ.get("WEBUI_CLIP_URL"),
        reason="needs adetailer: WEBUI_ADETAILER=its folder",
    ),
]

BOX = (slice(16, 48), slice(16, 48))
"""Of `detector_door`, in pictures of 64 pixels."""


def arguments(**changes: Any) -> list[Any]:
    """ADetailer's: on, with the painting of the picture itself."""
    unit = {
        "ad_model": "mediapipe_face_short",
        "ad_denoising_strength": 1.0,
        "ad_inpaint_only_masked": False,
        "ad_mask_blur": 0,
        "ad_dilate_erode": 0,
        **changes,
    }
    return [True, False, unit]


def split(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Mean difference inside the box, greatest outside, of 255."""
    apart = np.abs(one.astype(float) - other.astype(float))
    inside = apart[BOX].mean()
    apart[BOX] = 0
    # The rim of the box is shared.
    apart[14:50, 14:50] = 0
    return float(inside), float(apart.max())


@pytest.fixture(scope="module")
def engine(clip_host: Any, request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue("remote_engine")(clip_host.url)


def test_a_still_is_painted_anew_inside_the_box_alone(engine: Any, clips: Any, clip_host: Any) -> None:
    before = clips.still(clip_host)
    asked = {"prompt": "a house", "width": 64, "height": 64, "seed": 7, "steps": 2, "sampler": "Euler a"}
    plain = 255 * engine.still(StillRequest(**asked))
    worked = 255 * engine.still(StillRequest(**asked, scripts={"ADetailer": arguments()}))
    inside, outside = split(worked, plain)
    assert inside > 5
    assert outside == 0
    off = 255 * engine.still(StillRequest(**asked, scripts={"ADetailer": arguments(ad_tab_enable=False)}))
    assert np.array_equal(off, plain)
    assert clips.still(clip_host) == before


def film(engine: Any, video: Path, folder: Path, **changes: Any) -> list[np.ndarray]:
    """Frames of a restyled film that leaves the video nearly as it is."""
    settings = Restyle(
        **{"video": str(video), "seed": 7, "steps": 2, "prompts": "a house", "denoising": 0.01, **changes}
    )
    run, plan = start(RESTYLE, settings, engine, "webui", folder, 0)
    assert render(RESTYLE, plan, engine, run).finished
    return [read_picture(run.frame_path(number)) for number in range(plan.frames)]


def test_every_frame_of_a_restyled_film_and_its_prompt_reach_the_box(engine: Any, tmp_path: Path) -> None:
    video = tmp_path / "in"
    video.mkdir()
    for number in range(4):
        blocks = np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        write_picture(video / f"{number:03}.png", np.kron(blocks, np.ones((8, 8, 1), np.uint8)))
    scripts = {"ADetailer": arguments()}
    plain = film(engine, video, tmp_path / "plain")
    worked = film(engine, video, tmp_path / "worked", scripts=scripts)
    for one, other in zip(worked, plain, strict=True):
        inside, outside = split(one, other)
        assert inside > 5
        assert outside == 0
    # Without a prompt of its own ADetailer takes the frame's, so the film's schedule reaches it.
    prompts = {"0": "a house", "2": "snow, mountains, a dog at night"}
    turned = film(engine, video, tmp_path / "turned", scripts=scripts, prompts=prompts)
    assert [np.array_equal(*pair) for pair in zip(turned, worked, strict=True)][:2] == [True, True]
    for one, other in list(zip(turned, worked, strict=True))[2:]:
        inside, _ = split(one, other)
        assert inside > 0.5
    # An argument of its own may be a schedule too.
    scripts = {"ADetailer": arguments(ad_denoising_strength={"schedule": "0:(1), 1:(1), 2:(0.3)"})}
    softer = film(engine, video, tmp_path / "softer", scripts=scripts)
    for number, (one, other, bare) in enumerate(zip(softer, worked, plain, strict=True)):
        inside, outside = split(one, other)
        assert (inside > 0.5) == (number >= 2)
        assert outside == 0
        assert not np.array_equal(one, bare)


def test_every_frame_of_a_clip_is_painted_anew_inside_the_box(clips: Any, clip_host: Any) -> None:
    before = clips.still(clip_host)
    plain = clips.made(clip_host, clips.CLIP)
    clips.seen(clip_host)
    worked = clips.made(clip_host, clips.CLIP, also={"ADetailer": {"args": arguments()}})
    assert worked.shape == plain.shape
    for one, other in zip(worked, plain, strict=True):
        inside, outside = split(one, other)
        assert inside > 5
        assert outside == 0
    assert len({frame.tobytes() for frame in worked}) == len(worked)
    assert clips.still(clip_host) == before
