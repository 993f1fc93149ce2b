"""Clips of the WebUI engine in a real WebUI."""

from __future__ import annotations

import base64
import io
import json
import urllib.request
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lib_anim.engines.contract.requests import ClipFrame, ClipRequest, PromptTravel, Steering, StillRequest
from lib_anim.errors import FlipbookError
from lib_anim.media.probe import probe

pytestmark = [pytest.mark.webui, pytest.mark.timeout(900)]

FRAMES = tuple(ClipFrame(prompt="a red house", negative="blue", seed=7 + number) for number in range(4))
REQUEST = ClipRequest(
    frames=FRAMES,
    shown=4,
    motion=Steering(module="v3.safetensors", context=4),
    width=64,
    height=64,
    steps=2,
    sampler="Euler a",
)


@pytest.fixture(scope="module")
def engine(clip_host: Any) -> Any:
    spec = spec_from_file_location("remote_engine", Path(__file__).with_name("remote_engine.py"))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.RemoteEngine(clip_host.url)


def painted(engine: Any, **changes: Any) -> np.ndarray:
    return np.stack([np.rint(255 * frame).astype(int) for frame in engine.clip(replace(REQUEST, **changes))])


def test_it_is_the_accordions_clip(clips: Any, clip_host: Any, engine: Any) -> None:
    shown = clips.made(clip_host, {**clips.CLIP, "model": "v3.safetensors"})
    assert np.array_equal(painted(engine), shown)
    assert engine.warnings == ()


def test_a_frames_wildcards_are_drawn_by_the_hosts_scripts(engine: Any) -> None:
    cat, drawn = (
        engine.still(StillRequest(prompt=prompt, width=64, height=64, seed=7, steps=2))
        for prompt in ("a cat", "a __animal__")
    )
    assert np.array_equal(cat, drawn)


def test_nothing_of_a_clip_outlives_it(engine: Any) -> None:
    frames = tuple(replace(f, cfg_scale=scale) for f, scale in zip(FRAMES, (1.0, 3.0, 7.0, 9.0), strict=True))
    # ControlNet may keep the last one until the next.
    assert engine.outlived(replace(REQUEST, frames=frames)) <= 1


def test_every_frame_has_its_own_guidance(engine: Any) -> None:
    motion = replace(REQUEST.motion, effect=(0.0,))
    scales = (1.0, 3.0, 7.0, 12.0)
    frames = tuple(replace(frame, cfg_scale=scale) for frame, scale in zip(FRAMES, scales, strict=True))
    own = painted(engine, motion=motion, frames=frames)
    for number, scale in enumerate(scales):
        same = painted(engine, motion=motion, frames=tuple(replace(f, cfg_scale=scale) for f in FRAMES))
        assert np.abs(own[number] - same[number]).max() <= 2, number
        assert number == 0 or np.abs(own[number - 1] - same[number - 1]).mean() > 1, number


def test_prompts_travel(engine: Any) -> None:
    def travel(weight: float) -> np.ndarray:
        way = PromptTravel(prompt="a blue tree", negative="", weight=weight, how="lerp")
        return painted(engine, frames=tuple(replace(frame, travel=way) for frame in FRAMES))

    start, middle, end = travel(0.001), travel(0.5), travel(0.999)
    assert np.abs(start - painted(engine)).mean() < 1
    tree = painted(engine, frames=tuple(replace(f, prompt="a blue tree", negative="") for f in FRAMES))
    assert np.abs(end - tree).mean() < 1
    assert min(np.abs(middle - start).mean(), np.abs(middle - end).mean()) > 1


def test_an_interrupt_for_another_job_does_not_end_a_clip(clip_host: Any, engine: Any) -> None:
    whole = painted(engine)
    seen: list[int] = []

    def on_step(done: int, total: int) -> None:
        seen.append(done)
        if len(seen) == 1:
            clip_host.request("/sdapi/v1/interrupt", {})

    frames = np.stack([np.rint(255 * frame).astype(int) for frame in engine.clip(REQUEST, on_step)])
    assert np.array_equal(frames, whole)
    assert seen == [1, 1, 2]


def test_a_clip_waits_in_the_queue_and_becomes_a_film(
    clips: Any, clip_host: Any, engine: Any, tmp_path: Path
) -> None:
    before = clips.still(clip_host)
    settings = {"prompts": {"0": "a red house", "3": "a blue tree"}, "frames": 4, "steps": 2, "seed": 7}
    settings |= {"width": 64, "height": 64, "module": "v3", "sampler": "Euler a", "formats": ["MP4"]}
    order = {"kind": "clip", "engine": "webui", "settings": settings}
    status, answer = clip_host.request("/flipbook/v1/jobs", order)
    assert status == 202, answer
    (id,) = answer["ids"]
    with urllib.request.urlopen(f"{clip_host.url}/flipbook/v1/jobs/{id}/events", timeout=300) as events:
        # Ends with the job.
        events.read()
    job = clip_host.request(f"/flipbook/v1/jobs/{id}")[1]
    assert (job["status"], job["frames_done"]) == ("done", 4), json.dumps(job)
    film = tmp_path / "film.mp4"
    with urllib.request.urlopen(f"{clip_host.url}/flipbook/v1/jobs/{id}/film", timeout=60) as answer:
        film.write_bytes(answer.read())
    assert (probe(film).frames, probe(film).width) == (4, 64)
    assert clips.still(clip_host) == before


@pytest.fixture(scope="module")
def unit(clip_host: Any) -> dict[str, Any]:
    """A ControlNet unit with a picture of its own and the first network for the small checkpoint."""
    status, answer = clip_host.request("/controlnet/model_list")
    if status != 200:
        pytest.skip("needs sd-webui-controlnet: WEBUI_CONTROLNET=its folder, WEBUI_CONTROLNET_MODELS")
    models = answer["model_list"]
    model = next((name for name in models if "tiny" in name), models[0])
    picture = np.kron(np.random.default_rng(3).integers(0, 256, (8, 8, 3)), np.ones((8, 8, 1)))
    return {"enabled": True, "module": "none", "model": model, "image": png(picture)}


def png(picture: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(picture.astype(np.uint8)).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def test_scripts_of_the_host_work_in_clips_as_beside_the_accordion(
    clips: Any, clip_host: Any, engine: Any, unit: dict[str, Any]
) -> None:
    also = {"ControlNet": {"args": [{**unit, "save_detected_map": False}]}}
    shown = clips.made(clip_host, {**clips.CLIP, "model": "v3.safetensors"}, also=also)
    found = painted(engine, scripts={"controlnet": [{**unit, "save_detected_map": False}]})
    assert np.array_equal(found, shown)
    assert np.abs(found - painted(engine)).mean() > 1


def test_a_unit_without_its_model_ends_a_clip(engine: Any, unit: dict[str, Any]) -> None:
    with pytest.raises(FlipbookError, match=r'no ControlNet model "gone" here; it has .*tiny'):
        painted(engine, scripts={"ControlNet": [{**unit, "model": "gone"}]})
    # One that is off is none.
    off = painted(engine, scripts={"ControlNet": [{**unit, "model": "gone", "enabled": False}]})
    assert np.array_equal(off, painted(engine))
