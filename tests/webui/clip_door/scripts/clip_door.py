"""A small extension for tests: leaves its mark on every picture, and tells what hooks and ControlNet saw."""

from __future__ import annotations

import hashlib
from contextlib import closing
from typing import Any

import numpy as np
import torch
from fastapi import FastAPI
from modules import call_queue, script_callbacks, scripts, sd_unet, shared
from modules.img2img import process_batch
from modules.processing import StableDiffusionProcessingImg2Img

SEEN: dict[str, list[Any]] = {"pictures": [], "composites": [], "faces": [], "hints": []}
HOOKED: set[int] = set()


class Marks(scripts.Script):
    """Writes a picture's batch index into two pixels of its corner."""

    def title(self) -> str:
        return "clip door"

    def show(self, is_img2img: bool) -> Any:
        return scripts.AlwaysVisible

    def process(self, p: Any, *args: Any) -> None:
        # As scripts for wildcards do.
        for number, prompt in enumerate(p.all_prompts):
            p.all_prompts[number] = prompt.replace("__animal__", ("cat", "dog", "cow")[number % 3])

    def process_before_every_sampling(self, p: Any, *args: Any, **named: Any) -> None:
        if "spoilt" in p.all_prompts[-1]:
            # As a script might that works on conditionings.
            p.c.batch[-1].append(p.c.batch[-1][0])

    def postprocess_image(self, p: Any, pp: Any, *args: Any) -> None:
        pp.image.putpixel((0, 0), (100 + p.batch_index, 1, 2))
        SEEN["pictures"].append(p.batch_index)

    def postprocess_image_after_composite(self, p: Any, pp: Any, *args: Any) -> None:
        pp.image.putpixel((1, 0), (200 + p.batch_index, 3, 4))
        SEEN["composites"].append(p.batch_index)


class Unet(sd_unet.SdUnetOption):
    """An SD Unet, such as TensorRT's, that is never made."""

    def __init__(self) -> None:
        self.label = "[TRT] door"
        self.model_name = "door"


class Faces:
    """A face restorer that draws a line."""

    def name(self) -> str:
        return "door"

    def restore(self, picture: np.ndarray) -> np.ndarray:
        SEEN["faces"].append(len(SEEN["faces"]))
        picture = picture.copy()
        picture[-1] = (9, 8, 7)
        return picture


def watch_control(params: Any) -> None:
    """Hooks every network of ControlNet once: which frames it was run for, and with what hints."""
    p = params.denoiser.p
    script = next((s for s in p.scripts.alwayson_scripts if s.title() == "ControlNet"), None)
    network = getattr(script, "latest_network", None)
    for number, param in enumerate(getattr(network, "control_params", None) or ()):
        model = param.control_model
        if id(model) in HOOKED:
            continue
        HOOKED.add(id(model))

        def look(_: Any, args: Any, named: Any, number: int = number) -> None:
            hint = named["hint"]
            session = getattr(CURRENT[0], "session", None)
            SEEN["hints"].append(
                {
                    "unit": number,
                    "window": list(session.window) if session is not None else None,
                    "rows": len(named["x"]),
                    "levels": [round(float(row[:3].mean()) * 255) for row in hint],
                    "digests": [
                        hashlib.sha256(row.float().cpu().numpy().tobytes()).hexdigest() for row in hint
                    ],
                }
            )

        model.register_forward_pre_hook(look, with_kwargs=True)
    CURRENT[0] = getattr(p, "flipbook_clip", None)


CURRENT: list[Any] = [None]


def add_routes(_: Any, app: FastAPI) -> None:
    """GET /test-clip/seen answers and forgets; /test-clip/axes names the plot's axes; both for tests."""

    def seen() -> Any:
        found = {name: list(values) for name, values in SEEN.items()}
        found["received"] = [
            [*key, digest]
            for key, digest in getattr(getattr(CURRENT[0], "hints", None), "received", {}).items()
        ]
        for values in SEEN.values():
            values.clear()
        return found

    def axes() -> Any:
        plot = next(s.module for s in scripts.scripts_data if s.script_class.__module__ == "xyz_grid.py")
        return {
            str(img2img): [
                axis.label
                for axis in plot.axis_options
                if type(axis) is plot.AxisOption or axis.is_img2img == img2img
            ]
            for img2img in (False, True)
        }

    def batch(body: dict[str, Any]) -> Any:
        """The Batch tab of img2img: films of a folder's pictures, and what is left of the request."""
        p = StableDiffusionProcessingImg2Img(
            outpath_samples=body["out"], prompt=body["prompt"], steps=2, width=64, height=64, seed=7, n_iter=1
        )
        p.scripts = scripts.scripts_img2img
        arguments = [control.value for control in p.scripts.inputs]
        arguments[0] = 0
        script = next(s for s in p.scripts.alwayson_scripts if s.title() == "AnimateDiff")
        arguments[script.args_from] = body["clip"]
        p.script_args = tuple(arguments)
        former = p.init

        def init(*given: Any) -> None:
            # The host's VAE draws from where the picture before has left off.
            torch.manual_seed(0)
            former(*given)

        p.init = init
        with call_queue.queue_lock, closing(p):
            process_batch(p, body["folder"], "", "", arguments)
        left = [
            name for name, value in vars(p).items() if callable(value) and "lib_anim" in str(value.__module__)
        ]
        return {"prompt": p.prompt, "batch_size": p.batch_size, "left": left}

    app.add_api_route("/test-clip/batch", batch, methods=["POST"])
    app.add_api_route("/test-clip/seen", seen, methods=["GET"])
    app.add_api_route("/test-clip/axes", axes, methods=["GET"])


shared.face_restorers.append(Faces())
script_callbacks.on_list_unets(lambda options: options.append(Unet()))
script_callbacks.on_cfg_denoiser(watch_control)
script_callbacks.on_app_started(add_routes)
