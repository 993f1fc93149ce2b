"""UNet denoiser with classifier-free guidance for clips: all frames' noisy latents in, predictions out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from lib_anim.engines.diffusion.clip_prompts import NEGATIVE, ClipPrompts
from lib_anim.engines.diffusion.denoiser import bounded
from lib_anim.engines.sampling.noise_levels import NoiseLevels
from lib_anim.motion.rows import Rows
from lib_anim.motion.session import ClipSession


class ClipGuided:
    """A UNet under classifier-free guidance, window by window, with motion layers installed.

    The formulas are those of `denoiser.Guided`, with a prompt, shares and a scale for each frame.
    """

    def __init__(
        self,
        unet: Any,
        session: ClipSession,
        levels: NoiseLevels,
        prompts: ClipPrompts,
        scales: Sequence[float],
        *,
        sizes: Tensor | None,
        consistency: bool,
        device: torch.device,
        inpainting_conditioning: Tensor | None = None,
    ) -> None:
        """`scales`: each frame's CFG scale. `sizes`, `consistency` and `inpainting_conditioning`
        as for `Guided`."""
        self._unet = unet
        self._dtype: torch.dtype = unet.dtype
        self._session = session
        self._levels = levels
        self._prompts = prompts
        self._sizes = sizes
        self._consistency = consistency
        self._inpainting_conditioning = inpainting_conditioning
        shares = torch.tensor([prompts.shares(part) for part in range(prompts.parts)])
        weights = (shares * torch.tensor(list(scales))).view(prompts.parts, -1, 1, 1, 1)
        parts = list(range(prompts.parts))
        self._alone = prompts.parts == 1 and bool((weights == 1).all())
        self._weights = weights.to(device)
        self._groups = prompts.groups(parts if self._alone else [*parts, NEGATIVE])
        self._calls = 0
        self.step = 0
        """The sampler's step, from 0, by which windows move."""

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        """Clean latents (frames, C, H, W) float32 predicted from `x` at level `sigma`."""
        time = float(self._levels.time(torch.tensor([sigma])))
        call = self._calls
        self._calls += 1
        scaled = x * (sigma**2 + 1) ** -0.5
        guesses: dict[int, Tensor] = {}
        for group in self._groups:
            for part, noise in zip(group, self._noises(scaled, time, group, call), strict=True):
                guess = x - sigma * noise
                guesses[part] = bounded(guess, x, time) if self._consistency else guess
        if self._alone:
            return guesses[0]
        away = guesses.pop(NEGATIVE)
        result = away
        for part, guess in guesses.items():
            result = result + (guess - away) * self._weights[part]
        return result

    def _noises(self, scaled: Tensor, time: float, group: list[int], call: int) -> Sequence[Tensor]:
        """ε (frames, C, H, W) float32 for each part of `group`."""
        if self._inpainting_conditioning is not None:
            scaled = torch.cat([scaled, self._inpainting_conditioning], dim=1)
        batch = scaled.repeat(len(group), 1, 1, 1).to(self._dtype)

        def inner(rows: Rows) -> Tensor:
            parts = group[rows.first : rows.first + rows.groups]
            texts = [self._prompts.at(part, rows.window, call) for part in parts]
            x = rows.of(batch)
            added = None
            if self._sizes is not None:
                pooled = torch.cat([text.pooled for text in texts if text.pooled is not None])
                added = {
                    "text_embeds": pooled.to(self._dtype),
                    "time_ids": self._sizes.repeat(len(x), 1).to(self._dtype),
                }
            noise: Tensor = self._unet(
                x,
                scaled.new_full((len(x),), time),
                encoder_hidden_states=torch.cat([text.tokens for text in texts]).to(self._dtype),
                added_cond_kwargs=added,
                return_dict=False,
            )[0]
            return noise

        return self._session.denoise(batch, self.step, inner).float().chunk(len(group))
