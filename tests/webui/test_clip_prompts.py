"""A clip's prompts in a real WebUI, and what is refused in the middle of its work."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
import pytest

pytestmark = [pytest.mark.webui, pytest.mark.timeout(900)]

STILLS = {"model": "v3.safetensors", "motion_effect": "0:(0)"}
"""Without the module's effect a frame is what its seed and prompt alone make of it."""


def same(frame: np.ndarray, picture: np.ndarray) -> bool:
    """Equal but for the two pixels on which the door leaves its marks, and what batches round otherwise."""
    return bool(np.abs(frame.reshape(-1, 3)[2:].astype(int) - picture.reshape(-1, 3)[2:]).max() <= 2)


def test_a_text_that_no_frame_shows_is_travelled_to(clips: Any, clip_host: Any) -> None:
    """Formulas print another text for every frame: what a frame is on its way to is no other frame's own."""
    ask = {**clips.CLIP, **STILLS, "video_length": 5, "prompt_interpolation": "lerp"}
    moving = clips.made(clip_host, ask, prompt="0: a (red:`1+0.1*t`) house\n4: a (blue:`1+0.1*t`) tree")
    fixed = clips.made(clip_host, ask, prompt="0: a (red:1.2) house\n4: a (blue:1.2) tree")
    held = clips.made(clip_host, {**ask, "prompt_interpolation": "hold"}, prompt="0: a (red:1.2) house\n4: x")
    assert same(moving[2], fixed[2])
    assert not same(moving[2], held[2])


def test_long_and_short_prompts_travel_into_each_other(clips: Any, clip_host: Any) -> None:
    long = ", ".join(["a very long way through the snow"] * 14)
    ask = {**clips.CLIP, **STILLS, "video_length": 3, "prompt_interpolation": "lerp"}
    frames = clips.made(clip_host, ask, prompt=f"0: (short:`1+0.01*t`)\n2: {long} (x:`1+0.01*t`)")
    assert len({frame.tobytes() for frame in frames}) == 3


def test_frames_with_more_and_fewer_parts_of_and(clips: Any, clip_host: Any) -> None:
    ask = {**clips.CLIP, **STILLS, "prompt_interpolation": "hold"}
    one, two = "a red house", "a tree AND deep snow :0.6"
    frames = clips.made(clip_host, ask, prompt=f"0: {one}\n2: {two}")
    alone = [clips.made(clip_host, ask, prompt=text) for text in (one, two)]
    for number, frame in enumerate(frames):
        assert same(frame, alone[number // 2][number]), number
        assert not same(frame, alone[1 - number // 2][number]), number


def test_wildcards_are_drawn_once_for_a_film(clips: Any, clip_host: Any) -> None:
    ask = {**clips.CLIP, **STILLS}
    drawn = clips.made(clip_host, ask, prompt="a __animal__")
    cats = clips.made(clip_host, ask, prompt="a cat")
    assert all(same(one, other) for one, other in zip(drawn, cats, strict=True))


def test_the_hires_pass_travels_too(clips: Any, clip_host: Any) -> None:
    hires = {"enable_hr": True, "hr_scale": 2, "hr_upscaler": "Latent", "denoising_strength": 0.7}
    ask = {**clips.CLIP, **STILLS, "prompt_interpolation": "lerp"}
    prompt = "0: a red house\n3: a blue tree"
    frames = clips.made(clip_host, ask, prompt=prompt, **hires)
    tree = clips.made(clip_host, ask, prompt="a blue tree", **hires)
    assert same(frames[3], tree[3])
    assert not same(frames[2], tree[2])
    other = clips.made(clip_host, ask, prompt=prompt, hr_prompt="0: sand\n3: a blue tree", **hires)
    assert same(frames[3], other[3])
    assert not same(frames[0], other[0])


def test_what_fails_on_the_way_is_an_error_and_never_a_wrong_film(clips: Any, clip_host: Any) -> None:
    before = clips.still(clip_host)
    status, answer = clips.ask(clip_host, clips.CLIP, prompt="0: a house\n3: a spoilt house")
    assert (status, "parts joined by AND" in answer["detail"]) == (422, True), answer
    assert clips.still(clip_host) == before


def test_an_sd_unet_has_no_place_for_motion(clips: Any, clip_host: Any) -> None:
    before = clips.still(clip_host)
    clip_host.request("/sdapi/v1/options", {"sd_unet": "[TRT] door"})
    status, answer = clips.ask(clip_host, clips.CLIP)
    clip_host.request("/sdapi/v1/options", {"sd_unet": "None"})
    assert (status, "set SD Unet to None" in answer["detail"]) == (422, True), answer
    assert clips.still(clip_host) == before


@pytest.mark.parametrize(
    ("last", "status", "words"),
    [
        ("/no/such/picture.png", 404, "picture.png"),
        ("data:image/png;base64," + 80 * "A", 422, "not a picture"),
    ],
)
def test_a_last_frame_that_is_none_is_refused(
    clips: Any, clip_host: Any, last: str, status: int, words: str
) -> None:
    body = {"init_images": [clips.png(np.zeros((64, 64, 3), np.uint8))]}
    found, answer = clips.ask(clip_host, {**clips.CLIP, "last_frame": last}, "img2img", **body)
    assert (found, words in answer["detail"]) == (status, True), answer


def test_the_modules_hash_is_written_and_what_was_not_obeyed_is_said(clips: Any, clip_host: Any) -> None:
    clip = {**clips.CLIP, "model": "v3.safetensors", "interp": "FILM", "interp_x": 2}
    status, answer = clips.ask(clip_host, clip)
    assert status == 200, answer
    written = json.loads(answer["info"])["infotexts"][0]
    path = clip_host.models / "AnimateDiff" / "v3.safetensors"
    assert f"mm_hash: {hashlib.sha256(path.read_bytes()).hexdigest()[:8]}" in written
    assert "AnimateDiff: interp: FILM is a network of another extension" in clip_host.log
