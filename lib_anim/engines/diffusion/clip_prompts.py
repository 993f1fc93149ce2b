"""What every frame of a clip is told, made for a few frames at a time: memory does not grow with length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from lib_anim.engines.contract.requests import ClipFrame
from lib_anim.engines.diffusion.denoiser import Guide
from lib_anim.engines.diffusion.lora_manager import Use, taken_out
from lib_anim.engines.text.encoder import Embedding
from lib_anim.motion.travel import Leg, conditioned
from lib_anim.types import PromptInterpolation

NEGATIVE = -1
"""The number of the negative prompt among a frame's parts; those between ANDs count from 0."""


@dataclass(frozen=True)
class Words:
    """A prompt and its negative, encoded."""

    parts: Sequence[Guide]
    """Between ANDs."""
    negative: Guide

    def guide(self, part: int) -> Guide | None:
        """The guide of a part; None where the prompt has fewer."""
        if part == NEGATIVE:
            return self.negative
        return self.parts[part] if part < len(self.parts) else None


@dataclass(frozen=True)
class Place:
    """Where a frame lies: on one prompt, or on the way to a second."""

    first: Words
    second: Words | None
    weight: float
    how: PromptInterpolation


class ClipPrompts:
    """The conditionings of a clip's frames."""

    def __init__(self, places: Sequence[Place]) -> None:
        self._places = places
        words = {id(w): w for place in places for w in (place.first, place.second) if w is not None}
        self.parts = max(len(w.parts) for w in words.values())
        """Parts between ANDs, of the frame that has most."""
        self._lengths = {
            part: max(
                len(embedding.tokens)
                for w in words.values()
                if (guide := w.guide(part)) is not None
                for embedding in guide.embeddings
            )
            for part in (*range(self.parts), NEGATIVE)
        }

    def shares(self, part: int) -> list[float]:
        """A part's share at every frame; 0 where the frame's prompt lacks it."""
        return [_share(place, part) for place in self._places]

    def groups(self, parts: Sequence[int], one_by_one: bool = False) -> list[list[int]]:
        """`parts` in groups that one pass of the network takes: neighbours that are equally long."""
        groups: list[list[int]] = []
        for part in parts:
            alike = groups and self._lengths[groups[-1][0]] == self._lengths[part]
            if alike and not one_by_one:
                groups[-1].append(part)
            else:
                groups.append([part])
        return groups

    def at(self, part: int, frames: Sequence[int], call: int) -> Embedding:
        """What a part says at `frames`: tokens (frames, length, width), for SDXL pooled (frames, width)."""
        groups: dict[tuple[int, int, str], list[int]] = {}
        for row, frame in enumerate(frames):
            place = self._places[frame]
            second = place.first if place.second is None else place.second
            groups.setdefault((id(place.first), id(second), place.how), []).append(row)
        tokens, pools, order = [], [], []
        for rows in groups.values():
            place = self._places[frames[rows[0]]]
            ways = [Leg(0, 1, self._places[frames[row]].weight) for row in rows]
            ends = self._ends(place, part, call)
            tokens.append(conditioned([end.tokens for end in ends], ways, place.how))
            if all(end.pooled is not None for end in ends):
                pools.append(conditioned([end.pooled for end in ends], ways, place.how))
            order += rows
        if len(tokens) == 1:
            return Embedding(tokens[0], pools[0] if pools else None)
        back = torch.tensor(order).argsort().to(tokens[0].device)
        return Embedding(torch.cat(tokens)[back], torch.cat(pools)[back] if pools else None)

    def _ends(self, place: Place, part: int, call: int) -> tuple[Embedding, Embedding]:
        """The two embeddings that a place lies between, equally long; where one prompt lacks the part, the
        other's twice."""
        one = place.first.guide(part)
        other = place.first.guide(part) if place.second is None else place.second.guide(part)
        found = one or other or place.first.parts[0]
        length = self._lengths[part]
        first = _filled((one or found).at(call), length)
        return first, first if other is one else _filled((other or found).at(call), length)


def uses_of(frames: Sequence[ClipFrame]) -> tuple[tuple[Use, ...], tuple[str, ...]]:
    """(every LoRA that a prompt of the clip asks for, sentences about weights that differ).

    Weights of a network are the same for all frames that it denoises together: the first one counts.
    """
    uses: dict[str, Use] = {}
    differing: dict[str, None] = {}
    prompts = dict.fromkeys(
        text for f in frames for text in (f.prompt, None if f.travel is None else f.travel.prompt) if text
    )
    counted: dict[str, int] = {}
    for prompt in prompts:
        for use in taken_out(prompt)[1]:
            counted[use.name] = counted.get(use.name, 0) + 1
            if uses.setdefault(use.name, use) != use:
                differing[use.name] = None
    differing |= {name: None for name, count in counted.items() if count < len(prompts)}
    sentences = tuple(
        f'The LoRA "{name}" has one weight in a clip, for all of its frames: {uses[name].unet:g}.'
        for name in differing
    )
    return tuple(uses.values()), sentences


def _share(place: Place, part: int) -> float:
    one = place.first.guide(part)
    share = 0.0 if one is None else one.prompt_schedule.share
    if place.second is None:
        return share
    other = place.second.guide(part)
    return share * (1 - place.weight) + (0.0 if other is None else other.prompt_schedule.share) * place.weight


def _filled(embedding: Embedding, length: int) -> Embedding:
    """Filled up with its last vector, as the WebUI stacks prompts of unequal length."""
    tokens = embedding.tokens
    missing = length - len(tokens)
    if not missing:
        return embedding
    return Embedding(torch.cat([tokens, tokens[-1:].expand(missing, -1)]), embedding.pooled)
