"""A small extension for tests: tells the WebUI's own numbers between prompt and picture to a test outside."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from fastapi import Body, FastAPI
from modules import devices, prompt_parser, rng, script_callbacks, sd_samplers, shared

JSON = Body()


def packed(tensor: torch.Tensor) -> str:
    """A float32 array as .npy, in base64."""
    file = io.BytesIO()
    np.save(file, tensor.detach().float().cpu().numpy())
    return base64.b64encode(file.getvalue()).decode()


@contextmanager
def options(**changes: Any) -> Iterator[None]:
    """The WebUI's options, changed for a while."""
    former = {name: shared.opts.data.get(name) for name in changes}
    shared.opts.data.update(changes)
    try:
        yield
    finally:
        shared.opts.data.update(former)


def cond(value: Any) -> dict[str, str]:
    """SDXL's conditioning has a vector too."""
    parts = value if isinstance(value, dict) else {"crossattn": value}
    return {name: packed(part) for name, part in parts.items() if name in ("crossattn", "vector")}


def schedule(steps: Any) -> list[Any]:
    return [[step.end_at_step, cond(step.cond)] for step in steps]


def conds(body: dict[str, Any] = JSON) -> Any:
    """{"positive": [[share, [[last step, {"crossattn", "vector"}], …]], …], "negative": […]}."""
    model = shared.sd_model
    with options(CLIP_stop_at_last_layers=body["clip_skip"]), torch.no_grad(), devices.autocast():
        size = {"width": body.get("width", 64), "height": body.get("height", 64)}
        texts = prompt_parser.SdConditioning([body["prompt"]], **size)
        found = prompt_parser.get_multicond_learned_conditioning(model, texts, body["steps"])
        texts = prompt_parser.SdConditioning([body.get("negative", "")], is_negative_prompt=True, **size)
        away = prompt_parser.get_learned_conditioning(model, texts, body["steps"])
    return {
        "positive": [[part.weight, schedule(part.schedules)] for part in found.batch[0]],
        "negative": schedule(away[0]),
    }


def sigmas(body: dict[str, Any] = JSON) -> Any:
    """The levels that a sampler visits."""
    sampler = sd_samplers.create_sampler(body["sampler"], shared.sd_model)
    p = SimpleNamespace(
        scheduler=body["scheduler"],
        sampler_noise_scheduler_override=None,
        extra_generation_params={},
        is_hr_pass=False,
    )
    return packed(sampler.get_sigmas(p, body["steps"]))


def noise(body: dict[str, Any] = JSON) -> Any:
    """A picture's first three draws, and a Brownian path's steps between `levels`."""
    from k_diffusion.sampling import BrownianTreeNoiseSampler

    with options(randn_source=body["source"], eta_noise_seed_delta=body.get("delta", 0)):
        stream = rng.ImageRNG(
            body["shape"],
            [body["seed"]],
            subseeds=[body.get("subseed", 0)],
            subseed_strength=body.get("subseed_strength", 0.0),
            seed_resize_from_w=body.get("resize_from", [0, 0])[0],
            seed_resize_from_h=body.get("resize_from", [0, 0])[1],
        )
        draws = [stream.next()[0] for _ in range(3)]
        levels = [torch.tensor(level) for level in body["levels"]]
        path = BrownianTreeNoiseSampler(draws[0][None], levels[-1], levels[0], seed=[body["seed"]])
        steps = [path(here, there)[0] for here, there in pairwise(levels)]
    return [packed(draw) for draw in (*draws, *steps)]


def add_routes(_: Any, app: FastAPI) -> None:
    """POST /test-parity/conds, /sigmas, /noise."""
    for function in (conds, sigmas, noise):
        app.add_api_route(f"/test-parity/{function.__name__}", function, methods=["POST"])


script_callbacks.on_app_started(add_routes)
