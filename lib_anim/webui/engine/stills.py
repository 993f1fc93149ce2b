"""The WebUI as an engine: every picture of a film is rendered by the host's own processing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from fastapi import HTTPException
from modules import (
    call_queue,
    devices,
    images,
    launch_utils,
    processing,
    sd_models,
    sd_samplers,
    sd_schedulers,
    sd_vae,
    shared,
)

from lib_anim.engines.contract.capabilities import Capabilities, ClipCapabilities, Style
from lib_anim.engines.contract.checks import check, check_clip
from lib_anim.engines.contract.engine import Interrupted, OnStep
from lib_anim.engines.contract.requests import ClipRequest, StillRequest
from lib_anim.engines.contract.scripts import enabled_units
from lib_anim.errors import FlipbookError, NotFound, Problem
from lib_anim.motion.sites import Sites, sites_of_ldm
from lib_anim.types import Picture
from lib_anim.webui.clip.host_clip import HostClip
from lib_anim.webui.clip.motion_files import motion_store
from lib_anim.webui.clip.travel import mixed_prompts
from lib_anim.webui.engine.clips import ClipFrames, set_frame_values, task_for
from lib_anim.webui.host import controlnet as control
from lib_anim.webui.host.images import to_pil, with_full_precision
from lib_anim.webui.host.options import FILM_OPTIONS, applied, current_pixel_options, digest
from lib_anim.webui.host.processing import attach_scripts, host_request, runner_of, script_titles
from lib_anim.webui.host.step_monitor import MONITOR, StepMonitor

NAME = "webui"


class WebuiEngine:
    """Renders with the WebUI's checkpoint, samplers, networks and scripts, as set when it was created.

    The host's queue lock is held for one picture at a time, so that txt2img works between the frames of a
    film. During that time the checkpoint, the VAE and the options that change pixels are those of the film;
    they are restored afterwards. A picture without init, or with an 8-bit init, equals the host's own still
    bit for bit; one with a more precise init has more than 8 bits.
    """

    def __init__(self, checkpoint: str | None = None) -> None:
        """`checkpoint`: a title or alias of the host's; None uses the currently selected one.

        Raises NotFound when it does not exist.
        """
        self._info = _checkpoint(checkpoint)
        self._vae = str(shared.opts.sd_vae)
        self._pinned = current_pixel_options()
        self._warnings: list[str] = []
        self._known: tuple[object, Capabilities] | None = None

    @property
    def name(self) -> str:
        return NAME

    @property
    def opened_as(self) -> str:
        """Engine name that opens the same checkpoint again, whatever is selected in the page then."""
        return f"{NAME}:{self._info.name}"

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            samplers=tuple(sampler.name for sampler in sd_samplers.all_samplers),
            schedulers=tuple(scheduler.label for scheduler in sd_schedulers.schedulers),
            multiple_of=8,
            inpaint=True,
            travel=True,
            restore_faces=bool(shared.face_restorers),
            tiling=True,
            subseed=True,
            checkpoints=tuple(sd_models.checkpoint_aliases),
            vaes=("Automatic", "None", *sd_vae.vae_dict),
            control=control.installed(),
            control_models=control.models(),
            control_modules=control.modules(),
            clip=ClipCapabilities(motion_modules=motion_store().choices(self._sites())),
            scripts=script_titles(),
            styles=_styles(),
            upscalers=tuple(upscaler.name for upscaler in shared.sd_upscalers if upscaler.name != "None"),
            native_size=self._native_size(),
        )

    @cached_property
    def fingerprint(self) -> str:
        path = self._info.filename
        found = self._info.sha256 or self._info.calculate_shorthash() or self._info.sha256
        size = os.stat(path)
        # With --no-hashing, size and time identify the contents.
        weights = f"sha256 {self._info.sha256}" if found else f"{size.st_size} bytes of {size.st_mtime_ns}"
        return (
            f"webui engine {launch_utils.git_tag()}, {self._info.name} {weights}, VAE {self._vae}, "
            f"{devices.device}, {devices.dtype}, options {digest(self._pinned)}, torch {torch.__version__}"
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(self._warnings)

    def still(self, request: StillRequest, on_step: OnStep | None = None) -> Picture:
        """One picture; see `Engine.still`. Rendered again when the host is interrupted for another job."""
        self._check(request)
        while True:
            monitor = StepMonitor(on_step, units=len(request.control) + len(enabled_units(request.scripts)))
            pictures = self._processed(request, monitor, partial(_patched_still, request))
            if pictures:
                return with_full_precision(
                    np.asarray(pictures[0].convert("RGB")), monitor.decoded, request.init
                )

    def clip(self, request: ClipRequest, on_step: OnStep | None = None) -> Iterator[Picture]:
        """A clip; see `Engine.clip`. Rendered again when the host is interrupted for another job.

        The host's queue lock is held until all frames are decoded; they are buffered on disk in 8 bits.
        """
        check_clip(request, self.capabilities)
        return self._clip(request, on_step)

    def _clip(self, request: ClipRequest, on_step: OnStep | None) -> Iterator[Picture]:
        freeinit = request.motion.freeinit
        still = replace(request.still(0), travel=None)
        while True:
            rounds = 1 if freeinit is None else freeinit.iterations
            monitor = StepMonitor(on_step, len(enabled_units(request.scripts)), rounds)
            frames = ClipFrames()

            @contextmanager
            def patched(p: Any, frames: ClipFrames = frames) -> Iterator[None]:
                set_frame_values(p, request)
                HostClip(p, task_for(request), motion_store(), frames, self._warn).attach()
                yield

            if self._processed(still, monitor, patched) is not None and frames.batches:
                yield from frames.pictures(request)
                return

    def upscale(self, picture: Picture, upscaler: str, width: int, height: int) -> Picture:
        """Upscale a picture with one of the host's upscalers, in 8 bits; see `Engine.upscale`."""
        with call_queue.queue_lock:
            larger = images.resize_image(0, to_pil(picture), width, height, upscaler_name=upscaler)
        return np.asarray(larger.convert("RGB"), np.float32) / np.float32(255)

    def close(self) -> None:
        """Nothing to free: the models belong to the host."""

    def _check(self, request: StillRequest) -> None:
        """Check a request against the capabilities. Raises as `check`.

        Uses the capabilities of the previous frame first, because computing them scans the model folders;
        they are computed again before a request is rejected.
        """
        listed = (tuple(sd_models.checkpoint_aliases), tuple(sd_vae.vae_dict))
        if self._known is not None and self._known[0] == listed:
            try:
                return check(request, self._known[1])
            except FlipbookError:
                self._known = None
        self._known = (listed, self.capabilities)
        check(request, self._known[1])

    def _warn(self, sentence: str) -> None:
        if sentence not in self._warnings:
            self._warnings.append(sentence)

    def _processed(
        self,
        request: StillRequest,
        monitor: StepMonitor,
        patch: Callable[[Any], AbstractContextManager[None]],
    ) -> list[Any] | None:
        """The host's pictures of a request, or None when someone else interrupted the host.

        `patch` applies further patches to the host's request.
        """
        with call_queue.queue_lock, self._film_settings(request), _seeded_generators(request.seed):
            shared.state.begin(job=NAME)
            shared.state.job_count = 1
            try:
                with closing(host_request(request)) as p:
                    setattr(p, MONITOR, monitor)
                    attach_scripts(p, runner_of(request), _script_arguments(request))
                    with patch(p), _cycles_broken(p):
                        pictures: list[Any] = processing.process_images(p).images
            except devices.NansException as error:
                sentence = str(error).splitlines()[0]
                problem = Problem(sentence, field="checkpoint", code="model.not_finite")
                raise FlipbookError(problem) from error
            except HTTPException as error:
                # Flipbook's requests are marked as API requests, which are rejected with this exception.
                raise _rejection(error) from error
            except RuntimeError as error:
                raise _user_error(error, request) from error
            finally:
                cancelled = (
                    shared.state.interrupted or shared.state.skipped or shared.state.stopping_generation
                )
                closing_down = shared.state.server_command is not None
                shared.state.end()
                shared.state.interrupted = shared.state.skipped = shared.state.stopping_generation = False
        if monitor.failed is not None:
            raise monitor.failed
        if monitor.ended is not None or (cancelled and closing_down):
            raise monitor.ended or Interrupted
        return None if cancelled else pictures

    @contextmanager
    def _film_settings(self, request: StillRequest) -> Iterator[None]:
        """Load the film's checkpoint and VAE and apply its options inside the block; restore them after."""
        info = self._info if request.checkpoint is None else sd_models.checkpoint_aliases[request.checkpoint]
        if not os.path.isfile(info.filename):
            sentence = f'the file of checkpoint "{info.name}" is missing; restore {info.filename}'
            raise NotFound(Problem(sentence, field="checkpoint", code="file.not_found"))
        options: Mapping[str, Any] = {
            **self._pinned,
            **FILM_OPTIONS,
            "CLIP_stop_at_last_layers": request.clip_skip,
            "sd_model_checkpoint": info.title,
            "sd_vae": request.vae or self._vae,
        }
        vae = str(shared.opts.sd_vae)
        # A WebUI that has just started loads its checkpoint in a thread; the property waits for it. Two
        # concurrent loads would corrupt the model.
        _ = shared.sd_model
        with applied(options):
            try:
                sd_models.reload_model_weights()
                if options["sd_vae"] != vae:
                    sd_vae.reload_vae_weights()
                yield
            finally:
                shared.opts.data["sd_vae"] = vae
                if options["sd_vae"] != vae:
                    sd_vae.reload_vae_weights()

    def _sites(self) -> Sites | None:
        """The UNet's insertion points for motion layers; None while another checkpoint is loaded."""
        model = sd_models.model_data.sd_model
        if model is None or model.sd_checkpoint_info is not self._info:
            return None
        return sites_of_ldm(model.model.diffusion_model)

    def _native_size(self) -> int:
        model = sd_models.model_data.sd_model
        return 1024 if model is not None and getattr(model, "is_sdxl", False) else 512


def _styles() -> dict[str, Style]:
    """The user's saved styles, without the separators between style files, which have no text."""
    return {
        name: Style(style.prompt or "", style.negative_prompt or "")
        for name, style in shared.prompt_styles.styles.items()
        if style.prompt is not None or style.negative_prompt is not None
    }


def _script_arguments(request: StillRequest) -> dict[str, Any]:
    """Title → arguments of the host's always-on scripts."""
    return control.with_units(request.scripts, request.control)


def _checkpoint(name: str | None) -> Any:
    if name is None:
        try:
            return sd_models.select_checkpoint()
        except FileNotFoundError as error:
            sentence = "the WebUI has no checkpoint; put one into models/Stable-diffusion"
            raise NotFound(Problem(sentence, field="checkpoint", code="model.not_found")) from error
    found = sd_models.checkpoint_aliases.get(name)
    if found is None:
        have = ", ".join(info.name for info in sd_models.checkpoints_list.values())
        sentence = f'the WebUI has no checkpoint "{name}"; it has {have}'
        raise NotFound(Problem(sentence, field="checkpoint", code="model.not_found"))
    return found


@contextmanager
def _patched_still(request: StillRequest, p: Any) -> Iterator[None]:
    """Patch the host's request for a still inside the block: prompt travel and reproducible `init`.

    `init` starts with torch's global generators at the seed: ControlNet loads its networks before it, which
    draws random numbers.
    """
    original = p.init

    def init(*arguments: Any) -> None:
        torch.manual_seed(request.seed)
        original(*arguments)

    p.init = init
    try:
        with mixed_prompts(p, request.travel):
            yield
    finally:
        del p.init


@contextmanager
def _cycles_broken(p: Any) -> Iterator[None]:
    """Break the reference cycles of the host's request when the block ends.

    Its sampler and the sampler's denoiser refer to each other and to the request, so that every frame's
    pictures would be kept until a garbage collection, which is rare in a WebUI.
    """
    try:
        yield
    finally:
        delattr(p, MONITOR)
        if p.sampler is not None:
            # StepMonitorScript has wrapped the callback; samplers of other scripts may lack both attributes.
            vars(p.sampler).pop("callback_state", None)
            if getattr(p.sampler, "model_wrap_cfg", None) is not None:
                p.sampler.model_wrap_cfg.sampler = None


@contextmanager
def _seeded_generators(seed: int) -> Iterator[None]:
    """Seed torch's global generators inside the block and restore their state afterwards.

    The host's VAE samples from them when it encodes an init picture; without this a frame would depend on
    the pictures rendered before it.
    """
    cuda = [torch.cuda.current_device()] if devices.device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        torch.manual_seed(seed)
        yield


def _rejection(error: HTTPException) -> FlipbookError:
    cause = error.__cause__
    return (
        cause
        if isinstance(cause, FlipbookError)
        else FlipbookError(Problem(str(error.detail), code="webui.rejected"))
    )


def _user_error(error: RuntimeError, request: StillRequest) -> Exception:
    """FlipbookError for an out-of-memory error of the host; any other error unchanged."""
    if isinstance(error, torch.cuda.OutOfMemoryError) or "can't allocate memory" in str(error):
        size = f"{request.width}×{request.height}"
        return FlipbookError(
            Problem(
                f"{size} does not fit into the WebUI's memory; use a smaller size",
                field="width",
                code="memory.insufficient",
            )
        )
    return error
