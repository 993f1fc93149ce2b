"""What a clip starts from besides noise: pictures, their ramp, a denoising for each frame; and FreeInit."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from modules import images, sd_samplers_common, sd_samplers_timesteps, shared
from PIL import Image

from lib_anim.models.motion_facts import MotionFacts
from lib_anim.motion.freeinit import low_pass, renewed
from lib_anim.motion.ramp import DenoisingRamp, LatentShares, latent_shares, mixed_latents
from lib_anim.settings.animatediff import ClipCall
from lib_anim.webui.clip_plan import ClipCurves


class ClipStart:
    """The beginnings of one request's clips, batch by batch."""

    def __init__(self, call: ClipCall, curves: ClipCurves, frames: int, denoised: int) -> None:
        self._call = call
        self._frames = frames
        self._denoised = denoised
        self._denoising = curves.denoising
        self._ramp: DenoisingRamp | None = None
        self._own_latent: torch.Tensor | None = None
        self._init: torch.Tensor | None = None
        self._img2img = False

    @property
    def draws(self) -> int:
        """How many draws of noise belong to the clip's beginning: img2img's ramp takes the first."""
        return 2 if self._img2img else 1

    def put_on(self, p: Any) -> None:
        """Told before the host begins: img2img's denoising becomes the strongest frame's."""
        self._img2img = hasattr(p, "init_images")
        if self._img2img and self._denoising is not None:
            self._ramp = DenoisingRamp(self._denoising, p.steps)
            p.denoising_strength = self._ramp.strongest

    def begin_batch(self, p: Any) -> None:
        """Mix the batch's init latents with noise and the last picture, as latent power and scale say."""
        if not self._img2img:
            return
        if self._own_latent is None:
            # Of later batches too: the ramp is laid over the pictures, not over itself.
            self._own_latent = p.init_latent
        motion = self._call.motion
        last = self._last_latent(p)
        ends = None if last is None else (motion.latent_power_last, motion.latent_scale_last)
        shown = latent_shares(self._frames, motion.latent_power, motion.latent_scale, ends)
        more = self._denoised - self._frames
        shares = LatentShares(
            (*shown.first, *shown.first[-1:] * more), (*shown.last, *shown.last[-1:] * more)
        )
        # The host's img2img draws its sampler's noise next: in this order it is sd-webui-animatediff's.
        p.init_latent = mixed_latents(shares, self._own_latent, p.rng.next(), last)
        self._init = p.init_latent

    def begin_sampling(self, p: Any, noise: torch.Tensor, facts: MotionFacts) -> None:
        """Make the sampler of this request sample as often as FreeInit asks."""
        if self._call.motion.freeinit_enable and not p.is_hr_pass:
            name = "sample_img2img" if self._img2img else "sample"
            setattr(p.sampler, name, self._repeated(getattr(p.sampler, name), noise.clone(), facts))

    def held(self, guess: torch.Tensor, x: torch.Tensor, sigma: torch.Tensor, denoiser: Any) -> torch.Tensor:
        """The network's guess with frames whose denoising has not begun guessed to be their init."""
        if self._ramp is None or self._init is None or denoiser.p.is_hr_pass:
            return guess
        # The host runs one step even for a denoising of 0; with so few steps that is no small one.
        still = {f for f, value in enumerate(self._denoising or ()) if value == 0}
        waiting = sorted({*self._ramp.waiting(denoiser.step), *still})
        if not waiting:
            return guess
        frames = self._denoised
        rows = torch.tensor([g * frames + f for g in range(len(x) // frames) for f in waiting])
        init = self._init[rows % frames].to(guess)
        rows = rows.to(guess.device)
        if isinstance(denoiser, sd_samplers_timesteps.CompVisTimestepsDenoiser) or _predicts_noise(denoiser):
            alpha = shared.sd_model.alphas_cumprod[sigma[rows].long()].view(-1, 1, 1, 1).to(guess)
            init = (x[rows] - alpha.sqrt() * init) / (1 - alpha).sqrt()
        guess[rows] = init.to(guess.dtype)
        return guess

    def _repeated(
        self, former: Callable[..., torch.Tensor], noise: torch.Tensor, facts: MotionFacts
    ) -> Callable[..., torch.Tensor]:
        motion = self._call.motion
        place = 2 if self._img2img else 1

        def sample(*arguments: Any, **named: Any) -> torch.Tensor:
            result = former(*arguments, **named)
            shape = (len(noise), *noise.shape[-2:])
            kept = low_pass(shape, motion.freeinit_filter, motion.freeinit_ds, motion.freeinit_dt)
            alpha = float(shared.sd_model.alphas_cumprod[-1])
            for _ in range(motion.freeinit_iters - 1):
                again = list(arguments)
                again[place] = renewed(result, noise, noise, alpha, kept).to(result)
                result = former(*again, **named)
            return result

        return sample

    def _last_latent(self, p: Any) -> torch.Tensor | None:
        picture = self._last_picture()
        if picture is None:
            return None
        picture = images.resize_image(p.resize_mode, images.flatten(picture, "#ffffff"), p.width, p.height)
        pixels = np.moveaxis(np.asarray(picture, np.float32) / 255, 2, 0)[None]
        tensor = torch.from_numpy(pixels).to(shared.device, dtype=self._own_type(p))
        latent: torch.Tensor = sd_samplers_common.images_tensor_to_samples(tensor, 0, p.sd_model)
        return latent

    def _last_picture(self) -> Image.Image | None:
        if self._call.last_frame_data:
            data = self._call.last_frame_data.partition("base64,")
            return Image.open(io.BytesIO(base64.b64decode(data[2] or data[0])))
        path = self._call.motion.last_frame
        return Image.open(path) if path else None

    @staticmethod
    def _own_type(p: Any) -> torch.dtype:
        from modules import devices

        dtype: torch.dtype = devices.dtype_vae
        return dtype


def _predicts_noise(denoiser: Any) -> bool:
    return isinstance(denoiser.inner_model, sd_samplers_timesteps.CompVisTimestepsDenoiser)
