"""A small extension for benchmarks/mov2mov.py: runs mov2mov inside the WebUI, counts time and memory."""

from __future__ import annotations

import ctypes
import functools
import gc
import os
import re
import sys
import threading
import time
import types
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import torch
from fastapi import FastAPI
from modules import call_queue, paths, processing, script_callbacks, scripts, shared
from PIL import Image

SPENT = {"networks": 0.0, "pictures": 0}
INSIDE = threading.local()


def count(owner: Any, name: str) -> None:
    """Adds the time of a function of the host to that of the networks; once for calls within calls."""
    function: Callable[..., Any] = getattr(owner, name)

    @functools.wraps(function)
    def counted(*args: Any, **named: Any) -> Any:
        if getattr(INSIDE, "is", False):
            return function(*args, **named)
        INSIDE.__dict__["is"] = True
        begin = time.perf_counter()
        try:
            return function(*args, **named)
        finally:
            SPENT["networks"] += time.perf_counter() - begin
            INSIDE.__dict__["is"] = False

    setattr(owner, name, counted)


def idle(seconds: float) -> None:
    """Puts waiting in the place of the networks' work, for a WebUI that will do nothing else.

    Latents are pictures made small, so that pictures stay pictures; each waits so long while it is sampled.
    """

    def encode(picture: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        small = torch.nn.functional.avg_pool2d(picture, 8)
        return torch.cat((small, small[:, :1]), dim=1)

    def decode(_: Any, latents: torch.Tensor, *__: Any, **___: Any) -> list[torch.Tensor]:
        return list(torch.nn.functional.interpolate(latents[:, :3], scale_factor=8, mode="bilinear"))

    def predict(x: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        return torch.zeros_like(x)

    former = processing.StableDiffusionProcessingImg2Img.sample

    def sample(self: Any, *args: Any, **named: Any) -> Any:
        time.sleep(seconds)
        return former(self, *args, **named)

    processing.images_tensor_to_samples, processing.decode_latent_batch = encode, decode
    processing.StableDiffusionProcessingImg2Img.sample = sample
    shared.sd_model.apply_model = predict


def memory(name: str) -> float:
    """VmRSS or VmHWM of this process, in MiB."""
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def by_mov2mov(body: dict[str, Any]) -> str:
    """The film that mov2mov's button would make, all other scripts as nobody has touched them."""
    mov2mov = sys.modules["scripts.mov2mov"]
    # Else they are in the WebUI's own folder.
    for name in ("mov2mov_output_dir", "mov2mov_outpath_samples"):
        shared.opts.data[name] = str(Path(paths.data_path, "outputs", name))
    runner = mov2mov.scripts_mov2mov
    arguments = [getattr(control, "value", None) for control in runner.inputs]
    arguments[0] = 0
    # What the page's own controls for sampling and seed would say.
    given = {"sampler": (body["steps"], body["sampler"], "Automatic"), "seed": (body["seed"],)}
    for script in runner.alwayson_scripts:
        for offset, value in enumerate(given.get(script.section or "", ())):
            arguments[script.args_from + offset] = value
    shared.state.begin(job="mov2mov")
    with call_queue.queue_lock:
        film, *_ = mov2mov.mov2mov(
            "bench", types.SimpleNamespace(username=None), 0, body["prompt"], "", [], body["video"],
            body["cfg_scale"], 1.5, body["denoising"], 0, body["size"], body["size"], 1.0, 0, [], 1.0,
            body["fps"], -1, False, None, 4.0, *arguments,
        )  # fmt: skip
    shared.state.end()
    return str(film)


def by_host(body: dict[str, Any]) -> str:
    """The host's own loop over frames that are in memory; nothing is kept or written."""
    source, frames = cv2.VideoCapture(body["video"]), []
    while True:
        there, frame = source.read()
        if not there:
            break
        frames.append(Image.fromarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)))
    p = processing.StableDiffusionProcessingImg2Img(
        prompt=body["prompt"],
        seed=body["seed"],
        steps=body["steps"],
        cfg_scale=body["cfg_scale"],
        width=body["size"],
        height=body["size"],
        sampler_name=body["sampler"],
        scheduler="Automatic",
        init_images=[None],
        denoising_strength=body["denoising"],
        do_not_save_samples=True,
        do_not_save_grid=True,
    )
    p.is_api = True
    p.scripts = scripts.scripts_img2img
    p.script_args = [0, *(getattr(control, "value", None) for control in p.scripts.inputs[1:])]
    shared.state.begin(job="loop")
    begin = time.perf_counter()
    with call_queue.queue_lock, closing(p):
        for frame in frames:
            p.init_images = [frame]
            processing.process_images(p)
    shared.state.end()
    return f"{time.perf_counter() - begin}"


def add_routes(_: Any, app: FastAPI) -> None:
    """POST /bench/ready, once; /bench/mov2mov, /bench/host: a film, between /bench/begin and …/figures."""

    def ready(body: dict[str, Any]) -> Any:
        if body["idle"] is not None:
            idle(body["idle"])
        settle()
        return {}

    def begin() -> Any:
        SPENT.update(networks=0.0, pictures=0)
        # What the film before has left is not this one's: else who comes second looks thrifty.
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
        return {"memory": memory("VmRSS")}

    def figures() -> Any:
        return {**SPENT, "peak": memory("VmHWM"), "pid": os.getpid()}

    for name, function in {
        "mov2mov": by_mov2mov, "host": by_host
    }.items():  # fmt: skip

        def route(body: dict[str, Any], function: Any = function) -> Any:
            return {"answer": function(body)}

        app.add_api_route(f"/bench/{name}", route, methods=["POST"])
    app.add_api_route("/bench/ready", ready, methods=["POST"])
    app.add_api_route("/bench/begin", begin, methods=["POST"])
    app.add_api_route("/bench/figures", figures, methods=["GET"])


def settle() -> None:
    """Counts what the networks do: text, VAE and sampling."""
    for name in ("sample", "setup_conds"):
        count(processing.StableDiffusionProcessingImg2Img, name)
    for name in ("images_tensor_to_samples", "decode_latent_batch"):
        count(processing, name)
    former = processing.process_images_inner

    @functools.wraps(former)
    def inner(p: Any) -> Any:
        SPENT["pictures"] += 1
        return former(p)

    processing.process_images_inner = inner


script_callbacks.on_app_started(add_routes)
