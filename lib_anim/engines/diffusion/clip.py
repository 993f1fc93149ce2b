"""Renders a clip with one checkpoint's networks and a motion module."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lib_anim.engines.contract.engine import OnStep
from lib_anim.engines.contract.requests import ClipFrame, ClipRequest
from lib_anim.engines.diffusion import inpaint
from lib_anim.engines.diffusion.clip_denoiser import ClipGuided
from lib_anim.engines.diffusion.clip_plan import clip_plan
from lib_anim.engines.diffusion.clip_prompts import ClipPrompts, EncodedPrompt, PromptPair, uses_of
from lib_anim.engines.diffusion.inpaint import Inpainting
from lib_anim.engines.diffusion.latents import Codec
from lib_anim.engines.diffusion.lora_manager import extract_loras
from lib_anim.engines.diffusion.motion_store import MotionModuleStore
from lib_anim.engines.diffusion.painter import Kept, Painter, filled_latents, require_finite, tiled
from lib_anim.engines.sampling.brownian import BrownianNoise
from lib_anim.engines.sampling.noise import PictureNoise
from lib_anim.engines.sampling.noise_levels import ConsistencyLevels, NoiseLevels
from lib_anim.engines.sampling.sampler_input import Draw, SamplerInput
from lib_anim.engines.sampling.samplers import SAMPLERS
from lib_anim.engines.sampling.sigma_schedule import SigmaSchedule
from lib_anim.models.motion.motion_lora import MotionLora
from lib_anim.models.motion.reader import MotionModule
from lib_anim.motion.betas import alphas_cumprod
from lib_anim.motion.freeinit import low_pass, renewed
from lib_anim.motion.noise import clip_noise
from lib_anim.motion.ramp import LatentShares, latent_shares, mixed_latents
from lib_anim.motion.session import ClipSession, is_out_of_memory
from lib_anim.motion.sites import sites_of_diffusers
from lib_anim.types import Picture


def paint_clip(
    painter: Painter, request: ClipRequest, store: MotionModuleStore, on_step: OnStep | None
) -> Iterator[Picture]:
    """Yields the clip's pictures: all are denoised together on the first `next`, then decoded one by one."""
    with torch.inference_mode():
        codec = painter.codec(request.vae)
        uses, sentences = uses_of(request.frames)
        for sentence in sentences:
            painter.warn(sentence)
        moving = {use.name: store.lora(use.name) for use in uses if store.is_lora(use.name)}
        painter.apply(tuple(use for use in uses if use.name not in moving))
        loras = [(store.lora(name), weight) for name, weight in request.motion.loras]
        loras += [(moving[use.name], use.unet) for use in uses if use.name in moving]
        module = store.module(request.motion.module)
        latents = _Clip(painter, request, module, loras, codec).denoised(on_step)
    for index in range(request.shown):
        # Not active while the caller has the picture: the mode is the thread's, not this function's.
        with torch.inference_mode(), tiled((codec.vae,), request.tiling):
            painted = _decoded(codec, latents[index : index + 1], painter)
        plan = _inpainting(request, index, codec)
        yield painted if plan is None else plan.composite(painted)


@dataclass(frozen=True)
class _Start:
    """The init latents and mask of an img2img clip."""

    init: Tensor
    """(frames, C, h, w): latents of the frames' pictures."""
    held: tuple[int, ...]
    """The sampler's step at which each frame starts to change."""
    kept: Kept | None
    """The latents that masks keep."""

    def denoise(self, guided: ClipGuided, x: Tensor, sigma: float, masks_input: bool) -> Tensor:
        """The network's prediction, replaced by the init where a mask keeps it or a frame is held."""
        if self.kept is None:
            guess = guided(x, sigma)
        elif not masks_input:
            guess = self.kept.blend(guided(x, sigma))
        else:
            seen = self.kept.blend(x, (1 + sigma**2) ** 0.5)
            guess = x - seen + guided(seen, sigma)
        waiting = [i for i, step in enumerate(self.held) if guided.step < step]
        if waiting:
            # With its init as prediction, a frame stays its init plus the noise of every level.
            guess[waiting] = self.init[waiting]
        return guess


class _Clip:
    """Denoises one clip: from a request to latents."""

    def __init__(
        self,
        painter: Painter,
        request: ClipRequest,
        module: MotionModule,
        loras: Sequence[tuple[MotionLora, float]],
        codec: Codec,
    ) -> None:
        self._painter = painter
        self._request = request
        self._codec = codec
        self._sampler = SAMPLERS[request.sampler]
        self._device = painter.device
        self._count = len(request.frames)
        self._plan = clip_plan(request.motion, self._count)
        self._session = ClipSession(module, self._plan, loras, attention=painter.attention, warn=painter.warn)
        self._levels = levels_of(painter, module, self._sampler.consistency)
        self._still = request.still(0, pictures=False)
        self._noises = [painter.noise(request.still(i, pictures=False), codec) for i in range(self._count)]

    def denoised(self, on_step: OnStep | None) -> Tensor:
        """Latents (frames, C, h, w) of the finished clip."""
        request, painter = self._request, self._painter
        prompts = self._prompts()
        first = self._noise(PictureNoise.first)
        schedule = self._schedule(None if request.init is None else max(f.denoising for f in request.frames))
        start = None if request.init is None else self._start(first, schedule)
        inpainting_conditioning = self._inpainting_conditioning()
        # The ramp has mixed the first noise into the pictures: sampling starts with the next.
        noise = first if start is None or request.ramp is None else self._noise(PictureNoise.next)
        freeinit = request.motion.freeinit
        iterations = 1 if freeinit is None else freeinit.iterations
        counted = _Counter(on_step, (len(schedule.sigmas) - 1) * iterations)
        with (
            self._session.installed(sites_of_diffusers(painter.unet)),
            tiled((painter.unet,), request.tiling),
        ):
            latents = self._sampled(noise, start, schedule, prompts, inpainting_conditioning, counted)
            for _ in range(iterations - 1):
                latents = self._sampled(
                    self._renewed(latents, noise), start, schedule, prompts, inpainting_conditioning, counted
                )
        return latents

    def _sampled(
        self,
        noise: Tensor,
        start: _Start | None,
        schedule: SigmaSchedule,
        prompts: ClipPrompts,
        inpainting_conditioning: Tensor | None,
        counted: _Counter,
    ) -> Tensor:
        """Latents from unit noise, by one sampling pass."""
        request, sampler = self._request, self._sampler
        guided = ClipGuided(
            self._painter.unet,
            self._session,
            self._levels,
            prompts,
            [frame.cfg_scale for frame in request.frames],
            sizes=self._painter.sizes(request.width, request.height),
            consistency=sampler.consistency,
            device=self._device,
            inpainting_conditioning=inpainting_conditioning,
        )
        x = noise * schedule.noise
        if start is not None:
            x = start.init * schedule.init + noise * (schedule.noise * request.noise_multiplier)

        def stepped(done: int) -> None:
            guided.step = done
            counted.step()

        def denoise(latents: Tensor, sigma: float) -> Tensor:
            if start is None:
                return guided(latents, sigma)
            return start.denoise(guided, latents, sigma, sampler.masks_input)

        sampler_input = SamplerInput(
            denoise=denoise,
            x=x,
            sigmas=schedule.sigmas,
            draw=self._draw(schedule.reach),
            eta=sampler.eta if request.eta is None else request.eta,
            stepped=stepped,
        )
        result = require_finite(
            sampler.run(sampler_input) * schedule.end, self._painter.checkpoint, self._painter.unet.dtype
        )
        return result if start is None or start.kept is None else start.kept.blend(result)

    def _renewed(self, latents: Tensor, noise: Tensor) -> Tensor:
        """FreeInit's next noise, with the first noise's high frequencies, as in sd-webui-animatediff."""
        freeinit = self._request.motion.freeinit
        assert freeinit is not None
        shape = (len(latents), *latents.shape[-2:])
        kept = low_pass(shape, freeinit.filter, freeinit.spatial, freeinit.temporal)
        return renewed(latents, noise, noise, float(self._levels.alphas[-1]), kept)

    def _prompts(self) -> ClipPrompts:
        painter, request = self._painter, self._request
        calls = request.steps * self._sampler.calls
        known: dict[tuple[str, str], EncodedPrompt] = {}

        def encoded(prompt: str, negative: str) -> EncodedPrompt:
            key = prompt, negative
            if key not in known:
                text, _ = extract_loras(prompt)
                known[key] = EncodedPrompt(*painter.guides(text, negative, calls, request.clip_skip))
            return known[key]

        def prompt_pair(frame: ClipFrame) -> PromptPair:
            first = encoded(frame.prompt, frame.negative)
            if frame.travel is None:
                return PromptPair(first, None, 0.0, "slerp")
            travel = frame.travel
            return PromptPair(first, encoded(travel.prompt, travel.negative), travel.weight, travel.how)

        return ClipPrompts([prompt_pair(frame) for frame in request.frames])

    def _schedule(self, denoising: float | None) -> SigmaSchedule:
        return self._painter.sigma_schedule(self._still, self._sampler, denoising, self._levels)

    def _noise(self, draw: Callable[[PictureNoise], Tensor]) -> Tensor:
        """Unit noise (frames, C, h, w) of the request's kind."""
        motion = self._request.motion
        own = torch.stack([draw(noise) for noise in self._noises])
        seed = self._request.frames[0].seed
        kind, shared = motion.noise, motion.noise_shared
        return clip_noise(own, kind, self._plan, seed=seed, shared=shared).to(self._device)

    def _inpainting_conditioning(self) -> Tensor | None:
        """Each frame's additional input channels of an inpainting checkpoint; None for others."""
        request, codec = self._request, self._codec
        if not self._painter.checkpoint.unet.for_inpainting:
            return None
        parts = (
            self._painter.inpainting_conditioning(
                request.still(index), codec, _inpainting(request, index, codec)
            )
            for index in range(self._count)
        )
        return torch.cat([part for part in parts if part is not None])

    def _start(self, noise: Tensor, schedule: SigmaSchedule) -> _Start:
        request = self._request
        latents, repaint = [], []
        before: tuple[Picture, Tensor] | None = None
        for index, frame in enumerate(request.frames):
            plan = _inpainting(request, index, self._codec)
            assert request.init is not None
            picture = request.init(index) if plan is None else plan.init
            if before is None or before[0] is not picture:
                # One picture for all frames is encoded once.
                before = picture, self._codec.encode(picture, frame.seed)
            encoded = before[1]
            if plan is not None:
                still = request.still(index, pictures=False)
                encoded = filled_latents(encoded, plan, still, noise[index : index + 1])
            if request.mask is not None:
                size = encoded.shape[-2:]
                repaint.append(torch.ones(size) if plan is None else plan.repaint)
            latents.append(encoded)
        init = torch.cat(latents)
        kept = Kept(init, torch.stack(repaint)[:, None].to(self._device)) if repaint else None
        return _Start(self._ramped(init, noise), self._held(schedule), kept)

    def _ramped(self, init: Tensor, noise: Tensor) -> Tensor:
        """The pictures' latents with the ramp's share of noise, and of the last picture."""
        request, ramp = self._request, self._request.ramp
        if ramp is None:
            return init
        last, ends = None, None
        if request.last is not None:
            last = self._codec.encode(request.last, request.frames[-1].seed)
            ends = ramp.power_last, ramp.scale_last
        # The ramp covers the frames that are shown; the others follow it.
        shown = latent_shares(request.shown, ramp.power, ramp.scale, ends)
        more = self._count - request.shown
        shares = LatentShares(
            (*shown.first, *shown.first[-1:] * more), (*shown.last, *shown.last[-1:] * more)
        )
        return mixed_latents(shares, init, noise, last)

    def _held(self, schedule: SigmaSchedule) -> tuple[int, ...]:
        """For each frame the number of the clip's steps that its own denoising skips."""
        steps: dict[float, int] = {}
        for frame in self._request.frames:
            if frame.denoising not in steps:
                top = self._schedule(frame.denoising).sigmas[0] * (1 + 1e-6)
                below = (i for i, sigma in enumerate(schedule.sigmas) if sigma <= top)
                steps[frame.denoising] = next(below) if frame.denoising > 0 else len(schedule.sigmas)
        if max(steps) == 0:
            return (0,) * self._count
        return tuple(steps[frame.denoising] for frame in self._request.frames)

    def _draw(self, reach: tuple[float, float]) -> Draw:
        if self._sampler.brownian:
            paths = [BrownianNoise(own.shape, own.seed, reach, own.normals) for own in self._noises]
            return lambda here, there: torch.stack([p.between(here, there) for p in paths]).to(self._device)
        return lambda here, there: torch.stack([own.next() for own in self._noises]).to(self._device)


class _Counter:
    """Counts the steps of all sampling passes together."""

    def __init__(self, on_step: OnStep | None, total: int) -> None:
        self._on_step = on_step
        self._total = total
        self._done = 0

    def step(self) -> None:
        self._done += 1
        if self._on_step is not None:
            self._on_step(self._done, self._total)


def levels_of(painter: Painter, module: MotionModule, consistency: bool) -> NoiseLevels:
    """The noise levels that the motion module was trained with; the checkpoint's own where it has none."""
    betas = module.facts.betas
    if betas is None:
        return painter.consistency if consistency else painter.levels
    alphas = alphas_cumprod(betas).float()
    return ConsistencyLevels.of(alphas) if consistency else NoiseLevels.of(alphas)


def _inpainting(request: ClipRequest, index: int, codec: Codec) -> Inpainting | None:
    return inpaint.prepare(request.still(index), codec.factor) if request.mask is not None else None


def _decoded(codec: Codec, latents: Tensor, painter: Painter) -> Picture:
    """Decodes one picture; in overlapping tiles when memory runs out."""
    try:
        return codec.decode(latents)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
    painter.warn("Memory ran out; frames are decoded in smaller pieces.")
    with codec.pieces(True):
        return codec.decode(latents)
