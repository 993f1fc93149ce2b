"""From a prompt's text to what the UNet's attention reads: chunks of 75 tokens, weights, a bounded cache."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lib_anim.models.tokenizer import Tokenizer

CHUNK = 75
"""Tokens per chunk, without the marks at its start and end (CLIP's 77 positions)."""

REMEMBERED = 256
"""Prompts whose embeddings are kept."""


@dataclass(frozen=True)
class Embedding:
    """One text as the UNet reads it."""

    tokens: Tensor
    """(chunks · 77, width)."""
    pooled: Tensor | None = None
    """(width,) of the first chunk; SDXL only."""


class TextEncoder:
    """Encodes prompts with a checkpoint's CLIP models, each distinct prompt once."""

    def __init__(
        self, models: tuple[nn.Module, ...], tokenizers: tuple[Tokenizer, ...], device: torch.device
    ) -> None:
        self._models = models
        self._tokenizers = tokenizers
        self._device = device
        self._cache: OrderedDict[tuple[str, int], Embedding] = OrderedDict()
        self.encoded = 0
        """How many texts went through the models; the cache answers the others."""

    def forget(self) -> None:
        """Empties the cache: the models' weights have changed."""
        self._cache.clear()

    def encode(self, text: str, clip_skip: int = 1) -> Embedding:
        """The embedding of `text`. `clip_skip` 1 reads CLIP's last layer, 2 the last but one, and so on."""
        key = (text, clip_skip)
        if key in self._cache:
            self._cache.move_to_end(key)
            return self._cache[key]
        self.encoded += 1
        embedding = Embedding(self._read(self._models[0], self._tokenizers[0], text, clip_skip))
        self._cache[key] = embedding
        if len(self._cache) > REMEMBERED:
            self._cache.popitem(last=False)
        return embedding

    def _read(self, model: nn.Module, tokenizer: Tokenizer, text: str, clip_skip: int) -> Tensor:
        """(chunks · 77, width): every chunk through CLIP by itself, side by side."""
        ids = torch.tensor(chunked(tokenizer, text), device=self._device)
        output = model(input_ids=ids, output_hidden_states=clip_skip > 1)
        if clip_skip > 1:
            inner: Any = getattr(model, "text_model", model)
            hidden: Tensor = inner.final_layer_norm(output.hidden_states[-clip_skip])
        else:
            hidden = output.last_hidden_state
        return hidden.flatten(0, 1)


def chunked(tokenizer: Tokenizer, text: str) -> list[list[int]]:
    """Rows of 77 ids: start mark, 75 tokens filled up with end marks, end mark; at least one row."""
    ids = tokenizer.ids(text)
    rows = [ids[i : i + CHUNK] for i in range(0, len(ids), CHUNK)] or [[]]
    return [[tokenizer.start, *row, *[tokenizer.end] * (CHUNK + 1 - len(row))] for row in rows]
