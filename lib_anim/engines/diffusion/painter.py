"""Renders stills with one checkpoint: owns its networks and turns a request into a picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn

from lib_anim.engines.contract.engine import OnStep
from lib_anim.engines.contract.requests import StillRequest
from lib_anim.engines.diffusion import inpaint
from lib_anim.engines.diffusion.attention_processor import AttentionProcessor
from lib_anim.engines.diffusion.denoiser import Guide, Guided
from lib_anim.engines.diffusion.inpaint import Inpainting
from lib_anim.engines.diffusion.latents import Codec
from lib_anim.engines.diffusion.lora_manager import LoraManager, LoraUse, extract_loras
from lib_anim.engines.diffusion.masked_latents import masked_latents
from lib_anim.engines.diffusion.networks import load_networks, load_vae
from lib_anim.engines.sampling.brownian import BrownianNoise
from lib_anim.engines.sampling.noise import NoiseSource, PictureNoise
from lib_anim.engines.sampling.noise_levels import ConsistencyLevels, NoiseLevels
from lib_anim.engines.sampling.sampler_input import Draw, SamplerInput
from lib_anim.engines.sampling.samplers import SAMPLERS, Sampler
from lib_anim.engines.sampling.sigma_schedule import SigmaSchedule
from lib_anim.engines.text import prompt_parser as prompts
from lib_anim.engines.text.encoder import TextEncoder
from lib_anim.engines.text.travel import mixed
from lib_anim.errors import FlipbookError, Problem
from lib_anim.models.checkpoint import Checkpoint
from lib_anim.models.folders import TORCH, ModelFolders, find_lora, find_weights
from lib_anim.models.inversion import Inversion
from lib_anim.models.tokenizer import open_tokenizer
from lib_anim.motion.attention import attention_of
from lib_anim.types import AttentionBackend, Picture

Warn = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """Options of an engine that hold for all of its pictures: noise source and attention backend."""

    source: NoiseSource = "cpu"
    ancestral_delta: int = 0
    """Added to the seed for the steps' noise ("Eta noise seed delta")."""
    attention: AttentionBackend = "sdpa"


class Painter:
    """One checkpoint's networks on one device."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        device: torch.device,
        dtype: torch.dtype,
        folders: ModelFolders,
        inversions: Sequence[Inversion],
        options: EngineOptions,
        warn: Warn,
    ) -> None:
        self.checkpoint = checkpoint
        self.device = device
        self._dtype = dtype
        self._folders = folders
        self._options = options
        self.warn = warn
        networks = load_networks(checkpoint, device, dtype)
        self.unet = networks.unet
        self.attention = attention_of(options.attention)
        self.unet.set_attn_processor(AttentionProcessor(self.attention))
        self.levels = NoiseLevels.of(networks.alphas)
        self.consistency = ConsistencyLevels.of(networks.alphas)
        self._codecs: dict[str | None, Codec] = (
            {} if networks.vae is None else {None: self._codec_of(networks.vae)}
        )
        self.text = TextEncoder(networks.text, open_tokenizer(checkpoint.tokenizer), device, inversions)
        self._loras = LoraManager(
            networks.layers,
            lambda name: find_lora(name, folders.loras),
        )

    def paint(self, request: StillRequest, on_step: OnStep | None, *, small: bool) -> Picture:
        """Renders the request's picture. `small` uses one prompt per UNet call and VAE tiles, to save
        memory."""
        codec = self.codec(request.vae)
        prompt, uses = extract_loras(request.prompt)
        if request.travel is not None:
            named = {use.name for use in uses}
            uses += tuple(use for use in extract_loras(request.travel.prompt)[1] if use.name not in named)
        self.apply(uses)
        plan = inpaint.prepare(request, codec.factor) if request.mask is not None else None
        if request.mask is not None and plan is None:
            self.warn("The mask is empty, so only masked inpainting became plain img2img.")
        with tiled((self.unet, codec.vae), request.tiling), codec.pieces(small):
            latents = self._sample(request, prompt, codec, plan, on_step, small)
            painted = codec.decode(latents)
        return painted if plan is None else plan.composite(painted)

    def apply(self, uses: tuple[LoraUse, ...]) -> None:
        """Applies exactly these LoRAs to the networks."""
        for sentence in self._loras.apply(uses):
            self.warn(sentence)
        self.text.variant = self._loras.variant
        self.text.brought = self._loras.inversions

    def _sample(
        self,
        request: StillRequest,
        prompt: str,
        codec: Codec,
        plan: Inpainting | None,
        on_step: OnStep | None,
        small: bool,
    ) -> Tensor:
        """Latents (1, C, h, w) of the request's picture."""
        sampler = SAMPLERS[request.sampler]
        schedule = self.sigma_schedule(request, sampler, None if request.init is None else request.denoising)
        noise = self.noise(request, codec)
        start = noise.first()[None].to(self.device)
        guided = self._guided(
            request, sampler, prompt, small, self.inpainting_conditioning(request, codec, plan)
        )
        x = start * schedule.noise
        kept = None
        if request.init is not None:
            init = codec.encode(request.init if plan is None else plan.init, request.seed)
            if plan is not None:
                kept = Kept(filled_latents(init, plan, request, start), plan.repaint.to(self.device))
                init = kept.latents
            x = init * schedule.init + start * (schedule.noise * request.noise_multiplier)

        def stepped(done: int) -> None:
            if on_step is not None:
                on_step(done, len(schedule.sigmas) - 1)

        def denoise(latents: Tensor, sigma: float) -> Tensor:
            if kept is None:
                return guided(latents, sigma)
            if not sampler.masks_input:
                return kept.blend(guided(latents, sigma))
            seen = kept.blend(latents, (1 + sigma**2) ** 0.5)
            return latents - seen + guided(seen, sigma)

        sampler_input = SamplerInput(
            denoise=denoise,
            x=x,
            sigmas=schedule.sigmas,
            draw=self._draw(sampler, noise, request.seed, schedule),
            eta=sampler.eta if request.eta is None else request.eta,
            stepped=stepped,
        )
        result = require_finite(sampler.run(sampler_input) * schedule.end, self.checkpoint, self._dtype)
        return result if kept is None else kept.blend(result)

    def sigma_schedule(
        self,
        request: StillRequest,
        sampler: Sampler,
        denoising: float | None,
        levels: NoiseLevels | None = None,
    ) -> SigmaSchedule:
        """The request's sigma schedule; `denoising` keeps its last levels. `levels` None: the checkpoint's
        own."""
        if request.scheduler != "Automatic" and not sampler.has_spacings:
            self.warn(
                f'"{sampler.name}" has steps of its own; the scheduler "{request.scheduler}" is not used.'
            )
        spacing = sampler.spacing if request.scheduler == "Automatic" else request.scheduler
        if levels is None:
            levels = self.consistency if sampler.consistency else self.levels
        return sampler.schedule(spacing, request.steps, denoising, levels)

    def noise(self, request: StillRequest, codec: Codec) -> PictureNoise:
        return PictureNoise(
            (
                self.checkpoint.unet.out_channels,
                request.height // codec.factor,
                request.width // codec.factor,
            ),
            request.seed,
            subseed=request.subseed,
            subseed_strength=request.subseed_strength,
            resize_from=request.seed_resize_from,
            ancestral_delta=self._options.ancestral_delta,
            source=self._options.source,
            device=self.device,
        )

    def _draw(self, sampler: Sampler, noise: PictureNoise, seed: int, schedule: SigmaSchedule) -> Draw:
        if sampler.brownian:
            path = BrownianNoise(noise.shape, seed, schedule.reach, noise.normals)
            return lambda here, there: path.between(here, there)[None].to(self.device)
        return lambda here, there: noise.next()[None].to(self.device)

    def inpainting_conditioning(
        self, request: StillRequest, codec: Codec, plan: Inpainting | None
    ) -> Tensor | None:
        """The additional input channels of an inpainting checkpoint's UNet; None for other checkpoints."""
        if not self.checkpoint.unet.for_inpainting:
            return None
        size = (request.width, request.height)
        init, mask = (request.init, None) if plan is None else (plan.init, plan.mask)
        return masked_latents(codec, size, init, mask, request.seed)

    def _guided(
        self,
        request: StillRequest,
        sampler: Sampler,
        prompt: str,
        small: bool,
        inpainting_conditioning: Tensor | None,
    ) -> Guided:
        calls = request.steps * sampler.calls
        skip = request.clip_skip
        if self.checkpoint.family == "sdxl" and skip > 1:
            self.warn("SDXL always reads its text encoders' last layer but one; clip_skip is not used.")
        positive, negative = self.guides(prompt, request.negative, calls, skip)
        if request.travel is not None:
            travel = request.travel
            text, _ = extract_loras(travel.prompt)
            towards = self.guides(text, travel.negative, calls, skip)
            (empty,) = self.text.encode(("",), skip)
            positive = mixed(positive, towards[0], travel.weight, travel.how, empty)
            (negative,) = mixed([negative], [towards[1]], travel.weight, travel.how, empty)
        return Guided(
            self.unet,
            self.consistency if sampler.consistency else self.levels,
            positive,
            negative,
            request.cfg_scale,
            sizes=self.sizes(request.width, request.height),
            consistency=sampler.consistency,
            one_by_one=small,
            inpainting_conditioning=inpainting_conditioning,
        )

    def sizes(self, width: int, height: int) -> Tensor | None:
        """SDXL's six numbers (original size, crop, target size); None for SD 1.x."""
        if not self.checkpoint.unet.vector:
            return None
        size = (height, width)
        return torch.tensor([*size, 0, 0, *size], device=self.device, dtype=torch.float32)

    def guides(self, prompt: str, negative: str, calls: int, skip: int) -> tuple[list[Guide], Guide]:
        """The parts of a prompt and its negative, encoded."""
        away = prompts.prompt_schedule(negative, calls)
        return (
            [Guide(c, self.text.encode(c.texts, skip)) for c in prompts.prompt_schedules(prompt, calls)],
            Guide(away, self.text.encode(away.texts, skip, zero_when_empty=True)),
        )

    def codec(self, name: str | None) -> Codec:
        """The autoencoder called `name`, the checkpoint's own for None; at most two stay in memory."""
        if name in self._codecs:
            return self._codecs[name]
        path = find_weights(
            name or self.checkpoint.path.stem + ".vae", self._folders.vaes, "VAE", "vae", TORCH
        )
        if len(self._codecs) > 1:
            del self._codecs[next(key for key in reversed(self._codecs) if key is not None)]
        vae = load_vae(path, self.checkpoint.latent_scale).to(device=self.device)
        wanted = self.checkpoint.unet.out_channels
        if vae.config.latent_channels != wanted:
            raise FlipbookError(
                Problem(
                    f"{path.name} has {vae.config.latent_channels} latent channels, "
                    f"{self.checkpoint.path.name} {wanted}; choose a VAE of its family",
                    field="vae",
                    code="model.wrong_architecture",
                )
            )
        self._codecs[name] = self._codec_of(vae)
        return self._codecs[name]

    def _codec_of(self, vae: AutoencoderKL) -> Codec:
        return Codec(vae, self.warn)


@dataclass(frozen=True)
class Kept:
    """The latents that a mask keeps."""

    latents: Tensor
    repaint: Tensor

    def blend(self, painted: Tensor, scale: float = 1.0) -> Tensor:
        """`painted` where it is repainted, the kept latents times `scale` elsewhere."""
        return painted * self.repaint + self.latents * (scale * (1 - self.repaint))


def require_finite(latents: Tensor, checkpoint: Checkpoint, dtype: torch.dtype) -> Tensor:
    """Returns `latents`. Raises FlipbookError when the UNet returned NaN or infinite values."""
    if bool(latents.isfinite().all()):
        return latents
    why = "its weights are broken"
    if dtype != torch.float32:
        why += ", or half precision is too little for it"
    raise FlipbookError(
        Problem(
            f"the UNet of {checkpoint.path.name} gave NaN or infinite values: {why}; use another checkpoint",
            field="checkpoint",
            code="model.not_finite",
        )
    )


def filled_latents(init: Tensor, plan: Inpainting, request: StillRequest, start: Tensor) -> Tensor:
    """Initial values of the masked latents: for "latent noise" the seed's noise, for "latent nothing"
    zeros."""
    repaint = plan.repaint.to(init.device)
    if request.fill == "latent noise":
        return init * (1 - repaint) + start * repaint
    return init * (1 - repaint) if request.fill == "latent nothing" else init


@contextmanager
def tiled(networks: Sequence[nn.Module], tiling: bool) -> Iterator[None]:
    """Switches convolutions to circular padding while active, so that the picture tiles seamlessly."""
    layers = [m for n in networks for m in n.modules() if isinstance(m, nn.Conv2d)] if tiling else []
    former = [layer.padding_mode for layer in layers]
    try:
        for layer in layers:
            layer.padding_mode = "circular"
        yield
    finally:
        for layer, mode in zip(layers, former, strict=True):
            layer.padding_mode = mode
