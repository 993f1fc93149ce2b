"""UNet denoiser with classifier-free guidance: noisy latents and σ in, predicted clean latents out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lib_anim.engines.sampling.noise_levels import NoiseLevels
from lib_anim.engines.text.encoder import Embedding
from lib_anim.engines.text.prompt_parser import PromptSchedule


@dataclass(frozen=True)
class Guide:
    """A prompt schedule with its texts' embeddings."""

    prompt_schedule: PromptSchedule
    embeddings: tuple[Embedding, ...]

    def at(self, call: int) -> Embedding:
        """The embedding for the network's `call`-th call."""
        return self.embeddings[self.prompt_schedule.at(call)]


@dataclass(frozen=True)
class _Pass:
    """The conditioning of one UNet call."""

    texts: int
    tokens: Tensor
    """(texts · B, length, width) in the network's type."""
    added: Mapping[str, Tensor] | None
    """SDXL's pooled texts and sizes."""


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
        inpainting_conditioning: Tensor | None = None,
    ) -> None:
        """`sizes`: SDXL's six numbers (original, crop and target height and width), None for SD 1.x.

        `consistency` reads the network as a latent consistency model; `one_by_one` runs it once per prompt,
        with half the memory, instead of once for all. `inpainting_conditioning` (B, C', H, W): channels
        that follow the noisy latents in the input of an inpainting checkpoint.
        """
        self._unet = unet
        # `unet.dtype` iterates over all layers.
        self._dtype: torch.dtype = next(unet.parameters()).dtype
        self._levels = levels
        self._positive = positive
        self._negative = negative
        self._scale = scale
        self._sizes = sizes
        self._consistency = consistency
        self._one_by_one = one_by_one
        self._inpainting_conditioning = inpainting_conditioning
        self._calls = 0
        self._shares = [scale * guide.prompt_schedule.share for guide in positive]
        self._passes: dict[tuple[int, ...], list[_Pass]] = {}
        """Conditionings by active texts, cached: most steps use those of the previous step."""

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        """Clean latents (B, C, H, W) float32 predicted from `x` at level `sigma`."""
        time = float(self._levels.time(torch.tensor([sigma])))
        scaled = x * (sigma**2 + 1) ** -0.5
        noises = [part for batch in self._passes_now(len(x)) for part in self._noises(scaled, time, batch)]
        guesses = [x - sigma * noise for noise in noises]
        if self._consistency:
            guesses = [bounded(guess, x, time) for guess in guesses]
        if self._shares == [1.0]:
            return guesses[0]
        *towards, away = guesses
        result = away
        for guess, share in zip(towards, self._shares, strict=True):
            result = result + (guess - away) * share
        return result

    def _passes_now(self, rows: int) -> list[_Pass]:
        """The passes of this call: the parts of the prompt, then the negative."""
        guides = [*self._positive] if self._shares == [1.0] else [*self._positive, self._negative]
        key = (rows, *(guide.prompt_schedule.at(self._calls) for guide in guides))
        if key not in self._passes:
            texts = [guide.at(self._calls) for guide in guides]
            parts = _equally_long(texts[: len(self._positive)])
            groups = self._groups([*parts, *texts[len(self._positive) :]])
            self._passes[key] = [self._pass(group, rows) for group in groups]
        self._calls += 1
        return self._passes[key]

    def _groups(self, texts: list[Embedding]) -> list[list[Embedding]]:
        """Batches of adjacent texts of equal length, or one text each to save memory."""
        groups: list[list[Embedding]] = []
        for text in texts:
            alike = groups and groups[-1][0].tokens.shape == text.tokens.shape
            if alike and not self._one_by_one:
                groups[-1].append(text)
            else:
                groups.append([text])
        return groups

    def _pass(self, texts: Sequence[Embedding], rows: int) -> _Pass:
        tokens = torch.stack([text.tokens for text in texts]).repeat_interleave(rows, 0)
        added = None
        if self._sizes is not None:
            pooled = torch.stack([text.pooled for text in texts if text.pooled is not None])
            added = {
                "text_embeds": pooled.repeat_interleave(rows, 0).to(self._dtype),
                "time_ids": self._sizes.repeat(rows * len(texts), 1).to(self._dtype),
            }
        return _Pass(len(texts), tokens.to(self._dtype), added)

    def _noises(self, scaled: Tensor, time: float, batch: _Pass) -> Sequence[Tensor]:
        """ε (B, C, H, W) float32 for each of the pass's texts."""
        if self._inpainting_conditioning is not None:
            scaled = torch.cat([scaled, self._inpainting_conditioning], dim=1)
        noise: Tensor = self._unet(
            scaled.repeat(batch.texts, 1, 1, 1).to(self._dtype),
            scaled.new_full((len(batch.tokens),), time),
            encoder_hidden_states=batch.tokens,
            added_cond_kwargs=batch.added,
            return_dict=False,
        )[0]
        return noise.float().chunk(batch.texts)


def bounded(guess: Tensor, x: Tensor, time: float) -> Tensor:
    """The consistency model's boundary condition: c_skip·x + c_out·x₀ (Luo et al. 2023, eq. 9).

    c_skip = σ_d²/((10t)² + σ_d²), c_out = 10t/√((10t)² + σ_d²), σ_d = 1/2, as its code scales t.
    """
    far = (10 * time) ** 2
    skip = 0.25 / (far + 0.25)
    return guess * math.sqrt(1 - skip) + x * skip


def _equally_long(texts: list[Embedding]) -> list[Embedding]:
    """Pads shorter embeddings with their last vector, as the WebUI stacks the parts of an AND."""
    longest = max(len(text.tokens) for text in texts)
    return [
        Embedding(torch.cat([t.tokens, t.tokens[-1:].expand(longest - len(t.tokens), -1)]), t.pooled)
        if len(t.tokens) < longest
        else t
        for t in texts
    ]
