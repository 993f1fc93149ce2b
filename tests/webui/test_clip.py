"""Clips in a real WebUI: what comes out, and that nothing remains behind."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import threading
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytestmark = [pytest.mark.webui, pytest.mark.timeout(900)]

BASE = {
    "prompt": "a red house",
    "negative_prompt": "blue",
    "seed": 7,
    "steps": 3,
    "width": 64,
    "height": 64,
    "sampler_name": "Euler a",
}
CLIP = {
    "enable": True,
    "model": "v3.safetensors",
    "video_length": 4,
    "batch_size": 4,
    "format": ["GIF", "Frame"],
}


def _tests(name: str) -> Any:
    """A file of the tests as a module: tests are no package."""
    path = Path(__file__).parents[1] / name
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A WebUI with the extension and random motion modules that fit its small checkpoint."""
    pytest.importorskip("diffusers", reason="makes motion modules: run it with .venv")
    from safetensors.torch import save_file

    engine = _tests("webui/remote_engine.py").start_engine(tmp_path_factory.mktemp("clips"))
    made = _tests("motion/conftest.py")
    folder = engine.webui.models / "AnimateDiff"
    folder.mkdir()
    for version, widths in (("v1", (32, 64, 64, 64)), ("v3", (32, 64, 64, 64)), ("wide", (64, 64, 64, 64))):
        kind = made.KINDS["v1" if version == "v1" else "v3"]
        tensors = made.native(widths, kind["positions"], mid=kind["mid"])
        save_file({k: t.contiguous() for k, t in tensors.items()}, folder / f"{version}.safetensors")
    yield engine.webui
    engine.close()


def ask(host: Any, clip: Any, mode: str = "txt2img", **changes: Any) -> tuple[int, Any]:
    """Status and answer of a request with these AnimateDiff arguments."""
    args = clip if isinstance(clip, list) else [clip]
    body = {**BASE, **changes, "alwayson_scripts": {"AnimateDiff": {"args": args}}}
    status, answer = host.request(f"/sdapi/v1/{mode}", body)
    return status, answer


def frames_of(answer: Any) -> np.ndarray:
    """(frames, H, W, 3) of an answer with `Frame`."""
    raw = [base64.b64decode(text) for text in answer["images"]]
    pictures = [np.asarray(Image.open(io.BytesIO(r)).convert("RGB")) for r in raw if r[:3] != b"GIF"]
    return np.stack(pictures)


def still(host: Any) -> str:
    """Hash of the pixels of a fixed still."""
    status, answer = host.request("/sdapi/v1/txt2img", BASE)
    assert status == 200
    picture = Image.open(io.BytesIO(base64.b64decode(answer["images"][0])))
    return hashlib.sha256(np.asarray(picture).tobytes()).hexdigest()


def test_a_clip_is_a_film_and_its_frames(host: Any) -> None:
    status, answer = ask(host, CLIP)
    assert status == 200
    film = Image.open(io.BytesIO(base64.b64decode(answer["images"][0])))
    assert (film.format, film.n_frames, film.size) == ("GIF", 4, (64, 64))
    frames = frames_of(answer)
    assert frames.shape == (4, 64, 64, 3)
    info = json.loads(answer["info"])["infotexts"][0]
    assert "a red house\nNegative prompt: blue" in info
    assert "model: v3.safetensors" in info
    assert "enable: True" in info


def test_the_module_and_its_strength_change_frames(host: Any) -> None:
    plain = frames_of(ask(host, CLIP)[1]).astype(int)
    for changed in (
        {"model": "v1.safetensors"},
        {"motion_effect": "0:(0)"},
        {"motion_scale": "0:(1), 3:(0)"},
    ):
        other = frames_of(ask(host, {**CLIP, **changed})[1]).astype(int)
        assert np.abs(plain - other).mean() > 1, changed


def test_without_effect_frames_are_the_stills_of_their_seeds(host: Any) -> None:
    """v3 brings a noise schedule of its own; without its strength frames are plain pictures under it."""
    off = frames_of(ask(host, {**CLIP, "motion_effect": "0:(0)"})[1])
    again = frames_of(ask(host, {**CLIP, "motion_effect": "0:(0)", "video_length": 2, "batch_size": 2})[1])
    assert np.array_equal(off[:2], again)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"prompt": "house AND snow :0.5"},
        {"prompt": "0: a house\n2: snow"},
        {"prompt": "a [house:tree:0.5]"},
        {"n_iter": 2},
        {"sampler_name": "DDIM"},
        {"sampler_name": "DPM++ SDE", "scheduler": "Karras"},
        {"sampler_name": "UniPC"},
        {"enable_hr": True, "hr_scale": 2, "hr_upscaler": "Latent", "denoising_strength": 0.7},
        {"override_settings": {"s_min_uncond": 2.0}},
        {"override_settings": {"batch_cond_uncond": False}},
        {"prompt": "word " * 90},
    ],
    ids=str,
)
def test_stills_are_bit_identical_after_every_way_of_making_clips(host: Any, changes: dict[str, Any]) -> None:
    if "override_settings" in changes:
        # The host keeps an override that was in no settings file before: take that out of the comparison.
        host.request("/sdapi/v1/txt2img", {**BASE, **changes})
    before = still(host)
    status, answer = ask(host, CLIP, **changes)
    assert status == 200, answer
    films = [text for text in answer["images"] if base64.b64decode(text)[:3] == b"GIF"]
    assert len(films) == changes.get("n_iter", 1)
    assert still(host) == before


def test_img2img_starts_from_its_picture_and_ends_with_the_last(host: Any) -> None:
    init, last = (np.full((64, 64, 3), value, np.uint8) for value in (40, 220))
    before = still(host)
    clip = {**CLIP, "latent_power": 0.5, "latent_scale": 100, "motion_effect": "0:(0)"}
    body = {"init_images": [_png(init)], "denoising_strength": 0}
    # The host's VAE draws from what the request before left behind: all three follow one of four frames.
    ask(host, clip, "img2img", **body)
    plain = frames_of(ask(host, clip, "img2img", **body)[1]).astype(float)
    ends = frames_of(ask(host, {**clip, "last_frame": _png(last)}, "img2img", **body)[1]).astype(float)
    assert np.abs(plain[0] - ends[0]).mean() < np.abs(plain[-1] - ends[-1]).mean()
    held = {**clip, "denoising_ramp": "0:(0), 3:(1)"}
    ramp = frames_of(ask(host, held, "img2img", **body)[1]).astype(float)
    assert np.abs(ramp[0] - plain[0]).mean() < np.abs(ramp[-1] - plain[-1]).mean()
    assert still(host) == before


@pytest.mark.parametrize(
    ("clip", "status", "words"),
    [
        ({"enable": True, "modle": "v3.safetensors"}, 422, "modle"),
        ({"enable": True, "model": "none.safetensors"}, 404, "there is no motion module"),
        ({"enable": True, "model": "wide.safetensors"}, 422, "does not fit this checkpoint"),
        ({**CLIP, "stride": 0}, 422, "stride"),
        ({**CLIP, "batch_size": 25, "video_length": 30, "model": "v1.safetensors"}, 422, "24 positions"),
        ({**CLIP, "motion_scale": "0:(wobble(t))"}, 422, "motion_scale"),
    ],
)
def test_what_is_wrong_is_an_error_and_never_a_still(host: Any, clip: Any, status: int, words: str) -> None:
    before = still(host)
    found, answer = ask(host, clip)
    assert found == status
    assert words in answer["detail"]
    assert still(host) == before


def test_several_partial_dicts_are_one(host: Any) -> None:
    whole = frames_of(ask(host, CLIP)[1])
    parts = [{key: value} for key, value in CLIP.items()]
    assert np.array_equal(frames_of(ask(host, parts)[1]), whole)


def test_interrupted_clips_leave_nothing_behind(host: Any) -> None:
    before = still(host)
    done: list[Any] = []
    clip = threading.Thread(target=lambda: done.append(ask(host, CLIP, steps=60)))
    clip.start()
    while host.request("/sdapi/v1/progress")[1]["state"]["sampling_step"] < 2:
        assert clip.is_alive()
    host.request("/sdapi/v1/interrupt", {})
    clip.join(timeout=120)
    assert done[0][0] == 200
    assert still(host) == before


def _png(picture: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format="png")
    return base64.b64encode(file.getvalue()).decode()
