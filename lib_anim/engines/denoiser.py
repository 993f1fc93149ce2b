"""The network as samplers see it: noisy latents and a level in, a guess of the clean latents out."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from lib_anim.engines.conditioning import Embedding
from lib_anim.engines.sigmas import NoiseLevels


class Guided:
    """A UNet under classifier-free guidance (Ho & Salimans 2022, eq. 6, written in D instead of ε).

    D(x, σ) = x − σ·ε(x/√(σ² + 1), t(σ)): Karras et al. 2022, table 1, variance preserving column.
    """

    def __init__(
        self, unet: Any, levels: NoiseLevels, positive: Embedding, negative: Embedding, scale: float
    ) -> None:
        self._unet = unet
        self._levels = levels
        self._positive = positive
        self._negative = negative
        self._scale = scale

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        """Clean latents (B, C, H, W) float32 guessed from `x` at level `sigma`."""
        time = float(self._levels.time(torch.tensor([sigma])))
        texts = [self._positive] if self._scale == 1 else [self._positive, self._negative]
        scaled = x * (sigma**2 + 1) ** -0.5
        if len({text.tokens.shape for text in texts}) == 1:
            noise = self._noise(scaled, time, texts).chunk(len(texts))
        else:
            noise = tuple(self._noise(scaled, time, [text]) for text in texts)
        guesses = [x - sigma * part for part in noise]
        if len(guesses) == 1:
            return guesses[0]
        return guesses[1] + (guesses[0] - guesses[1]) * self._scale

    def _noise(self, scaled: Tensor, time: float, texts: list[Embedding]) -> Tensor:
        """ε (len(texts)·B, C, H, W) float32, text by text, in one pass of the UNet."""
        dtype = self._unet.dtype
        rows = len(scaled)
        tokens = torch.stack([text.tokens for text in texts]).repeat_interleave(rows, 0)
        noise: Tensor = self._unet(
            scaled.repeat(len(texts), 1, 1, 1).to(dtype),
            scaled.new_full((rows * len(texts),), time),
            encoder_hidden_states=tokens.to(dtype),
            return_dict=False,
        )[0]
        return noise.float()
