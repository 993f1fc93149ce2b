"""Renders a clip with the host: one txt2img or img2img request whose batch is the clip's frames."""

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
from lib_anim.webui.clip.alphas import AlphaSchedulePatch
from lib_anim.webui.clip.control_hints import ClipHints
from lib_anim.webui.clip.init_pictures import ClipPictures
from lib_anim.webui.clip.noise import ClipRandom
from lib_anim.webui.clip.rows import RowOrder
from lib_anim.webui.clip.start import ClipStart
from lib_anim.webui.clip.steps import CLIP
from lib_anim.webui.clip.task import ClipTask
from lib_anim.webui.host.attribute_patch import AttributePatch
from lib_anim.webui.host.errors import as_host_error, reject
from lib_anim.webui.host.options import attention_backend


class ClipOutput(Protocol):
    """Receives the latents of a clip's batches and adds the results to the request."""

    @property
    def batches(self) -> int:
        """Number of batches that have been processed."""
        ...

    def process_batch(self, clip: HostClip, p: Any, samples: Any) -> Any:
        """Decode a batch's latents (frames, C, h, w); returns the samples that replace them in the host."""
        ...

    def add_results(self, clip: HostClip, p: Any, processed: Any) -> None:
        """Add the results to the host's `Processed` object."""
        ...


class HostClip:
    """Patches one request of the host so that it renders a clip.

    Patches of the host's model are attached inside `p.sample` and detached when it returns or raises: the
    host swallows exceptions of hooks and calls no hook after an error. Patches of the request itself are set
    as instance attributes and do not outlive it.
    """

    module: MotionModule
    module_name: str
    module_path: Path
    session: ClipSession

    def __init__(
        self,
        p: Any,
        task: ClipTask,
        store: MotionModuleStore,
        output: ClipOutput,
        warn: Callable[[str], None],
    ) -> None:
        """Plan the clip without changing anything. `warn` receives warnings. Raises FlipbookError."""
        self.task = task
        self.output = output
        self.plan = clip_plan(task.steering, task.denoised)
        self.start = ClipStart(task)
        self.pictures = ClipPictures(task.pictures, task.denoised)
        self.hints = ClipHints(task.pictures, task.denoised)
        self._p = p
        self._store = store
        self._warn = warn
        self._loras = list(task.steering.loras)
        self._alphas: AlphaSchedulePatch | None = None
        self._order: RowOrder | None = None
        self._checkpoint: Any = None
        self._failure: Exception | None = None
        self._patch = AttributePatch(p)
        self._patched: list[tuple[Any, tuple[str, ...]]] = []
        """Denoisers of the current sampling, each with the names of its patched attributes."""

    def attach(self) -> None:
        """Patch the request: batch size, prompts, init pictures and sampling."""
        with self._patch.recording():
            self._patch_request(self._p)

    def _patch_request(self, p: Any) -> None:
        setattr(p, CLIP, self)
        p.batch_size = self.task.denoised
        # The host gets no pictures for a grid: see `postprocess_batch_list`.
        p.do_not_save_grid = True
        self._loras += self.task.prompts.attach(p, self._store.is_lora)
        self.start.attach(p)
        self.pictures.attach(p)
        self.hints.attach(p)
        p.close = self._close_wrapper(p.close)
        # Both are instance attributes of the request. The host calls `setup_prompts` after loading the
        # request's checkpoint and outside of any `try`, so an unsuitable module can still end the request.
        p.setup_prompts = self._setup_prompts_wrapper(p.setup_prompts)
        p.sample = self._sample_wrapper(p.sample)

    def owns(self, p: Any) -> bool:
        """Whether p is the clip's own request and not a copy with the same attributes."""
        return p is self._p

    def detach(self) -> None:
        """Close the inputs and restore the request, which the host may reuse for the next picture."""
        self.task.pictures.close()
        self._patch.detach()

    @contextmanager
    def capture_errors(self) -> Iterator[None]:
        """Record an exception inside a hook to end the request; the host would log it and continue."""
        try:
            yield
        except Exception as error:
            # `_raise_failure` raises it outside of the host's `try`; the interrupt ends the sampling.
            self._failure = self._failure or error
            shared.state.interrupted = True

    def prepare_batch(self) -> None:
        """Prepare prompts, noise and latents, after the host has created those of the batch."""
        p, steering = self._p, self.task.steering
        self.task.prompts.unify_drawn(p)
        p.rng = ClipRandom(p.rng, steering, self.plan, seed=int(p.seeds[0]), shaped=self.start.draws)
        self.start.prepare_batch(p)

    def prepare_sampling(self, noise: torch.Tensor) -> None:
        """Called right before each sampling with its unit noise."""
        self.start.prepare_sampling(self._p, noise)

    def _close_wrapper(self, original: Callable[[], None]) -> Callable[[], None]:
        def close() -> None:
            self.task.pictures.close()
            original()

        return close

    def _setup_prompts_wrapper(self, original: Callable[[], None]) -> Callable[[], None]:
        def setup_prompts() -> None:
            try:
                self._load_modules()
            except FlipbookError as error:
                reject(self._p, error)
                self._p.setup_prompts()
            original()
            if isinstance(getattr(self._p, "hr_prompt", ""), list):
                # Already read as one text per frame; scripts expect a single text here.
                self._p.hr_prompt = self._patch.original("hr_prompt")
                self._p.hr_negative_prompt = self._patch.original("hr_negative_prompt")

        return setup_prompts

    def _load_modules(self) -> None:
        """Load the motion module and its LoRAs and check that they fit the request's checkpoint."""
        if sd_unet.get_unet_option() is not None:
            raise FlipbookError(Problem(SD_UNET_ENABLED, field="model", code="engine.missing_feature"))
        sites = _sites(shared.sd_model)
        choice = chosen_module(self.task.steering.module, self._store.choices(sites), field="model")
        self.module_name = choice.name
        self.module_path = self._store.path(choice.name)
        self.module = self._store.module(choice.name)
        loras = [(self._store.lora(name), weight) for name, weight in self._loras]
        lean = bool(shared.cmd_opts.lowvram)
        attention = attention_of(attention_backend())
        self.session = ClipSession(
            self.module, self.plan, loras, lean=lean, attention=attention, warn=self._warn
        )
        refuse_misfit(self.module.facts, sites)
        betas = self.module.facts.betas
        self._alphas = None if betas is None else AlphaSchedulePatch(betas)

    def _sample_wrapper(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def sample(*arguments: Any, **named: Any) -> Any:
            with ExitStack() as stack:
                stack.callback(self._end_sampling)
                self._raise_failure()
                stack.enter_context(self.session.installed(_sites(shared.sd_model)))
                self._attach_to_model(shared.sd_model)
                p = self._p
                if self._alphas is not None and p.sampler is not None:
                    # Img2img has already created one; samplers copy the alphas when they are built.
                    p.sampler = sd_samplers.create_sampler(p.sampler_name, p.sd_model)
                try:
                    samples = original(*arguments, **named)
                except FlipbookError as error:
                    # From the wrapped denoiser, where the host catches nothing.
                    self._failure = self._failure or error
                self._raise_failure()
                return samples

        return sample

    def _raise_failure(self) -> None:
        """Raise the recorded exception of a hook, outside of any `try` of the host."""
        if self._failure is not None:
            # Set by `capture_errors`; a plot would skip its remaining cells.
            shared.state.interrupted = False
            raise as_host_error(self._p, self._failure) from self._failure

    def _attach_to_model(self, model: Any) -> None:
        """Attach motion module and noise schedule to a model, detaching them from the previous one."""
        sd_unet.apply_unet()
        if sd_unet.current_unet is not None:
            # A refiner's or the hires pass' checkpoint may have its own.
            raise FlipbookError(Problem(SD_UNET_ENABLED, field="model", code="engine.missing_feature"))
        if self.session.sites is None or self.session.sites.unet is not model.model.diffusion_model:
            self.session.move(_sites(model))
        if self._alphas is not None:
            self._alphas.attach(model, self._p)
        self._checkpoint = model.sd_checkpoint_info

    def _end_sampling(self) -> None:
        if self._alphas is not None:
            self._alphas.detach()
        # Reference cycles with this clip would keep the denoisers alive until a garbage collection.
        for target, names in self._patched:
            for name in names:
                vars(target).pop(name)
        self._patched.clear()
        self.hints.detach()
        self._checkpoint = None

    def before_step(self, params: Any) -> None:
        """Patch new denoisers and reorder the rows; see `steps.before_denoising`."""
        denoiser = params.denoiser
        model = shared.sd_model
        if model.sd_checkpoint_info is not self._checkpoint:
            # A refiner's or the hires pass' checkpoint, in the same model object or another.
            self._attach_to_model(model)
            denoiser.model_wrap = None
        inner = denoiser.inner_model
        if "forward" not in inner.__dict__:
            inner.forward = self._forward_wrapper(inner.forward, denoiser)
            # The callback after the step receives only the wrapper.
            object.__setattr__(inner, "flipbook_denoiser", denoiser)
            self._patched.append((inner, ("forward", "flipbook_denoiser")))
        if self.task.cfg_scale is not None and "combine_denoised" not in denoiser.__dict__:
            denoiser.combine_denoised = self._combine_wrapper(denoiser.combine_denoised)
            self._patched.append((denoiser, ("combine_denoised",)))
        self._order = RowOrder([len(parts) for parts in denoiser.sampler.sampler_extra_args["cond"].batch])
        self._order.sort(params)

    def after_step(self, params: Any) -> None:
        """Restore the host's row order; see `steps.after_denoising`."""
        if self._order is not None:
            self._order.restore(params.x)

    def _forward_wrapper(self, original: Callable[..., Any], denoiser: Any) -> Callable[..., Any]:
        def forward(x: Any, sigma: Any, *rest: Any, cond: Any, **named: Any) -> torch.Tensor:
            def inner(rows: Any) -> torch.Tensor:
                self.hints.apply(self._p, rows)
                result: torch.Tensor = original(
                    rows.of(x), rows.of(sigma), *rest, cond=rows.of(cond), **named
                )
                return result

            guess = self.session.denoise(x, denoiser.step, inner)
            return self.start.with_waiting_frames(guess, x, sigma, denoiser)

        return forward

    def _combine_wrapper(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """The host's guidance with a CFG scale per frame; the host has one for the whole batch."""
        scales = self.task.cfg_scale
        assert scales is not None

        def combine_denoised(x: Any, conds: Any, uncond: Any, cond_scale: float) -> Any:
            if cond_scale == self._p.cfg_scale:
                shares = (scale / self._p.cfg_scale for scale in scales)
                conds = [
                    [(place, weight * share) for place, weight in parts]
                    for parts, share in zip(conds, shares, strict=True)
                ]
            return original(x, conds, uncond, cond_scale)

        return combine_denoised


SD_UNET_ENABLED = "an SD Unet such as TensorRT does not support motion modules; set SD Unet to None"


def _sites(model: Any) -> Sites:
    return sites_of_ldm(model.model.diffusion_model)
