"""Per-frame conditionings of a clip, computed for a few frames at a time to limit memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from lib_anim.engines.contract.requests import ClipFrame
from lib_anim.engines.diffusion.denoiser import Guide
from lib_anim.engines.diffusion.lora_manager import LoraUse, extract_loras
from lib_anim.engines.text.encoder import Embedding
from lib_anim.motion.travel import Blend, conditioned
from lib_anim.types import PromptInterpolation

NEGATIVE = -1
"""Index of the negative prompt among a frame's parts; AND parts count from 0."""


@dataclass(frozen=True)
class EncodedPrompt:
    """A prompt and its negative, encoded."""

    parts: Sequence[Guide]
    """The AND parts."""
    negative: Guide

    def guide(self, part: int) -> Guide | None:
        """The guide of a part; None where the prompt has fewer."""
        if part == NEGATIVE:
            return self.negative
        return self.parts[part] if part < len(self.parts) else None


@dataclass(frozen=True)
class PromptPair:
    """A frame's prompt, or two prompts to interpolate."""

    first: EncodedPrompt
    second: EncodedPrompt | None
    weight: float
    how: PromptInterpolation


class ClipPrompts:
    """The conditionings of a clip's frames."""

    def __init__(self, pairs: Sequence[PromptPair]) -> None:
        self._pairs = pairs
        encoded = {id(e): e for pair in pairs for e in (pair.first, pair.second) if e is not None}
        self.parts = max(len(e.parts) for e in encoded.values())
        """Largest number of AND parts of a frame."""
        self._lengths = {
            part: max(
                len(embedding.tokens)
                for e in encoded.values()
                if (guide := e.guide(part)) is not None
                for embedding in guide.embeddings
            )
            for part in (*range(self.parts), NEGATIVE)
        }

    def shares(self, part: int) -> list[float]:
        """A part's share at every frame; 0 where the frame's prompt lacks it."""
        return [_share(pair, part) for pair in self._pairs]

    def groups(self, parts: Sequence[int], one_by_one: bool = False) -> list[list[int]]:
        """Batches of adjacent `parts` with equal token lengths, one UNet call each."""
        groups: list[list[int]] = []
        for part in parts:
            alike = groups and self._lengths[groups[-1][0]] == self._lengths[part]
            if alike and not one_by_one:
                groups[-1].append(part)
            else:
                groups.append([part])
        return groups

    def at(self, part: int, frames: Sequence[int], call: int) -> Embedding:
        """A part's conditioning at `frames`: tokens (frames, length, width), for SDXL pooled (frames,
        width)."""
        groups: dict[tuple[int, int, str], list[int]] = {}
        for row, frame in enumerate(frames):
            pair = self._pairs[frame]
            second = pair.first if pair.second is None else pair.second
            groups.setdefault((id(pair.first), id(second), pair.how), []).append(row)
        tokens, pools, order = [], [], []
        for rows in groups.values():
            pair = self._pairs[frames[rows[0]]]
            blends = [Blend(0, 1, self._pairs[frames[row]].weight) for row in rows]
            ends = self._ends(pair, part, call)
            tokens.append(conditioned([end.tokens for end in ends], blends, pair.how))
            if all(end.pooled is not None for end in ends):
                pools.append(conditioned([end.pooled for end in ends], blends, pair.how))
            order += rows
        if len(tokens) == 1:
            return Embedding(tokens[0], pools[0] if pools else None)
        back = torch.tensor(order).argsort().to(tokens[0].device)
        return Embedding(torch.cat(tokens)[back], torch.cat(pools)[back] if pools else None)

    def _ends(self, pair: PromptPair, part: int, call: int) -> tuple[Embedding, Embedding]:
        """The pair's two embeddings, padded to equal length; where one prompt lacks the part, the other's
        twice."""
        one = pair.first.guide(part)
        other = pair.first.guide(part) if pair.second is None else pair.second.guide(part)
        found = one or other or pair.first.parts[0]
        length = self._lengths[part]
        first = _padded((one or found).at(call), length)
        return first, first if other is one else _padded((other or found).at(call), length)


def uses_of(frames: Sequence[ClipFrame]) -> tuple[tuple[LoraUse, ...], tuple[str, ...]]:
    """(every LoRA in the clip's prompts, warnings about weights that differ).

    Weights of a network are the same for all frames that it denoises together: the first one counts.
    """
    uses: dict[str, LoraUse] = {}
    differing: dict[str, None] = {}
    prompts = dict.fromkeys(
        text for f in frames for text in (f.prompt, None if f.travel is None else f.travel.prompt) if text
    )
    counted: dict[str, int] = {}
    for prompt in prompts:
        for use in extract_loras(prompt)[1]:
            counted[use.name] = counted.get(use.name, 0) + 1
            if uses.setdefault(use.name, use) != use:
                differing[use.name] = None
    differing |= {name: None for name, count in counted.items() if count < len(prompts)}
    sentences = tuple(
        f'The LoRA "{name}" has one weight in a clip, for all of its frames: {uses[name].unet:g}.'
        for name in differing
    )
    return tuple(uses.values()), sentences


def _share(pair: PromptPair, part: int) -> float:
    one = pair.first.guide(part)
    share = 0.0 if one is None else one.prompt_schedule.share
    if pair.second is None:
        return share
    other = pair.second.guide(part)
    return share * (1 - pair.weight) + (0.0 if other is None else other.prompt_schedule.share) * pair.weight


def _padded(embedding: Embedding, length: int) -> Embedding:
    """Pads with the last vector, as the WebUI stacks prompts of unequal length."""
    tokens = embedding.tokens
    missing = length - len(tokens)
    if not missing:
        return embedding
    return Embedding(torch.cat([tokens, tokens[-1:].expand(missing, -1)]), embedding.pooled)
