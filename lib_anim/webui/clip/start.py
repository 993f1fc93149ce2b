"""What a clip starts from besides noise: pictures, their ramp, a denoising for each frame; and FreeInit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from modules import devices, images, sd_samplers_common, sd_samplers_timesteps, shared

from lib_anim.engines.contract.requests import FreeInit
from lib_anim.motion.freeinit import low_pass, renewed
from lib_anim.motion.ramp import DenoisingRamp, LatentShares, latent_shares, mixed_latents
from lib_anim.webui.clip.task import ClipTask


class ClipStart:
    """The beginnings of one request's clips, batch by batch."""

    def __init__(self, task: ClipTask) -> None:
        self._task = task
        self._denoising: DenoisingRamp | None = None
        self._own_latent: torch.Tensor | None = None
        self._init: torch.Tensor | None = None
        self._img2img = False

    @property
    def draws(self) -> int:
        """How many draws of noise belong to the clip's beginning: the pictures' ramp takes the first."""
        return 2 if self._img2img and self._task.ramp is not None else 1

    def attach(self, p: Any) -> None:
        """Told before the host begins: img2img's denoising becomes the strongest frame's."""
        self._img2img = hasattr(p, "init_images")
        if self._img2img and self._task.denoising is not None:
            self._denoising = DenoisingRamp(self._task.denoising, p.steps)
            p.denoising_strength = self._denoising.strongest

    def begin_batch(self, p: Any) -> None:
        """Mix the batch's init latents with noise and the last picture, as the task's ramp says."""
        if not self._img2img:
            return
        if self._own_latent is None:
            # Of later batches too: the ramp is laid over the pictures, not over itself.
            self._own_latent = p.init_latent
        self._init = self._own_latent
        task, ramp = self._task, self._task.ramp
        if ramp is None:
            return
        last = self._last_latent(p)
        ends = None if last is None else (ramp.power_last, ramp.scale_last)
        shown = latent_shares(task.frames, ramp.power, ramp.scale, ends)
        more = task.denoised - task.frames
        shares = LatentShares(
            (*shown.first, *shown.first[-1:] * more), (*shown.last, *shown.last[-1:] * more)
        )
        # The host's img2img draws its sampler's noise next: in this order it is sd-webui-animatediff's.
        p.init_latent = self._init = mixed_latents(shares, self._own_latent, p.rng.next(), last)

    def begin_sampling(self, p: Any, noise: torch.Tensor) -> None:
        """Make the sampler of this request sample as often as FreeInit asks."""
        freeinit = self._task.steering.freeinit
        if freeinit is not None and not getattr(p, "is_hr_pass", False):
            name = "sample_img2img" if self._img2img else "sample"
            setattr(p.sampler, name, self._repeated(getattr(p.sampler, name), noise.clone(), freeinit))

    def held(self, guess: torch.Tensor, x: torch.Tensor, sigma: torch.Tensor, denoiser: Any) -> torch.Tensor:
        """The network's guess with frames whose denoising has not begun guessed to be their init."""
        if self._denoising is None or self._init is None or getattr(denoiser.p, "is_hr_pass", False):
            return guess
        # The host runs one step even for a denoising of 0; with so few steps that is no small one.
        still = {f for f, value in enumerate(self._task.denoising or ()) if value == 0}
        waiting = sorted({*self._denoising.waiting(denoiser.step), *still})
        if not waiting:
            return guess
        frames = self._task.denoised
        rows = torch.tensor([g * frames + f for g in range(len(x) // frames) for f in waiting])
        init = self._init[rows % frames].to(guess)
        rows = rows.to(guess.device)
        if isinstance(denoiser, sd_samplers_timesteps.CFGDenoiserTimesteps):
            # This one guesses the noise.
            alpha = shared.sd_model.alphas_cumprod[sigma[rows].long()].view(-1, 1, 1, 1).to(guess)
            init = (x[rows] - alpha.sqrt() * init) / (1 - alpha).sqrt()
        guess[rows] = init.to(guess.dtype)
        return guess

    def _repeated(
        self, former: Callable[..., torch.Tensor], noise: torch.Tensor, freeinit: FreeInit
    ) -> Callable[..., torch.Tensor]:
        place = 2 if self._img2img else 1

        def sample(*arguments: Any, **named: Any) -> torch.Tensor:
            result = former(*arguments, **named)
            shape = (len(noise), *noise.shape[-2:])
            kept = low_pass(shape, freeinit.filter, freeinit.spatial, freeinit.temporal)
            alpha = float(shared.sd_model.alphas_cumprod[-1])
            for _ in range(freeinit.iterations - 1):
                again = list(arguments)
                again[place] = renewed(result, noise, noise, alpha, kept).to(result)
                result = former(*again, **named)
            return result

        return sample

    def _last_latent(self, p: Any) -> torch.Tensor | None:
        picture = self._task.last
        if picture is None:
            return None
        picture = images.resize_image(p.resize_mode, images.flatten(picture, "#ffffff"), p.width, p.height)
        pixels = np.moveaxis(np.asarray(picture, np.float32) / 255, 2, 0)[None]
        tensor = torch.from_numpy(pixels).to(shared.device, dtype=devices.dtype_vae)
        latent: torch.Tensor = sd_samplers_common.images_tensor_to_samples(tensor, 0, p.sd_model)
        return latent
