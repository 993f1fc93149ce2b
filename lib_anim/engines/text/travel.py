"""Prompt travel of stills: interpolation of two prompts' conditionings."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

import torch
from torch import Tensor

from lib_anim.engines.diffusion.denoiser import Guide
from lib_anim.engines.text.encoder import Embedding
from lib_anim.engines.text.mixing import between
from lib_anim.engines.text.prompt_parser import PromptSchedule
from lib_anim.types import Mixing


def mixed(
    first: Sequence[Guide], second: Sequence[Guide], weight: float, how: Mixing, empty: Embedding
) -> list[Guide]:
    """Interpolates two prompts part by part; `weight` is the second's share.

    At weight 0 and 1 the parts are one prompt's own, so that a picture there equals the plain prompt's.
    A part that the other prompt lacks keeps its text, and its share is scaled. Where both change their text
    during the steps, both changes apply. `empty`, an empty prompt's embedding, pads the shorter one.
    """
    if weight in (0, 1):
        return list(second if weight else first)
    return [_between(a, b, weight, how, empty) for a, b in zip_longest(first, second)]


def _between(a: Guide | None, b: Guide | None, weight: float, how: Mixing, empty: Embedding) -> Guide:
    shares = [0.0 if guide is None else guide.prompt_schedule.share for guide in (a, b)]
    share = shares[0] * (1 - weight) + shares[1] * weight
    one, other = a or b, b or a
    assert one is not None
    assert other is not None
    ends = tuple(sorted({*one.prompt_schedule.ends, *other.prompt_schedule.ends}))
    embeddings = tuple(mix(one.at(end), other.at(end), weight, how, empty) for end in ends)
    return Guide(PromptSchedule(share, tuple(f"{end}" for end in ends), ends), embeddings)


def mix(a: Embedding, b: Embedding, weight: float, how: Mixing, empty: Embedding) -> Embedding:
    """Interpolates two embeddings; weights 0 and 1 return them unchanged."""
    if weight in (0, 1) or a is b:
        return b if weight == 1 else a
    length = max(len(a.tokens), len(b.tokens))
    tokens = between(_padded(a, length, empty), _padded(b, length, empty), weight, how)
    if a.pooled is None or b.pooled is None:
        return Embedding(tokens)
    return Embedding(tokens, between(a.pooled, b.pooled, weight, how))


def _padded(embedding: Embedding, length: int, empty: Embedding) -> Tensor:
    """Tokens padded to (length, width) with chunks of the empty prompt."""
    missing = (length - len(embedding.tokens)) // len(empty.tokens)
    return torch.cat([embedding.tokens, *[empty.tokens] * missing])
