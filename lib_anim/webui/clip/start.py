"""A clip's initial latents: init pictures, latent ramp, denoising strength per frame, FreeInit."""

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
    """Prepares the initial latents of one request's clips, batch by batch."""

    def __init__(self, task: ClipTask) -> None:
        self._task = task
        self._denoising: DenoisingRamp | None = None
        self._init_latent: torch.Tensor | None = None
        self._init: torch.Tensor | None = None
        self._img2img = False

    @property
    def draws(self) -> int:
        """Number of noise draws for the initial latents; the latent ramp uses the first."""
        return 2 if self._img2img and self._task.ramp is not None else 1

    def attach(self, p: Any) -> None:
        """Set img2img's denoising strength to the maximum of all frames; before the host starts."""
        self._img2img = hasattr(p, "init_images")
        if self._img2img and self._task.denoising is not None:
            self._denoising = DenoisingRamp(self._task.denoising, p.steps)
            p.denoising_strength = self._denoising.strongest

    def prepare_batch(self, p: Any) -> None:
        """Mix the batch's init latents with noise and the last picture according to the task's ramp."""
        if not self._img2img:
            return
        if self._init_latent is None:
            # Also used for later batches: the ramp applies to the pictures, not to its own result.
            self._init_latent = p.init_latent
        self._init = self._init_latent
        task, ramp = self._task, self._task.ramp
        if ramp is None:
            return
        last = self._last_latent(p)
        ends = None if last is None else (ramp.power_last, ramp.scale_last)
        shown = latent_shares(task.frames, ramp.power, ramp.scale, ends)
        padding = task.denoised - task.frames
        shares = LatentShares(
            (*shown.first, *shown.first[-1:] * padding), (*shown.last, *shown.last[-1:] * padding)
        )
        # Drawn before the sampler's noise: the same order as in sd-webui-animatediff.
        p.init_latent = self._init = mixed_latents(shares, self._init_latent, p.rng.next(), last)

    def prepare_sampling(self, p: Any, noise: torch.Tensor) -> None:
        """Wrap the request's sampler to run FreeInit's iterations."""
        freeinit = self._task.steering.freeinit
        if freeinit is not None and not getattr(p, "is_hr_pass", False):
            name = "sample_img2img" if self._img2img else "sample"
            setattr(
                p.sampler, name, self._freeinit_wrapper(getattr(p.sampler, name), noise.clone(), freeinit)
            )

    def with_waiting_frames(
        self, prediction: torch.Tensor, x: torch.Tensor, sigma: torch.Tensor, denoiser: Any
    ) -> torch.Tensor:
        """The UNet's prediction; frames whose denoising has not started predict their init latents."""
        if self._denoising is None or self._init is None or getattr(denoiser.p, "is_hr_pass", False):
            return prediction
        # The host runs one step even for a denoising strength of 0, which changes such frames.
        still = {f for f, value in enumerate(self._task.denoising or ()) if value == 0}
        waiting = sorted({*self._denoising.waiting(denoiser.step), *still})
        if not waiting:
            return prediction
        frames = self._task.denoised
        rows = torch.tensor([g * frames + f for g in range(len(x) // frames) for f in waiting])
        init = self._init[rows % frames].to(prediction)
        rows = rows.to(prediction.device)
        if isinstance(denoiser, sd_samplers_timesteps.CFGDenoiserTimesteps):
            # This denoiser predicts the noise.
            alpha = shared.sd_model.alphas_cumprod[sigma[rows].long()].view(-1, 1, 1, 1).to(prediction)
            init = (x[rows] - alpha.sqrt() * init) / (1 - alpha).sqrt()
        prediction[rows] = init.to(prediction.dtype)
        return prediction

    def _freeinit_wrapper(
        self, original: Callable[..., torch.Tensor], noise: torch.Tensor, freeinit: FreeInit
    ) -> Callable[..., torch.Tensor]:
        place = 2 if self._img2img else 1

        def sample(*arguments: Any, **named: Any) -> torch.Tensor:
            result = original(*arguments, **named)
            shape = (len(noise), *noise.shape[-2:])
            kept = low_pass(shape, freeinit.filter, freeinit.spatial, freeinit.temporal)
            alpha = float(shared.sd_model.alphas_cumprod[-1])
            for _ in range(freeinit.iterations - 1):
                changed = list(arguments)
                changed[place] = renewed(result, noise, noise, alpha, kept).to(result)
                result = original(*changed, **named)
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
