"""ControlNet in clips: each output frame follows the video's frame of its number."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = [pytest.mark.webui, pytest.mark.timeout(900)]

LEVELS = [10, 40, 70, 100, 130, 160]


@pytest.fixture(scope="module")
def unit(clip_host: Any) -> Callable[..., dict[str, Any]]:
    """Arguments of ControlNet for one unit with the first network that it finds for the small checkpoint."""
    status, answer = clip_host.request("/controlnet/model_list")
    if status != 200:
        pytest.skip("needs sd-webui-controlnet: WEBUI_CONTROLNET=its folder, WEBUI_CONTROLNET_MODELS")
    # The host (1.10) does not take back an override of an option that its settings file does not have.
    clip_host.request("/sdapi/v1/options", {"batch_cond_uncond": True})
    models = answer["model_list"]
    model = next((name for name in models if "tiny" in name), models[0])

    def arguments(**changes: Any) -> dict[str, Any]:
        made = {"enabled": True, "module": "none", "model": model, "save_detected_map": False, **changes}
        return {"ControlNet": {"args": [made]}}

    return arguments


def followed(clips: Any, tmp_path: Path) -> dict[str, Any]:
    """A clip of windows of four frames that follows six plain pictures."""
    video = clips.folder_of(tmp_path / "video", LEVELS)
    return {**clips.CLIP, "video_length": 0, "batch_size": 4, "overlap": 1, "video_path": video}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"override_settings": {"batch_cond_uncond": False}},
        {"prompt": "house AND snow :0.5"},
        {"prompt": "0: a house\n5: snow"},
        {"n_iter": 2},
    ],
    ids=str,
)
def test_output_n_receives_frame_n(
    clips: Any, clip_host: Any, unit: Any, tmp_path: Path, changes: dict[str, Any]
) -> None:
    before = clips.still(clip_host)
    clip = followed(clips, tmp_path)
    clips.seen(clip_host)
    clips.made(clip_host, clip, also=unit(), **changes)
    found = clips.seen(clip_host)
    digests = {
        frame: hashlib.sha256(np.full((3, 64, 64), level / 255, np.float32).tobytes()).hexdigest()
        for frame, level in enumerate(LEVELS)
    }
    assert {frame: digest for _, frame, digest in found["received"]} == digests
    reached = set()
    for call in found["hints"]:
        window = call["window"]
        assert len(window) == 4
        groups = call["rows"] // len(window)
        assert call["levels"] == [LEVELS[frame] for frame in window] * groups
        assert call["digests"] == [digests[frame] for frame in window] * groups
        reached |= set(window)
    assert reached == set(range(6))
    assert clips.still(clip_host) == before


def test_a_units_own_picture_holds_for_all_frames(
    clips: Any, clip_host: Any, unit: Any, tmp_path: Path
) -> None:
    clip = followed(clips, tmp_path)
    own = clips.png(np.full((64, 64, 3), 222, np.uint8))
    clips.seen(clip_host)
    clips.made(clip_host, clip, also=unit(image=own))
    found = clips.seen(clip_host)
    assert found["hints"]
    assert {level for call in found["hints"] for level in call["levels"]} == {222}
    assert not found["received"]


def test_equal_hints_by_frame_are_the_single_picture(
    clips: Any, clip_host: Any, unit: Any, tmp_path: Path
) -> None:
    video = clips.folder_of(tmp_path / "video", [90] * 6)
    clip = {**clips.CLIP, "video_length": 6, "batch_size": 4, "overlap": 1}
    picture = clips.png(np.full((64, 64, 3), 90, np.uint8))
    one = clips.made(clip_host, clip, also=unit(image=picture))
    each = clips.made(clip_host, {**clip, "video_path": video}, also=unit())
    none = clips.made(clip_host, clip)
    assert np.abs(one.astype(int) - each).max() <= 1
    assert np.abs(one.astype(int) - none).mean() > 1


def test_frames_are_preprocessed_one_by_one(clips: Any, clip_host: Any, unit: Any, tmp_path: Path) -> None:
    clips.seen(clip_host)
    clips.made(clip_host, followed(clips, tmp_path), also=unit(module="canny", processor_res=64))
    # Plain pictures have no edges.
    assert {level for call in clips.seen(clip_host)["hints"] for level in call["levels"]} == {0}


def test_in_img2img_too(clips: Any, clip_host: Any, unit: Any, tmp_path: Path) -> None:
    clips.seen(clip_host)
    body = {"init_images": [clips.png(np.zeros((64, 64, 3), np.uint8))], "denoising_strength": 0.9}
    clips.made(clip_host, followed(clips, tmp_path), "img2img", also=unit(), **body)
    for call in clips.seen(clip_host)["hints"]:
        groups = call["rows"] // len(call["window"])
        assert call["levels"] == [LEVELS[frame] for frame in call["window"]] * groups


def test_hires_passes_have_hints_of_their_size(clips: Any, clip_host: Any, unit: Any, tmp_path: Path) -> None:
    clips.seen(clip_host)
    large = {"enable_hr": True, "hr_scale": 2, "hr_upscaler": "Latent", "denoising_strength": 0.7}
    clips.made(clip_host, followed(clips, tmp_path), also=unit(), **large)
    calls = clips.seen(clip_host)["hints"]
    assert len({call["digests"][0] for call in calls if call["levels"][0] == LEVELS[0]}) == 2
    for call in calls:
        groups = call["rows"] // len(call["window"])
        assert call["levels"] == [LEVELS[frame] for frame in call["window"]] * groups


@pytest.mark.slow
def test_stills_stay_when_controlnet_is_loaded_first(
    clips: Any, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> None:
    """Hosts load extensions by name: here ControlNet's comes before Flipbook's, elsewhere behind it."""
    if not os.environ.get("WEBUI_ROOT") or not os.environ.get("WEBUI_CONTROLNET"):
        pytest.skip("needs WEBUI_ROOT and WEBUI_CONTROLNET")
    folder = tmp_path_factory.mktemp("first")
    first = request.getfixturevalue("start_clip_webui")(folder, "a-controlnet")
    try:
        before = clips.still(first)
        models = first.request("/controlnet/model_list")[1]["model_list"]
        made = {"enabled": True, "module": "none", "model": models[0], "save_detected_map": False}
        clip = followed(clips, folder)
        clips.made(first, clip, also={"ControlNet": {"args": [made]}})
        for call in clips.seen(first)["hints"]:
            groups = call["rows"] // len(call["window"])
            assert call["levels"] == [LEVELS[frame] for frame in call["window"]] * groups
        assert clips.still(first) == before
    finally:
        first.stop()
