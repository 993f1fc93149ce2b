"""Everything that is tied to one checkpoint: its networks, and the way from a request to a picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn

from lib_anim.engines import inpaint, prompts
from lib_anim.engines.brownian import BrownianNoise
from lib_anim.engines.conditioning import TextEncoder
from lib_anim.engines.contract import OnStep, Picture, StillRequest
from lib_anim.engines.denoiser import Guide, Guided
from lib_anim.engines.descent import Descent
from lib_anim.engines.inpaint import Inpainting
from lib_anim.engines.latents import Codec
from lib_anim.engines.loras import LoraRack, taken_out
from lib_anim.engines.networks import load_networks, load_vae
from lib_anim.engines.noise import NoiseSource, PictureNoise
from lib_anim.engines.samplers import SAMPLERS, Sampler
from lib_anim.engines.sigmas import ConsistencyLevels, NoiseLevels
from lib_anim.engines.travel import mixed
from lib_anim.engines.walk import Draw, Walk
from lib_anim.models.checkpoint import Checkpoint
from lib_anim.models.folders import ModelFolders, find_weights
from lib_anim.models.inversion import Inversion
from lib_anim.models.lora import read_lora
from lib_anim.models.tokenizer import open_tokenizer

Warn = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Habits:
    """How an engine draws its noise, for all of its pictures."""

    source: NoiseSource = "cpu"
    ancestral_delta: int = 0
    """Added to the seed for the steps' noise ("Eta noise seed delta")."""


class Painter:
    """One checkpoint's networks on one device."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        device: torch.device,
        dtype: torch.dtype,
        folders: ModelFolders,
        inversions: Sequence[Inversion],
        habits: Habits,
        warn: Warn,
    ) -> None:
        self.checkpoint = checkpoint
        self._device = device
        self._dtype = dtype
        self._folders = folders
        self._habits = habits
        self._warn = warn
        networks = load_networks(checkpoint, device, dtype)
        self._unet = networks.unet
        self._levels = NoiseLevels.of(networks.alphas)
        self._consistency = ConsistencyLevels.of(networks.alphas)
        self._codecs: dict[str | None, Codec] = (
            {} if networks.vae is None else {None: self._codec_of(networks.vae)}
        )
        self.text = TextEncoder(networks.text, open_tokenizer(checkpoint.tokenizer), device, inversions)
        self._loras = LoraRack(
            networks.layers, lambda name: read_lora(find_weights(name, folders.loras, "LoRA", "prompt"))
        )

    def paint(self, request: StillRequest, on_step: OnStep | None, *, small: bool) -> Picture:
        """The request's picture. `small` works in the smallest pieces, for when memory is short."""
        codec = self._codec(request.vae)
        prompt, uses = taken_out(request.prompt)
        if request.travel is not None:
            named = {use.name for use in uses}
            uses += tuple(use for use in taken_out(request.travel.prompt)[1] if use.name not in named)
        for sentence in self._loras.wear(uses):
            self._warn(sentence)
        self.text.variant = uses
        plan = inpaint.prepare(request, codec.factor) if request.mask is not None else None
        if request.mask is not None and plan is None:
            self._warn("The mask is empty, so only masked inpainting became plain img2img.")
        with _tiled((self._unet, codec.vae), request.tiling), codec.pieces(small):
            latents = self._sample(request, prompt, codec, plan, on_step, small)
            painted = codec.decode(latents)
        return painted if plan is None else plan.lay_over(painted)

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
        way = self._way(request, sampler)
        noise = self._noise(request, codec)
        start = noise.first()[None].to(self._device)
        guided = self._guided(request, sampler, prompt, small)
        x = start * way.noise
        kept = None
        if request.init is not None:
            init = codec.encode(request.init if plan is None else plan.init, request.seed)
            if plan is not None:
                kept = _Kept(_filled_latents(init, plan, request, start), plan.repaint.to(self._device))
                init = kept.latents
            x = init * way.init + start * (way.noise * request.noise_multiplier)

        def stepped(done: int) -> None:
            if on_step is not None:
                on_step(done, len(way.sigmas) - 1)

        def denoise(latents: Tensor, sigma: float) -> Tensor:
            if kept is None:
                return guided(latents, sigma)
            if not sampler.masks_input:
                return kept.blend(guided(latents, sigma))
            seen = kept.blend(latents, (1 + sigma**2) ** 0.5)
            return latents - seen + guided(seen, sigma)

        walk = Walk(
            denoise=denoise,
            x=x,
            sigmas=way.sigmas,
            draw=self._draw(sampler, noise, request.seed, way),
            eta=sampler.eta if request.eta is None else request.eta,
            stepped=stepped,
        )
        result = sampler.run(walk) * way.end
        return result if kept is None else kept.blend(result)

    def _way(self, request: StillRequest, sampler: Sampler) -> Descent:
        """The levels to visit; with an init picture only the last ones."""
        if request.scheduler != "Automatic" and not sampler.has_spacings:
            self._warn(
                f'"{sampler.name}" has steps of its own; the scheduler "{request.scheduler}" is not used.'
            )
        spacing = sampler.spacing if request.scheduler == "Automatic" else request.scheduler
        levels = self._consistency if sampler.consistency else self._levels
        return sampler.way(
            spacing, request.steps, None if request.init is None else request.denoising, levels
        )

    def _noise(self, request: StillRequest, codec: Codec) -> PictureNoise:
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
            ancestral_delta=self._habits.ancestral_delta,
            source=self._habits.source,
            device=self._device,
        )

    def _draw(self, sampler: Sampler, noise: PictureNoise, seed: int, way: Descent) -> Draw:
        if sampler.brownian:
            path = BrownianNoise(noise.shape, seed, way.reach)
            return lambda here, there: path.between(here, there)[None].to(self._device)
        return lambda here, there: noise.next()[None].to(self._device)

    def _guided(self, request: StillRequest, sampler: Sampler, prompt: str, small: bool) -> Guided:
        calls = request.steps * sampler.calls
        skip = request.clip_skip
        if self.checkpoint.family == "sdxl" and skip > 1:
            self._warn("SDXL always reads its text encoders' last layer but one; clip_skip is not used.")
        sizes = None
        if self.checkpoint.unet.vector:
            size = (request.height, request.width)
            sizes = torch.tensor([*size, 0, 0, *size], device=self._device, dtype=torch.float32)
        positive, negative = self._guides(prompt, request.negative, calls, skip)
        if request.travel is not None:
            travel = request.travel
            text, _ = taken_out(travel.prompt)
            towards = self._guides(text, travel.negative, calls, skip)
            (empty,) = self.text.encode(("",), skip)
            positive = mixed(positive, towards[0], travel.weight, travel.how, empty)
            (negative,) = mixed([negative], [towards[1]], travel.weight, travel.how, empty)
        return Guided(
            self._unet,
            self._consistency if sampler.consistency else self._levels,
            positive,
            negative,
            request.cfg_scale,
            sizes=sizes,
            consistency=sampler.consistency,
            one_by_one=small,
        )

    def _guides(self, prompt: str, negative: str, calls: int, skip: int) -> tuple[list[Guide], Guide]:
        """The parts of a prompt and its negative, encoded."""
        away = prompts.course(negative, calls)
        return (
            [Guide(c, self.text.encode(c.texts, skip)) for c in prompts.courses(prompt, calls)],
            Guide(away, self.text.encode(away.texts, skip, zero_when_empty=True)),
        )

    def _codec(self, name: str | None) -> Codec:
        """The autoencoder called `name`, the checkpoint's own for None; at most two stay in memory."""
        if name in self._codecs:
            return self._codecs[name]
        path = find_weights(name or self.checkpoint.path.stem + ".vae", self._folders.vaes, "VAE", "vae")
        if len(self._codecs) > 1:
            del self._codecs[next(key for key in reversed(self._codecs) if key is not None)]
        vae = load_vae(path, self.checkpoint.latent_scale).to(device=self._device)
        self._codecs[name] = self._codec_of(vae)
        return self._codecs[name]

    def _codec_of(self, vae: AutoencoderKL) -> Codec:
        return Codec(vae, self._warn)


@dataclass(frozen=True)
class _Kept:
    """The latents that a mask keeps."""

    latents: Tensor
    repaint: Tensor

    def blend(self, painted: Tensor, scale: float = 1.0) -> Tensor:
        """`painted` where it is repainted, the kept latents times `scale` elsewhere."""
        return painted * self.repaint + self.latents * (scale * (1 - self.repaint))


def _filled_latents(init: Tensor, plan: Inpainting, request: StillRequest, start: Tensor) -> Tensor:
    """What the masked latents start from: for "latent noise" the seed's noise, for "latent nothing" zeros."""
    repaint = plan.repaint.to(init.device)
    if request.fill == "latent noise":
        return init * (1 - repaint) + start * repaint
    return init * (1 - repaint) if request.fill == "latent nothing" else init


@contextmanager
def _tiled(networks: Sequence[nn.Module], tiling: bool) -> Iterator[None]:
    """Lets convolutions run on round the picture's edges, so that pictures fit beside themselves."""
    layers = [m for n in networks for m in n.modules() if isinstance(m, nn.Conv2d)] if tiling else []
    former = [layer.padding_mode for layer in layers]
    try:
        for layer in layers:
            layer.padding_mode = "circular"
        yield
    finally:
        for layer, mode in zip(layers, former, strict=True):
            layer.padding_mode = mode
