"""A clip painted by the host: one request of txt2img or img2img whose batch is the clip's frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

import torch
from modules import sd_samplers, sd_unet, shared

from lib_anim.engines.diffusion.clip_plan import clip_plan
from lib_anim.engines.diffusion.motion_store import MotionModuleStore
from lib_anim.errors import FlipbookError, Problem
from lib_anim.kinds.clip.module import chosen_module
from lib_anim.models.motion.reader import MotionModule
from lib_anim.motion.attention import attention_of
from lib_anim.motion.fit import refuse_misfit
from lib_anim.motion.session import ClipSession
from lib_anim.motion.sites import Sites, sites_of_ldm
from lib_anim.webui.clip.alphas import Alphas
from lib_anim.webui.clip.control_hints import ClipHints
from lib_anim.webui.clip.init_pictures import ClipPictures
from lib_anim.webui.clip.noise import ClipRandom
from lib_anim.webui.clip.rows import RowOrder
from lib_anim.webui.clip.start import ClipStart
from lib_anim.webui.clip.steps import CLIP
from lib_anim.webui.clip.task import ClipTask
from lib_anim.webui.host.attribute_patch import AttributePatch
from lib_anim.webui.host.errors import outward, refuse
from lib_anim.webui.host.options import attention_backend


class ClipOutput(Protocol):
    """Where the frames of a clip go."""

    @property
    def batches(self) -> int:
        """How many batches have been taken."""
        ...

    def take(self, clip: HostClip, p: Any, samples: Any) -> Any:
        """Decode a batch's latents (frames, C, h, w); answer what the host goes on with in their place."""
        ...

    def show(self, clip: HostClip, p: Any, processed: Any) -> None:
        """Put what was made where the host looks for a request's results."""
        ...


class HostClip:
    """Steers the host through one request.

    Everything it puts on the host is put on inside `p.sample` and taken off when that ends, however it ends:
    the host swallows what hooks raise, and calls no hook after an error. What it puts on the request itself
    goes away with the request.
    """

    module: MotionModule
    module_name: str
    module_path: Path
    session: ClipSession

    def __init__(
        self, p: Any, task: ClipTask, rack: MotionModuleStore, output: ClipOutput, warn: Callable[[str], None]
    ) -> None:
        """Changes nothing yet. `warn` is told of what goes otherwise than asked. Raises FlipbookError."""
        self.task = task
        self.output = output
        self.plan = clip_plan(task.steering, task.denoised)
        self.start = ClipStart(task)
        self.pictures = ClipPictures(task.pictures, task.denoised)
        self.hints = ClipHints(task.pictures, task.denoised)
        self._p = p
        self._rack = rack
        self._warn = warn
        self._loras = list(task.steering.loras)
        self._alphas: Alphas | None = None
        self._order: RowOrder | None = None
        self._checkpoint: Any = None
        self._failure: Exception | None = None
        self._worn = AttributePatch(p)
        self._around: list[tuple[Any, tuple[str, ...]]] = []
        """The denoisers of the sampling at hand, and the names that were put on each."""

    def take_over(self) -> None:
        """Make the request a clip: its batch size, prompts and the scope of its sampling."""
        with self._worn.putting_on():
            self._put_on(self._p)

    def _put_on(self, p: Any) -> None:
        setattr(p, CLIP, self)
        p.batch_size = self.task.denoised
        # The host gets no pictures to put into one: see `postprocess_batch_list`.
        p.do_not_save_grid = True
        self._loras += self.task.prompts.attach(p, self._rack.is_lora)
        self.start.attach(p)
        self.pictures.attach(p)
        self.hints.attach(p)
        p.close = self._closed(p.close)
        # Both methods stand on the request itself and go with it. The host calls `setup_prompts` when the
        # checkpoint of the request is loaded and outside of any `try`: here a misfit can still be refused.
        p.setup_prompts = self._opened(p.setup_prompts)
        p.sample = self._steered(p.sample)

    def steers(self, p: Any) -> bool:
        """Whether p is the request itself, and no copy that carries its attributes."""
        return p is self._p

    def leave(self) -> None:
        """Told when the request is done: it is as its user made it, for the next picture."""
        self.task.pictures.close()
        self._worn.detach()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Inside a hook: an error ends the request, where the host would print it and paint on."""
        try:
            yield
        except Exception as error:
            # Raised by `_fail`, outside of the host's `try`; until there the sampling ends at its next step.
            self._failure = self._failure or error
            shared.state.interrupted = True

    def begin_batch(self) -> None:
        """Told when the host has made the batch's noise and, in img2img, its latents."""
        p, steering = self._p, self.task.steering
        self.task.prompts.settle(p)
        p.rng = ClipRandom(p.rng, steering, self.plan, seed=int(p.seeds[0]), shaped=self.start.draws)
        self.start.begin_batch(p)

    def begin_sampling(self, noise: torch.Tensor) -> None:
        """Told right before each sampling with its unit noise, which goes to the sampler next."""
        self.start.begin_sampling(self._p, noise)

    def _closed(self, former: Callable[[], None]) -> Callable[[], None]:
        def close() -> None:
            self.task.pictures.close()
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
                # The frames' texts, which are taken over by now; scripts expect one text here.
                self._p.hr_prompt = self._worn.before("hr_prompt")
                self._p.hr_negative_prompt = self._worn.before("hr_negative_prompt")

        return setup_prompts

    def _open(self) -> None:
        """Read the module and its LoRAs and hold them against the request's checkpoint."""
        if sd_unet.get_unet_option() is not None:
            raise FlipbookError(Problem(NO_PLACE, field="model"))
        sites = _sites(shared.sd_model)
        choice = chosen_module(self.task.steering.module, self._rack.choices(sites), field="model")
        self.module_name = choice.name
        self.module_path = self._rack.path(choice.name)
        self.module = self._rack.module(choice.name)
        loras = [(self._rack.lora(name), weight) for name, weight in self._loras]
        lean = bool(shared.cmd_opts.lowvram)
        attention = attention_of(attention_backend())
        self.session = ClipSession(
            self.module, self.plan, loras, lean=lean, attention=attention, warn=self._warn
        )
        refuse_misfit(self.module.facts, sites)
        betas = self.module.facts.betas
        self._alphas = None if betas is None else Alphas(betas)

    def _steered(self, former: Callable[..., Any]) -> Callable[..., Any]:
        def sample(*arguments: Any, **named: Any) -> Any:
            with ExitStack() as stack:
                stack.callback(self._leave)
                self._fail()
                stack.enter_context(self.session.installed(_sites(shared.sd_model)))
                self._enter(shared.sd_model)
                p = self._p
                if self._alphas is not None and p.sampler is not None:
                    # Made in img2img before; samplers copy the table when they are built.
                    p.sampler = sd_samplers.create_sampler(p.sampler_name, p.sd_model)
                try:
                    samples = former(*arguments, **named)
                except FlipbookError as error:
                    # From the windows round the network, where the host catches nothing.
                    self._failure = self._failure or error
                self._fail()
                return samples

        return sample

    def _fail(self) -> None:
        """Raise what a hook has failed with, outside of any `try` of the host."""
        if self._failure is not None:
            # Set by `watched`; a plot would leave its other cells out.
            shared.state.interrupted = False
            raise outward(self._p, self._failure) from self._failure

    def _enter(self, model: Any) -> None:
        """Put everything into a model, out of the one that it is in."""
        sd_unet.apply_unet()
        if sd_unet.current_unet is not None:
            # A refiner's or the hires pass' checkpoint may have its own.
            raise FlipbookError(Problem(NO_PLACE, field="model"))
        if self.session.sites is None or self.session.sites.unet is not model.model.diffusion_model:
            self.session.move(_sites(model))
        if self._alphas is not None:
            self._alphas.attach(model, self._p)
        self._checkpoint = model.sd_checkpoint_info

    def _leave(self) -> None:
        if self._alphas is not None:
            self._alphas.detach()
        # They and this clip refer to each other, so they would stay until Python swept up.
        for target, names in self._around:
            for name in names:
                vars(target).pop(name)
        self._around.clear()
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
            self._around.append((inner, ("forward", "flipbook_denoiser")))
        if self.task.cfg_scale is not None and "combine_denoised" not in denoiser.__dict__:
            denoiser.combine_denoised = self._guided(denoiser.combine_denoised)
            self._around.append((denoiser, ("combine_denoised",)))
        self._order = RowOrder([len(parts) for parts in denoiser.sampler.sampler_extra_args["cond"].batch])
        self._order.sort(params)

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

    def _guided(self, former: Callable[..., Any]) -> Callable[..., Any]:
        """The host's guidance with every frame's own scale; it knows one for the batch, the request's."""
        scales = self.task.cfg_scale
        assert scales is not None

        def combine_denoised(x: Any, conds: Any, uncond: Any, cond_scale: float) -> Any:
            if cond_scale == self._p.cfg_scale:
                shares = (scale / self._p.cfg_scale for scale in scales)
                conds = [
                    [(place, weight * share) for place, weight in parts]
                    for parts, share in zip(conds, shares, strict=True)
                ]
            return former(x, conds, uncond, cond_scale)

        return combine_denoised


NO_PLACE = "an SD Unet such as TensorRT has no place for motion modules; set SD Unet to None"


def _sites(model: Any) -> Sites:
    return sites_of_ldm(model.model.diffusion_model)
