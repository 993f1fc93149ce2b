"""The accordion's settings as axes of the host's X/Y/Z plot."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lib_anim.kinds.clip.motion_settings import LATENTS, Motion
from lib_anim.settings.base import specs
from lib_anim.settings.fields import Choice, Flag, Number, Rate

pytestmark = [pytest.mark.webui, pytest.mark.timeout(900)]


def test_every_number_and_choice_is_an_axis(clip_host: Any) -> None:
    labels = clip_host.request("/test-clip/axes")[1]
    for name, spec in specs(Motion).items():
        if isinstance(spec, Number | Choice | Flag | Rate) or name == "module":
            label = f"[AnimateDiff] {spec.label}"
            assert labels["True"].count(label) == 1, name
            assert labels["False"].count(label) == (spec.group != LATENTS), name
    assert labels["False"].count("[AnimateDiff] Enable") == 1


def test_a_grid_is_its_four_clips_first_frames(clips: Any, clip_host: Any) -> None:
    labels = clip_host.request("/test-clip/axes")[1]["False"]
    before = clips.still(clip_host)
    x = labels.index(f"[AnimateDiff] {specs(Motion)['frames'].label}")
    y = labels.index(f"[AnimateDiff] {specs(Motion)['noise_type'].label}")
    values = [x, "2,4", [], y, "", ["per frame", "shared"], 0, "", []]
    rest = [False, True, False, True, False, False, False, 0, False]
    clip = {**clips.CLIP, "format": ["GIF"], "full_context": False}
    status, answer = clips.ask(
        clip_host, clip, script_name="x/y/z plot", script_args=[*values, *rest], send_images=True
    )
    assert status == 200, answer
    pictures = [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(text))).convert("RGB")) for text in answer["images"]
    ]
    assert pictures[0].shape == (128, 128, 3)
    cells = [picture for picture in pictures[1:] if picture.shape == (64, 64, 3)]
    single = [
        clips.made(
            clip_host, {**clip, "format": ["GIF", "Frame"], "video_length": frames, "noise_type": noise}
        )[0]
        for noise in ("per frame", "shared")
        for frames in (2, 4)
    ]
    for place, expected in enumerate(single):
        row, column = divmod(place, 2)
        part = pictures[0][64 * row : 64 * row + 64, 64 * column : 64 * column + 64]
        assert np.array_equal(part, expected), place
        assert any(np.array_equal(cell, expected) for cell in cells)
    assert len({picture.tobytes() for picture in single}) == 4
    assert clips.still(clip_host) == before
