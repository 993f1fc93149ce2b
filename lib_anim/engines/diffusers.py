"""The embedded engine: paints with a user's checkpoint on diffusers' networks and an own sampling loop."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path

import diffusers
import torch
from torch import Tensor

from lib_anim.engines.conditioning import TextEncoder
from lib_anim.engines.contract import Capabilities, Engine, OnStep, Picture, StillRequest
from lib_anim.engines.denoiser import Guided
from lib_anim.engines.latents import Codec
from lib_anim.engines.networks import load_networks
from lib_anim.engines.noise import PictureNoise
from lib_anim.engines.request import check
from lib_anim.engines.samplers import SAMPLERS, Sampler, Walk
from lib_anim.engines.sigmas import SPACINGS, NoiseLevels, noise_levels, steps_of
from lib_anim.errors import FlipbookError, Problem
from lib_anim.models.checkpoint import Checkpoint, read_checkpoint
from lib_anim.models.tokenizer import open_tokenizer


def open_engine(checkpoint: Path, *, device: str | None = None) -> Engine:
    """An engine that paints with `checkpoint`, a single .safetensors file in the original layout.

    `device` as torch names it; None takes CUDA when there is one, else the CPU. Weights are float16 on
    CUDA and float32 elsewhere. Raises FlipbookError when the file or the device cannot be used.
    """
    return DiffusersEngine(read_checkpoint(Path(checkpoint)), _device(device))


def _device(name: str | None) -> torch.device:
    if name is None:
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise FlipbookError(
            Problem(
                f'"{name}" cannot be used here ({str(error).splitlines()[0]}); try "cpu".', field="device"
            )
        ) from error
    return torch.device(name)


class DiffusersEngine:
    """Paints stills with one checkpoint. Made by `open_engine`."""

    def __init__(self, checkpoint: Checkpoint, device: torch.device) -> None:
        self._checkpoint = checkpoint
        self._device = device
        self._dtype = torch.float16 if device.type == "cuda" else torch.float32
        self._warnings: list[str] = []
        networks = load_networks(checkpoint, device, self._dtype)
        self._unet = networks.unet
        self._levels = NoiseLevels.of(networks.alphas)
        self._codec = Codec(networks.vae, self._warn)
        tokenizers = tuple(open_tokenizer(checkpoint.tokenizer) for _ in networks.text)
        self._text = TextEncoder(networks.text, tokenizers, device)

    @property
    def name(self) -> str:
        return "diffusers"

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            samplers=tuple(SAMPLERS),
            schedulers=("Automatic", *SPACINGS),
            multiple_of=self._codec.factor,
            subseed=True,
            native_size=self._checkpoint.native_size,
        )

    @cached_property
    def fingerprint(self) -> str:
        path = self._checkpoint.path
        with path.open("rb") as file:
            digest = hashlib.sha256()
            for block in iter(lambda: file.read(1 << 20), b""):
                digest.update(block)
        dtype = str(self._dtype).removeprefix("torch.")
        return (
            f"diffusers engine, {path.name} sha256 {digest.hexdigest()}, {self._device}, {dtype}, "
            f"torch {torch.__version__}, diffusers {diffusers.__version__}"
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(self._warnings)

    def still(self, request: StillRequest, on_step: OnStep | None = None) -> Picture:
        """One picture; see `Engine.still`."""
        check(request, self.capabilities)
        with torch.inference_mode():
            return self._codec.decode(self._sample(request, on_step))

    def close(self) -> None:
        """Frees the networks; the engine cannot be used afterwards."""
        del self._unet, self._codec, self._text
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _sample(self, request: StillRequest, on_step: OnStep | None) -> Tensor:
        """Latents (1, C, h, w) of the request's picture."""
        sampler = SAMPLERS[request.sampler]
        sigmas = self._sigmas(request, sampler)
        noise = self._noise(request)
        start = noise.first()[None].to(self._device)
        if request.init is None:
            x = start * sigmas[0]
        else:
            x = self._codec.encode(request.init, request.seed) + start * (
                request.noise_multiplier * sigmas[0]
            )

        def stepped(done: int) -> None:
            if on_step is not None:
                on_step(done, len(sigmas) - 1)

        return sampler.run(
            Walk(
                denoise=self._guided(request),
                x=x,
                sigmas=sigmas,
                draw=lambda: noise.next()[None].to(self._device),
                eta=sampler.eta if request.eta is None else request.eta,
                stepped=stepped,
            )
        )

    def _sigmas(self, request: StillRequest, sampler: Sampler) -> list[float]:
        """The levels to visit; with an init picture only the last ones."""
        spacing = sampler.spacing if request.scheduler == "Automatic" else request.scheduler
        levels: list[float] = noise_levels(spacing, request.steps, self._levels).tolist()
        if request.init is None:
            return levels
        return levels[request.steps - steps_of(request.denoising, request.steps) :]

    def _noise(self, request: StillRequest) -> PictureNoise:
        factor = self._codec.factor
        return PictureNoise(
            (self._checkpoint.unet.out_channels, request.height // factor, request.width // factor),
            request.seed,
            request.subseed,
            request.subseed_strength,
            request.seed_resize_from,
        )

    def _guided(self, request: StillRequest) -> Guided:
        positive = self._text.encode(request.prompt, request.clip_skip)
        negative = self._text.encode(request.negative, request.clip_skip)
        return Guided(self._unet, self._levels, positive, negative, request.cfg_scale)

    def _warn(self, sentence: str) -> None:
        if sentence not in self._warnings:
            self._warnings.append(sentence)
