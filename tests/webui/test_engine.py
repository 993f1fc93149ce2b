"""The WebUI as an engine, compared with the same WebUI's own stills. Its contract runs in tests/contracts."""

from __future__ import annotations

import io
import json
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lib_anim.engines.contract.capabilities import Style
from lib_anim.engines.contract.engine import Interrupted
from lib_anim.engines.contract.requests import PromptTravel, StillRequest
from lib_anim.errors import FlipbookError
from lib_anim.jobs.run.runner import render
from lib_anim.jobs.run.start import start
from lib_anim.kinds.keyframed.settings import Keyframed
from lib_anim.kinds.registry import KEYFRAMED
from lib_anim.media.pictures import read_picture

pytestmark = [pytest.mark.webui, pytest.mark.timeout(900)]

REQUEST = StillRequest(
    prompt="a red house, autumn", negative="blue", width=128, height=128, seed=7, steps=4, cfg_scale=7.0
)
"""What `WebUI.still` asks for."""


def _remote() -> Any:
    path = Path(__file__).with_name("remote_engine.py")
    spec = spec_from_file_location("remote_engine", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    made = _remote().start_engine(tmp_path_factory.mktemp("engine"))
    yield made
    made.close()


@pytest.fixture
def host(engine: Any) -> Any:
    return engine.webui


def eight_bit(picture: np.ndarray) -> np.ndarray:
    return np.rint(picture * 255).astype(np.uint8)


def test_a_picture_from_nothing_equals_the_hosts_txt2img(engine: Any, host: Any) -> None:
    shown = host.still(scheduler="Automatic")
    assert np.array_equal(eight_bit(engine.still(REQUEST)), shown)


def test_img2img_of_an_8_bit_picture_equals_the_hosts_but_for_its_drawn_latents(
    engine: Any, host: Any
) -> None:
    shown = host.still(scheduler="Automatic")
    png = io.BytesIO()
    Image.fromarray(shown).save(png, format="png")
    body = {"init_images": [b64encode(png.getvalue()).decode()], "denoising_strength": 0.6}
    theirs = host.still("img2img", scheduler="Automatic", **body).astype(int)
    init = shown.astype(np.float32) / np.float32(255)
    ours = eight_bit(engine.still(replace(REQUEST, init=init, denoising=0.6))).astype(int)
    # The host's VAE draws from whatever state the last request left; Flipbook's from the picture's seed.
    assert np.abs(ours - theirs).mean() < 2
    again = eight_bit(engine.still(replace(REQUEST, init=init, denoising=0.6)))
    assert np.array_equal(ours, again)


@pytest.mark.parametrize("name", ["txt2img", "img2img"])
def test_nothing_of_a_picture_outlives_it(engine: Any, name: str) -> None:
    init = np.random.default_rng(1).random((128, 128, 3), np.float32) if name == "img2img" else None
    assert engine.outlived(replace(REQUEST, init=init, denoising=0.5 if name == "img2img" else 1.0)) <= 1


def test_the_hosts_progress_is_the_films(engine: Any, host: Any) -> None:
    seen: list[dict[str, Any]] = []
    engine.still(REQUEST, lambda done, total: seen.append(host.request("/sdapi/v1/progress")[1]))
    assert [found["state"]["sampling_steps"] for found in seen] == [4] * 4
    assert [found["state"]["job"] for found in seen] == ["webui"] * 4
    parts = [found["progress"] for found in seen]
    assert parts == sorted(parts)
    assert 0 < parts[1] < parts[3] <= 1
    assert host.request("/sdapi/v1/progress")[1]["progress"] == 0


def test_saved_styles_lie_round_a_films_prompts_as_round_the_hosts(
    engine: Any, host: Any, tmp_path: Path
) -> None:
    assert engine.capabilities.styles["night"] == Style("at night", "")
    settings = Keyframed(
        prompts="a red house, autumn --neg blue",
        styles=["ink", "night"],  # type: ignore[arg-type]
        frames=1,
        width=128,
        height=128,
        seed=7,
        steps="0:(4)",
    )
    run, plan = start(KEYFRAMED, settings, engine, "webui", tmp_path, 0)
    assert render(KEYFRAMED, plan, engine, run).finished
    shown = host.still(styles=["ink", "night"], scheduler="Automatic")
    assert np.array_equal(read_picture(run.frame_path(0)), shown)
    assert not np.array_equal(shown, host.still(scheduler="Automatic"))


def test_options_and_stills_are_as_before(engine: Any, host: Any) -> None:
    before = host.stills()
    options = host.request("/sdapi/v1/options")[1]
    engine.still(replace(REQUEST, clip_skip=2, vae="None", seed=3, tiling=True))
    init = np.full((128, 128, 3), 0.25, np.float32)
    mask = np.zeros((128, 128), np.float32)
    mask[:64] = 1
    engine.still(replace(REQUEST, init=init, mask=mask, denoising=0.7, only_masked=True))
    with pytest.raises(Interrupted):
        engine.still(REQUEST, _stop_at(2))
    assert host.request("/sdapi/v1/options")[1] == options
    after = host.stills()
    for name, still in before.items():
        assert np.array_equal(still, after[name]), name


def _stop_at(step: int) -> Any:
    def on_step(done: int, total: int) -> None:
        if done == step:
            raise Interrupted

    return on_step


def test_an_interrupt_for_another_job_does_not_end_a_film(engine: Any, host: Any) -> None:
    picture = engine.still(REQUEST)
    seen: list[int] = []

    def on_step(done: int, total: int) -> None:
        seen.append(done)
        if len(seen) == 2:
            _post(host, "/sdapi/v1/interrupt")

    assert np.array_equal(engine.still(REQUEST, on_step), picture)
    assert seen == [1, 2, 1, 2, 3, 4]


def test_an_interrupted_film_does_not_end_txt2img(engine: Any, host: Any) -> None:
    before = host.still()
    with pytest.raises(Interrupted):
        engine.still(REQUEST, _stop_at(1))
    assert np.array_equal(host.still(), before)


def test_a_film_keeps_its_options_when_the_user_changes_them(engine: Any, host: Any) -> None:
    picture = engine.still(REQUEST)
    _post(host, "/sdapi/v1/options", {"CLIP_stop_at_last_layers": 2, "randn_source": "CPU"})
    try:
        assert np.array_equal(engine.still(REQUEST), picture)
        assert host.request("/sdapi/v1/options")[1]["randn_source"] == "CPU"
    finally:
        _post(host, "/sdapi/v1/options", {"CLIP_stop_at_last_layers": 1, "randn_source": "GPU"})


def test_prompts_mix_between_two_ends(engine: Any) -> None:
    ends = [
        engine.still(replace(REQUEST, prompt=text)) for text in ("a red house, autumn", "snow AND a tree")
    ]

    def at(weight: float, how: str) -> np.ndarray:
        travel = PromptTravel(prompt="snow AND a tree", negative="blue", weight=weight, how=how)  # type: ignore[arg-type]
        picture: np.ndarray = engine.still(replace(REQUEST, travel=travel))
        return picture

    assert np.array_equal(at(0, "lerp"), ends[0])
    assert not np.array_equal(ends[0], ends[1])
    for how in ("lerp", "slerp"):
        assert np.abs(at(1, how) - ends[1]).max() < 2 / 255
        middle = at(0.5, how)
        assert not np.array_equal(middle, ends[0])
        assert not np.array_equal(middle, ends[1])


def test_scripts_that_are_not_there_are_refused_by_name(engine: Any) -> None:
    with pytest.raises(FlipbookError, match="No Such Script"):
        engine.still(replace(REQUEST, scripts={"No Such Script": (1,)}))


def test_a_checkpoint_that_vanished_is_a_sentence(engine: Any, host: Any, tmp_path: Path) -> None:
    (checkpoint,) = (host.models / "Stable-diffusion").glob("*.safetensors")
    away = tmp_path / checkpoint.name
    checkpoint.rename(away)
    try:
        with pytest.raises(FlipbookError, match=r"is missing; restore .*"):
            engine.still(REQUEST)
    finally:
        away.rename(checkpoint)
    assert engine.still(REQUEST).shape == (128, 128, 3)


def _post(host: Any, path: str, body: dict[str, Any] | None = None) -> None:
    request = urllib.request.Request(
        f"{host.url}{path}",
        data=json.dumps(body or {}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 200
