"""A clip painted by the host: one request of txt2img or img2img whose batch is the clip's frames."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import torch
from modules import sd_samplers, sd_unet, shared
from PIL import Image

from lib_anim.engines.motion_rack import MotionRack
from lib_anim.errors import FlipbookError, NotFound, Problem
from lib_anim.jobs.clip_films import ClipFiles
from lib_anim.models.motion import MotionModule
from lib_anim.motion.fit import refuse_misfit
from lib_anim.motion.session import ClipSession
from lib_anim.motion.sites import Sites, sites_of_ldm
from lib_anim.settings.animatediff import ClipCall
from lib_anim.webui.alphas import Alphas
from lib_anim.webui.clip_hints import ClipHints
from lib_anim.webui.clip_noise import ClipRandom
from lib_anim.webui.clip_pictures import ClipPictures
from lib_anim.webui.clip_plan import ClipCurves
from lib_anim.webui.clip_prompts import ClipPrompts
from lib_anim.webui.clip_rows import RowOrder
from lib_anim.webui.clip_source import ClipSource
from lib_anim.webui.clip_start import ClipStart
from lib_anim.webui.clip_steps import CLIP
from lib_anim.webui.refusal import refuse


class HostClip:
    """Steers the host through one request.

    Everything it puts on the host is put on inside `p.sample` and taken off when that ends, however it ends:
    the host swallows what hooks raise, and calls no hook after an error. What it puts on the request itself
    goes away with the request.
    """

    module: MotionModule
    session: ClipSession

    def __init__(self, p: Any, call: ClipCall, rack: MotionRack) -> None:
        """Changes nothing yet. Raises FlipbookError."""
        motion = call.motion
        self.source = ClipSource(motion)
        frames = self.source.length(motion)
        self.call = call
        self.frames = frames
        self.denoised = max(frames, motion.context) if motion.full_context else frames
        self.warnings: list[str] = list(call.warnings)
        self.files: list[ClipFiles] = []
        """What was written, batch by batch."""
        self.first: list[Image.Image] = []
        """The first frame of every batch."""
        self.parameters = ""
        """The latest film's, as the host writes a picture's."""
        self.frames_as_text: list[str] = []
        """The last batch's frames as base64 PNG, where the API asked for them (`Frame`)."""
        self.curves = ClipCurves(motion, frames, self.denoised, p)
        plan = self.curves.plan
        self.prompts = ClipPrompts(p, motion, self.denoised, plan.cyclic_prompts)
        self.start = ClipStart(call, self.curves, frames, self.denoised)
        self.pictures = ClipPictures(self.source, self.denoised)
        self.hints = ClipHints(self.source, self.denoised)
        self._p = p
        self._rack = rack
        self._loras = list(motion.loras)
        self._alphas: Alphas | None = None
        self._order: RowOrder | None = None
        self._checkpoint: Any = None
        self.warnings += [*self.curves.warnings, *self.prompts.warnings]

    def take_over(self) -> None:
        """Make the request a clip: its batch size, prompts and the scope of its sampling."""
        p = self._p
        setattr(p, CLIP, self)
        p.batch_size = self.denoised
        # The host gets no pictures to put into one: see `postprocess_batch_list`.
        p.do_not_save_grid = True
        self._loras += self.prompts.put_on(p, self._rack.is_lora)
        self.start.put_on(p)
        self.pictures.put_on(p)
        self.hints.put_on(p)
        p.close = self._closed(p.close)
        # Both methods stand on the request itself and go with it. The host calls `setup_prompts` when the
        # checkpoint of the request is loaded and outside of any `try`: here a misfit can still be refused.
        p.setup_prompts = self._opened(p.setup_prompts)
        p.sample = self._steered(p.sample)

    def begin_batch(self) -> None:
        """Told when the host has made the batch's noise and, in img2img, its latents."""
        p, motion = self._p, self.call.motion
        p.rng = ClipRandom(p.rng, motion, self.curves.plan, seed=int(p.seeds[0]), shaped=self.start.draws)
        self.start.begin_batch(p)

    def begin_sampling(self, noise: torch.Tensor) -> None:
        """Told right before each sampling with its unit noise, which goes to the sampler next."""
        self.start.begin_sampling(self._p, noise, self.session.module.facts)

    def _closed(self, former: Callable[[], None]) -> Callable[[], None]:
        def close() -> None:
            self.source.close()
            former()

        return close

    def _opened(self, former: Callable[[], None]) -> Callable[[], None]:
        def setup_prompts() -> None:
            try:
                self._open()
            except FlipbookError as error:
                refuse(self._p, error)
                self._p.setup_prompts()
            former()
            if isinstance(getattr(self._p, "hr_prompt", ""), list):
                # Copied from the frames' texts, which are set by now; scripts expect one text here.
                self._p.hr_prompt = self._p.hr_negative_prompt = ""

        return setup_prompts

    def _open(self) -> None:
        """Read the module and its LoRAs and hold them against the request's checkpoint."""
        sites = _sites(shared.sd_model)
        name = self._name_of_module(sites)
        self.module = self._rack.module(name)
        self.call = replace(self.call, motion=self.call.motion.changed({"module": name}))
        loras = [(self._rack.lora(name), weight) for name, weight in self._loras]
        self.session = ClipSession(self.module, self.curves.plan, loras, warn=self.warnings.append)
        refuse_misfit(self.module.facts, sites)
        betas = self.module.facts.betas
        self._alphas = None if betas is None else Alphas(betas)

    def _name_of_module(self, sites: Sites) -> str:
        """The module that was asked for, or the first one that fits."""
        wanted = self.call.motion.module
        choices = self._rack.choices(sites)
        if not wanted:
            fitting = [choice.name for choice in choices if not choice.why_not]
            if not fitting:
                sentence = "no motion module fits this checkpoint; put one into models/AnimateDiff"
                raise NotFound(Problem(sentence, field="model"))
            return fitting[0]
        for choice in choices:
            if choice.name == wanted and choice.why_not:
                raise FlipbookError(Problem(choice.why_not, field="model"))
        if wanted not in {choice.name for choice in choices}:
            have = ", ".join(choice.name for choice in choices) or "none"
            raise NotFound(Problem(f'there is no motion module "{wanted}"; there is {have}', field="model"))
        return wanted

    def _steered(self, former: Callable[..., Any]) -> Callable[..., Any]:
        def sample(*arguments: Any, **named: Any) -> Any:
            with ExitStack() as stack:
                stack.callback(self._leave)
                stack.enter_context(self.session.installed(_sites(shared.sd_model)))
                self._enter(shared.sd_model)
                p = self._p
                if self._alphas is not None and p.sampler is not None:
                    # Made in img2img before; samplers copy the table when they are built.
                    p.sampler = sd_samplers.create_sampler(p.sampler_name, p.sd_model)
                return former(*arguments, **named)

        return sample

    def _enter(self, model: Any) -> None:
        """Put everything into a model, out of the one that it is in."""
        sd_unet.apply_unet()
        if sd_unet.current_unet is not None:
            sentence = "an SD Unet such as TensorRT has no place for motion modules; set SD Unet to None"
            raise FlipbookError(Problem(sentence, field="model"))
        if self.session.sites is None or self.session.sites.unet is not model.model.diffusion_model:
            self.session.move(_sites(model))
        if self._alphas is not None:
            self._alphas.put_on(model, self._p)
        self._checkpoint = model.sd_checkpoint_info

    def _leave(self) -> None:
        if self._alphas is not None:
            self._alphas.take_off()
        self.hints.let_go()
        self._checkpoint = None

    def before_step(self, params: Any) -> None:
        """See `clip_steps.before_denoising`."""
        denoiser = params.denoiser
        model = shared.sd_model
        if model.sd_checkpoint_info is not self._checkpoint:
            # The checkpoint of a refiner or of the hires pass, in the same model object or another.
            self._enter(model)
            denoiser.model_wrap = None
        inner = denoiser.inner_model
        if "forward" not in inner.__dict__:
            inner.forward = self._windowed(inner.forward, denoiser)
            # The callback after the step is told of the wrapper only.
            object.__setattr__(inner, "flipbook_denoiser", denoiser)
        self._order = RowOrder([len(parts) for parts in denoiser.sampler.sampler_extra_args["cond"].batch])
        self._order.sort(params)
        self.prompts.mix(params)

    def after_step(self, params: Any) -> None:
        """See `clip_steps.after_denoising`."""
        if self._order is not None:
            self._order.restore(params.x)

    def _windowed(self, former: Callable[..., Any], denoiser: Any) -> Callable[..., Any]:
        def forward(x: Any, sigma: Any, *rest: Any, cond: Any, **named: Any) -> torch.Tensor:
            def inner(rows: Any) -> torch.Tensor:
                self.hints.take(self._p, rows)
                result: torch.Tensor = former(rows.of(x), rows.of(sigma), *rest, cond=rows.of(cond), **named)
                return result

            guess = self.session.denoise(x, denoiser.step, inner)
            return self.start.held(guess, x, sigma, denoiser)

        return forward


def _sites(model: Any) -> Sites:
    return sites_of_ldm(model.model.diffusion_model)
