"""The WebUI as an engine: every picture of a film goes through the host's own processing."""

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
from lib_anim.webui.clip.motion_files import rack
from lib_anim.webui.clip.travel import travelling
from lib_anim.webui.engine.clips import ClipFrames, make_clip, task_for
from lib_anim.webui.host import controlnet as control
from lib_anim.webui.host.images import finest, to_pil
from lib_anim.webui.host.options import OURS, digest, in_force, pinned_now
from lib_anim.webui.host.processing import attach_scripts, host_request, runner_of, script_titles
from lib_anim.webui.host.step_monitor import WATCHED, StepMonitor

NAME = "webui"


class WebuiEngine:
    """Paints with the WebUI's checkpoint, samplers, networks and scripts, as they were when it was made.

    The host's queue is held for one picture at a time, so that txt2img works between the frames of a film.
    For that time the checkpoint, VAE and options which change pixels are those of the film; afterwards they
    are what they were. A picture that is asked for without init, or with one of 8 bits, equals the host's own
    still bit for bit; one with a finer init comes back finer than 8 bits.
    """

    def __init__(self, checkpoint: str | None = None) -> None:
        """`checkpoint`: a title or alias of the host's; None takes the one that is chosen now.

        Raises NotFound when it does not exist.
        """
        self._info = _checkpoint(checkpoint)
        self._vae = str(shared.opts.sd_vae)
        self._pinned = pinned_now()
        self._warnings: list[str] = []
        self._known: tuple[object, Capabilities] | None = None

    @property
    def name(self) -> str:
        return NAME

    @property
    def opened_as(self) -> str:
        """What opens this engine again with the same checkpoint, whatever is chosen in the page by then."""
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
            clip=ClipCapabilities(motion_modules=rack().choices(self._sites())),
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
        # --no-hashing: size and time stand for the contents.
        weights = f"sha256 {self._info.sha256}" if found else f"{size.st_size} bytes of {size.st_mtime_ns}"
        return (
            f"webui engine {launch_utils.git_tag()}, {self._info.name} {weights}, VAE {self._vae}, "
            f"{devices.device}, {devices.dtype}, options {digest(self._pinned)}, torch {torch.__version__}"
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(self._warnings)

    def still(self, request: StillRequest, on_step: OnStep | None = None) -> Picture:
        """One picture; see `Engine.still`. Painted again when the host is interrupted for another job."""
        self._check(request)
        while True:
            watch = StepMonitor(on_step, units=len(request.control) + len(enabled_units(request.scripts)))
            made = self._processed(request, watch, partial(_dressed, request))
            if made:
                return finest(np.asarray(made[0].convert("RGB")), watch.decoded, request.init)

    def clip(self, request: ClipRequest, on_step: OnStep | None = None) -> Iterator[Picture]:
        """A clip; see `Engine.clip`. Denoised again when the host is interrupted for another job.

        The host's queue is held until all frames are decoded; they wait on the disk, as 8 bits.
        """
        check_clip(request, self.capabilities)
        return self._clip(request, on_step)

    def _clip(self, request: ClipRequest, on_step: OnStep | None) -> Iterator[Picture]:
        freeinit = request.motion.freeinit
        still = replace(request.still(0), travel=None)
        while True:
            rounds = 1 if freeinit is None else freeinit.iterations
            watch = StepMonitor(on_step, len(enabled_units(request.scripts)), rounds)
            frames = ClipFrames()

            @contextmanager
            def steered(p: Any, frames: ClipFrames = frames) -> Iterator[None]:
                make_clip(p, request)
                HostClip(p, task_for(request), rack(), frames, self._warn).take_over()
                yield

            if self._processed(still, watch, steered) is not None and frames.batches:
                yield from frames.pictures(request)
                return

    def upscale(self, picture: Picture, upscaler: str, width: int, height: int) -> Picture:
        """A picture made larger by one of the host's upscalers, with 8 bits; see `Engine.upscale`."""
        with call_queue.queue_lock:
            larger = images.resize_image(0, to_pil(picture), width, height, upscaler_name=upscaler)
        return np.asarray(larger.convert("RGB"), np.float32) / np.float32(255)

    def close(self) -> None:
        """Nothing to free: the networks are the host's."""

    def _check(self, request: StillRequest) -> None:
        """Refuse what cannot be painted. Raises as `check`.

        What is known from the frame before is asked first: the full answer looks through the folders of
        models. What has come since is found before anything is refused.
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
        watch: StepMonitor,
        dressed: Callable[[Any], AbstractContextManager[None]],
    ) -> list[Any] | None:
        """The host's pictures of a request, or None when it was cut short by an interrupt not the film's.

        `dressed` puts on the host's request what is more than a still's.
        """
        with call_queue.queue_lock, self._asserted(request), _own_randomness(request.seed):
            shared.state.begin(job=NAME)
            shared.state.job_count = 1
            try:
                with closing(host_request(request)) as p:
                    setattr(p, WATCHED, watch)
                    attach_scripts(p, runner_of(request), _given(request))
                    with dressed(p), _let_go(p):
                        made: list[Any] = processing.process_images(p).images
            except devices.NansException as error:
                raise FlipbookError(Problem(str(error).splitlines()[0], field="checkpoint")) from error
            except HTTPException as error:
                # Requests of ours count as the API's, so this is how they are refused.
                raise _refusal(error) from error
            except RuntimeError as error:
                raise _as_sentence(error, request) from error
            finally:
                cut = shared.state.interrupted or shared.state.skipped or shared.state.stopping_generation
                closing_down = shared.state.server_command is not None
                shared.state.end()
                shared.state.interrupted = shared.state.skipped = shared.state.stopping_generation = False
        if watch.failed is not None:
            raise watch.failed
        if watch.ended is not None or (cut and closing_down):
            raise watch.ended or Interrupted
        return None if cut else made

    @contextmanager
    def _asserted(self, request: StillRequest) -> Iterator[None]:
        """The film's checkpoint, VAE and options in force."""
        info = self._info if request.checkpoint is None else sd_models.checkpoint_aliases[request.checkpoint]
        if not os.path.isfile(info.filename):
            sentence = f'the checkpoint "{info.name}" is gone; put {info.filename} back'
            raise NotFound(Problem(sentence, field="checkpoint"))
        options: Mapping[str, Any] = {
            **self._pinned,
            **OURS,
            "CLIP_stop_at_last_layers": request.clip_skip,
            "sd_model_checkpoint": info.title,
            "sd_vae": request.vae or self._vae,
        }
        vae = str(shared.opts.sd_vae)
        # A WebUI that has just started loads its checkpoint in a thread of its own; the property waits for
        # it. A second load beside it would leave both broken.
        _ = shared.sd_model
        with in_force(options):
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
        """The UNet's places for motion layers; None while another checkpoint is loaded."""
        model = sd_models.model_data.sd_model
        if model is None or model.sd_checkpoint_info is not self._info:
            return None
        return sites_of_ldm(model.model.diffusion_model)

    def _native_size(self) -> int:
        model = sd_models.model_data.sd_model
        return 1024 if model is not None and getattr(model, "is_sdxl", False) else 512


def _styles() -> dict[str, Style]:
    """The user's saved styles; the lines between files of them have no text and are none."""
    return {
        name: Style(style.prompt or "", style.negative_prompt or "")
        for name, style in shared.prompt_styles.styles.items()
        if style.prompt is not None or style.negative_prompt is not None
    }


def _given(request: StillRequest) -> dict[str, Any]:
    """Arguments of the host's always-on scripts, by title."""
    return control.with_units(request.scripts, request.control)


def _checkpoint(name: str | None) -> Any:
    if name is None:
        try:
            return sd_models.select_checkpoint()
        except FileNotFoundError as error:
            sentence = "the WebUI has no checkpoint; put one into models/Stable-diffusion"
            raise NotFound(Problem(sentence, field="checkpoint")) from error
    found = sd_models.checkpoint_aliases.get(name)
    if found is None:
        have = ", ".join(info.name for info in sd_models.checkpoints_list.values())
        raise NotFound(Problem(f'the WebUI has no checkpoint "{name}"; it has {have}', field="checkpoint"))
    return found


@contextmanager
def _dressed(request: StillRequest, p: Any) -> Iterator[None]:
    """Inside, the host's request has what is more than the host knows of a still.

    Its `init` finds torch's global generators at the seed, whatever was loaded or drawn just before:
    ControlNet loads its networks between the request's beginning and this, which draws numbers.
    """
    former = p.init

    def init(*arguments: Any) -> None:
        torch.manual_seed(request.seed)
        former(*arguments)

    p.init = init
    try:
        with travelling(p, request.travel):
            yield
    finally:
        del p.init


@contextmanager
def _let_go(p: Any) -> Iterator[None]:
    """Afterwards nothing refers to the host's request in a circle.

    Its sampler and the sampler's denoiser refer to each other and to the request, so that every frame's
    pictures stayed until Python swept up, which it seldom does among a WebUI's many objects.
    """
    try:
        yield
    finally:
        delattr(p, WATCHED)
        if p.sampler is not None:
            # The witness has wrapped the one, the other points back; samplers of scripts may have neither.
            vars(p.sampler).pop("callback_state", None)
            if getattr(p.sampler, "model_wrap_cfg", None) is not None:
                p.sampler.model_wrap_cfg.sampler = None


@contextmanager
def _own_randomness(seed: int) -> Iterator[None]:
    """Torch's global generators start at the seed, and go on afterwards as if nothing had been drawn.

    The host's VAE draws from them when it encodes an init picture: else a frame depended on what was made
    before it.
    """
    cuda = [torch.cuda.current_device()] if devices.device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        torch.manual_seed(seed)
        yield


def _refusal(error: HTTPException) -> FlipbookError:
    cause = error.__cause__
    return cause if isinstance(cause, FlipbookError) else FlipbookError(Problem(str(error.detail)))


def _as_sentence(error: RuntimeError, request: StillRequest) -> Exception:
    """An error of the host that a user can do something about, as a sentence; any other as it is."""
    if isinstance(error, torch.cuda.OutOfMemoryError) or "can't allocate memory" in str(error):
        size = f"{request.width}×{request.height}"
        return FlipbookError(
            Problem(f"{size} does not fit into the WebUI's memory; use a smaller size", field="width")
        )
    return error
