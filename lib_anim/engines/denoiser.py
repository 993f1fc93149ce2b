"""The network as samplers see it: noisy latents and a level in, a guess of the clean latents out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lib_anim.engines.conditioning import Embedding
from lib_anim.engines.prompts import Course
from lib_anim.engines.sigmas import NoiseLevels


@dataclass(frozen=True)
class Guide:
    """A course with its texts' embeddings."""

    course: Course
    embeddings: tuple[Embedding, ...]

    def at(self, call: int) -> Embedding:
        """The embedding for the network's `call`-th call."""
        return self.embeddings[self.course.at(call)]


class Guided:
    """A UNet under classifier-free guidance towards one or several prompts.

    D(x, σ) = x − σ·ε(x/√(σ² + 1), t(σ)): Karras et al. 2022, table 1, variance preserving column.
    D = D(negative) + scale·Σ shareᵢ·(D(promptᵢ) − D(negative)): Ho & Salimans 2022, eq. 6, and for several
    prompts Liu et al. 2022 ("Compositional Visual Generation"), eq. 11, both written in D instead of ε.
    """

    def __init__(
        self,
        unet: Any,
        levels: NoiseLevels,
        positive: Sequence[Guide],
        negative: Guide,
        scale: float,
        *,
        sizes: Tensor | None = None,
        consistency: bool = False,
        one_by_one: bool = False,
        beside: Tensor | None = None,
    ) -> None:
        """`sizes`: SDXL's six numbers (original, crop and target height and width), None for SD 1.x.

        `consistency` reads the network as a latent consistency model; `one_by_one` runs it once per prompt,
        with half the memory, instead of once for all. `beside` (B, C', H, W): what an inpainting checkpoint
        sees behind the noisy latents.
        """
        self._unet = unet
        # Asking the network for it walks over its parameters, each time.
        self._dtype: torch.dtype = unet.dtype
        self._levels = levels
        self._positive = positive
        self._negative = negative
        self._scale = scale
        self._sizes = sizes
        self._consistency = consistency
        self._one_by_one = one_by_one
        self._beside = beside
        self._calls = 0

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        """Clean latents (B, C, H, W) float32 guessed from `x` at level `sigma`."""
        time = float(self._levels.time(torch.tensor([sigma])))
        texts = _equally_long([guide.at(self._calls) for guide in self._positive])
        shares = [self._scale * guide.course.share for guide in self._positive]
        if shares != [1.0]:
            texts.append(self._negative.at(self._calls))
        self._calls += 1
        scaled = x * (sigma**2 + 1) ** -0.5
        noises = [part for group in self._groups(texts) for part in self._noises(scaled, time, group)]
        guesses = [x - sigma * noise for noise in noises]
        if self._consistency:
            guesses = [bounded(guess, x, time) for guess in guesses]
        if shares == [1.0]:
            return guesses[0]
        *towards, away = guesses
        result = away
        for guess, share in zip(towards, shares, strict=True):
            result = result + (guess - away) * share
        return result

    def _groups(self, texts: list[Embedding]) -> list[list[Embedding]]:
        """Neighbours that one pass of the network takes: equally long ones, or each alone for less memory."""
        groups: list[list[Embedding]] = []
        for text in texts:
            alike = groups and groups[-1][0].tokens.shape == text.tokens.shape
            if alike and not self._one_by_one:
                groups[-1].append(text)
            else:
                groups.append([text])
        return groups

    def _noises(self, scaled: Tensor, time: float, texts: Sequence[Embedding]) -> Sequence[Tensor]:
        """ε (B, C, H, W) float32 for each of `texts`, in one pass of the network."""
        dtype = self._dtype
        rows = len(scaled)
        tokens = torch.stack([text.tokens for text in texts]).repeat_interleave(rows, 0)
        added = None
        if self._sizes is not None:
            pooled = torch.stack([text.pooled for text in texts if text.pooled is not None])
            added = {
                "text_embeds": pooled.repeat_interleave(rows, 0).to(dtype),
                "time_ids": self._sizes.repeat(rows * len(texts), 1).to(dtype),
            }
        if self._beside is not None:
            scaled = torch.cat([scaled, self._beside], dim=1)
        noise: Tensor = self._unet(
            scaled.repeat(len(texts), 1, 1, 1).to(dtype),
            scaled.new_full((rows * len(texts),), time),
            encoder_hidden_states=tokens.to(dtype),
            added_cond_kwargs=added,
            return_dict=False,
        )[0]
        return noise.float().chunk(len(texts))


def bounded(guess: Tensor, x: Tensor, time: float) -> Tensor:
    """The consistency model's boundary condition: c_skip·x + c_out·x₀ (Luo et al. 2023, eq. 9).

    c_skip = σ_d²/((10t)² + σ_d²), c_out = 10t/√((10t)² + σ_d²), σ_d = 1/2, as its code scales t.
    """
    far = (10 * time) ** 2
    skip = 0.25 / (far + 0.25)
    return guess * math.sqrt(1 - skip) + x * skip


def _equally_long(texts: list[Embedding]) -> list[Embedding]:
    """Shorter ones filled up with their last vector, as the WebUI stacks the parts of an AND."""
    longest = max(len(text.tokens) for text in texts)
    return [
        Embedding(torch.cat([t.tokens, t.tokens[-1:].expand(longest - len(t.tokens), -1)]), t.pooled)
        if len(t.tokens) < longest
        else t
        for t in texts
    ]
