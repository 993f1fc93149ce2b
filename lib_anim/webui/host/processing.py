"""Converts a StillRequest to the host's processing object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr
import numpy as np
from modules import scripts
from modules.processing import StableDiffusionProcessingImg2Img, StableDiffusionProcessingTxt2Img

from lib_anim.engines.contract.requests import StillRequest
from lib_anim.errors import FlipbookError, Problem
from lib_anim.webui.clip.script import AnimateDiffScript
from lib_anim.webui.host.images import to_pil

FILLS = ("fill", "original", "latent noise", "latent nothing")
"""Index = value of the host's `inpainting_fill`."""


def host_request(request: StillRequest) -> Any:
    """The host's processing object for a still, with its scripts at their defaults.

    Pictures are rounded to 8 bits, the only depth that the host supports. The host saves nothing. The caller
    holds the host's queue lock and has applied the options, since the host reads some here.
    """
    common: dict[str, Any] = {
        "prompt": request.prompt,
        "negative_prompt": request.negative,
        "seed": request.seed,
        "subseed": request.subseed,
        "subseed_strength": request.subseed_strength,
        "seed_resize_from_w": (request.seed_resize_from or (0, 0))[0],
        "seed_resize_from_h": (request.seed_resize_from or (0, 0))[1],
        "sampler_name": request.sampler,
        "scheduler": request.scheduler,
        "batch_size": 1,
        "n_iter": 1,
        "steps": request.steps,
        "cfg_scale": request.cfg_scale,
        "width": request.width,
        "height": request.height,
        "restore_faces": request.restore_faces,
        "tiling": request.tiling,
        "eta": request.eta,
        "do_not_save_samples": True,
        "do_not_save_grid": True,
    }
    if request.init is None:
        return StableDiffusionProcessingTxt2Img(**common)
    p = StableDiffusionProcessingImg2Img(
        **common,
        init_images=[to_pil(request.init)],
        denoising_strength=request.denoising,
        initial_noise_multiplier=request.noise_multiplier,
        mask=None if request.mask is None else to_pil(request.mask),
        inpainting_fill=FILLS.index(request.fill),
        inpaint_full_res=request.only_masked,
        inpaint_full_res_padding=request.only_masked_padding,
    )
    # The constructor's `mask_blur` accepts integers only; these two accept floats.
    p.mask_blur_x = p.mask_blur_y = request.mask_blur
    # Binary masks are rounded like the host's own; soft masks stay soft.
    p.mask_round = request.mask is None or bool(np.isin(request.mask, (0, 1)).all())
    return p


def attach_scripts(p: Any, runner: Any, given: Mapping[str, Sequence[Any]]) -> None:
    """Attach the host's always-on scripts with default arguments, replaced by `given` (title → arguments).

    Raises FlipbookError for a script that is not installed and for too many arguments.
    """
    arguments = _defaults(runner)
    for script in runner.alwayson_scripts:
        if isinstance(script, AnimateDiffScript):
            # Disabled by one value, so that it does not parse its settings for every frame.
            arguments[script.args_from] = False
    for title, values in given.items():
        script = next((s for s in runner.alwayson_scripts if s.title().lower() == title.lower()), None)
        if script is None:
            raise FlipbookError(
                Problem(
                    f'the WebUI has no script "{title}"; install or enable it',
                    field="scripts",
                    code="script.not_found",
                )
            )
        slots = range(script.args_from, script.args_to)
        if len(values) > len(slots):
            raise FlipbookError(
                Problem(
                    f'the script "{title}" got {len(values)} arguments; it accepts {len(slots)}',
                    field="scripts",
                    code="script.too_many_arguments",
                )
            )
        for slot, value in zip(slots, values, strict=False):
            arguments[slot] = value
    # Otherwise the WebUI's form scripts (seed, sampler, refiner) would write the page's values into p.
    p.is_api = True
    p.scripts = runner
    p.script_args = tuple(arguments)


def script_titles() -> tuple[str, ...]:
    """Titles of the always-on scripts of img2img that take arguments, as requests name them."""
    runner = scripts.scripts_img2img
    return tuple(s.title() for s in runner.alwayson_scripts if (s.args_to or 0) > (s.args_from or 0))


def _defaults(runner: Any) -> list[Any]:
    """Default values of all scripts' controls."""
    if len(runner.inputs) > 1:
        return [0, *(getattr(control, "value", None) for control in runner.inputs[1:])]
    arguments: list[Any] = [0] + [None] * max((s.args_to or 1) for s in runner.scripts)
    # Without a page (--nowebui) no controls exist yet; they are created in a temporary context.
    with gr.Blocks():
        for script in runner.scripts:
            controls = script.ui(script.is_img2img) or ()
            arguments[script.args_from : script.args_to] = [control.value for control in controls]
    return arguments


def runner_of(request: StillRequest) -> Any:
    """The host's script runner for the request: txt2img's or img2img's."""
    return scripts.scripts_txt2img if request.init is None else scripts.scripts_img2img
