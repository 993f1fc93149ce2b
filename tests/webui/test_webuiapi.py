"""`webuiapi`, with which people drive the WebUI from Python, makes a clip through the accordion."""

from __future__ import annotations

import os
import urllib.parse

import pytest

from tests.webui.running import WebUI


@pytest.mark.webui
def test_webuiapi_makes_a_clip(webui: WebUI) -> None:
    webuiapi = pytest.importorskip("webuiapi", reason="needs webuiapi: pip install webuiapi")
    module = os.environ.get("WEBUI_MOTION_MODULE")
    if not module:
        pytest.skip("needs WEBUI_MOTION_MODULE: a motion module in that WebUI which fits its checkpoint")
    place = urllib.parse.urlsplit(webui.url)
    api = webuiapi.WebUIApi(host=place.hostname, port=place.port, sampler="Euler a", steps=2)
    clip = webuiapi.AnimateDiff(model=module, video_length=8, fps=8, batch_size=8, format=["GIF", "Frame"])
    size = {"width": 64, "height": 64, "seed": 7}
    still = api.txt2img(prompt="a red house", **size)
    answer = api.txt2img(prompt="a red house", animatediff=clip, **size)
    film = next(picture for picture in answer.images if getattr(picture, "n_frames", 1) > 1)
    assert film.n_frames == 8
    assert film.size == (64, 64)
    assert film.info["duration"] in (120, 130)
    frames = set()
    for number in range(8):
        film.seek(number)
        frames.add(film.convert("RGB").tobytes())
    assert len(frames) == 8
    # And a still afterwards is as it was before.
    assert api.txt2img(prompt="a red house", **size).image.tobytes() == still.image.tobytes()
