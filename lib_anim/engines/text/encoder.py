"""Text encoding with CLIP: hidden layers, prompt weights and a cache of limited size."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lib_anim.engines.text.chunks import Chunk, chunked
from lib_anim.errors import FlipbookError, Problem
from lib_anim.models.inversion import Inversion
from lib_anim.models.tokenizer import Tokenizer

MEMORY = 512 << 20
"""Size of the embedding cache in bytes, in main memory: about 2,000 prompts of SD 1.x in float32, twice as
many in half precision."""


@dataclass(frozen=True)
class Embedding:
    """One text's conditioning for the UNet."""

    tokens: Tensor
    """(chunks · 77, width)."""
    pooled: Tensor | None = None
    """(width,) of the first chunk; SDXL only."""

    @property
    def size(self) -> int:
        """Bytes."""
        return self.tokens.nbytes + (0 if self.pooled is None else self.pooled.nbytes)

    def to(self, device: torch.device) -> Embedding:
        """This embedding on `device`; itself when it is already there."""
        if self.tokens.device == device:
            return self
        return Embedding(self.tokens.to(device), None if self.pooled is None else self.pooled.to(device))


class TextEncoder:
    """Encodes texts with a checkpoint's CLIP models and caches the embeddings."""

    def __init__(
        self,
        models: tuple[nn.Module, ...],
        tokenizer: Tokenizer,
        device: torch.device,
        inversions: Sequence[Inversion] = (),
    ) -> None:
        self._models = models
        self._tokenizer = tokenizer
        self._device = device
        self._inversions = tuple(i for i in inversions if self._fits(i))
        self._cache: OrderedDict[tuple[Any, ...], tuple[Embedding, ...]] = OrderedDict()
        self._held = 0
        """Bytes in the cache."""
        self.variant: Hashable = None
        """What else the embeddings depend on (the active LoRAs); part of the cache key."""
        self.brought: tuple[Inversion, ...] = ()
        """Textual inversions of the active LoRAs; one from the folders overrides one of the same name."""
        self.encoded = 0
        """Number of groups of texts that were not in the cache and were encoded."""

    def encode(
        self, texts: tuple[str, ...], clip_skip: int = 1, *, zero_when_empty: bool = False
    ) -> tuple[Embedding, ...]:
        """The embeddings of `texts`, the texts of one prompt over its steps, padded to equal length.

        `clip_skip` 1 reads CLIP's last layer, 2 the last but one, and so on; SDXL always reads the last but
        one of both models. `zero_when_empty` returns SDXL's zeros for an empty negative prompt.
        """
        key = (texts, clip_skip, zero_when_empty, self.variant)
        if key not in self._cache:
            self.encoded += 1
            found = self._encode(texts, clip_skip, zero_when_empty)
            self._cache[key] = tuple(embedding.to(torch.device("cpu")) for embedding in found)
            self._held += sum(embedding.size for embedding in found)
            while self._held > MEMORY and len(self._cache) > 1:
                _, evicted = self._cache.popitem(last=False)
                self._held -= sum(embedding.size for embedding in evicted)
        self._cache.move_to_end(key)
        return tuple(embedding.to(self._device) for embedding in self._cache[key])

    @property
    def _two(self) -> bool:
        return len(self._models) == 2

    def _fits(self, inversion: Inversion) -> bool:
        """Whether its vectors have the widths of this checkpoint's token embeddings."""
        widths = [_text_model(m).embeddings.token_embedding.weight.shape[1] for m in self._models]
        return [v.shape[1] for v in inversion.vectors] == widths

    def _encode(self, texts: tuple[str, ...], clip_skip: int, zero_when_empty: bool) -> tuple[Embedding, ...]:
        own = {inversion.name for inversion in self._inversions}
        brought = [i for i in self.brought if i.name not in own and self._fits(i)]
        rows = [chunked(text, self._tokenizer, [*self._inversions, *brought]) for text in texts]
        empty = chunked("", self._tokenizer)[0]
        length = max(len(row) for row in rows)
        read = [
            self._read([row[i] if i < len(row) else empty for row in rows], clip_skip) for i in range(length)
        ]
        tokens = torch.cat([part for part, _ in read], dim=1)
        pooled = read[0][1]
        if not bool(tokens.isfinite().all()):
            raise FlipbookError(self._not_finite(texts))
        if zero_when_empty and self._two and not any(texts):
            tokens = torch.zeros_like(tokens)
            pooled = None if pooled is None else torch.zeros_like(pooled)
        return tuple(Embedding(tokens[i], None if pooled is None else pooled[i]) for i in range(len(texts)))

    def _not_finite(self, texts: tuple[str, ...]) -> Problem:
        """Why the embeddings of `texts` are not finite: the prompt weights, or the model's weights."""
        plain = [chunked(text, self._tokenizer)[0] for text in texts]
        # Weights of 1 leave the text model's output unchanged.
        unweighted = [Chunk(chunk.ids, (1.0,) * len(chunk.ids), ()) for chunk in plain]
        if bool(self._read(unweighted, 1)[0].isfinite().all()):
            return Problem(
                f'"{texts[0]}" gave NaN or infinite values: its weights are too large or cancel each other, '
                "or a textual inversion in it is broken; use other weights",
                field="prompt",
                code="prompt.not_finite",
            )
        return Problem(
            "the text encoder gave NaN or infinite values: the checkpoint's weights are broken; "
            "use another checkpoint",
            field="prompt",
            code="model.not_finite",
        )

    def _read(self, chunks: list[Chunk], clip_skip: int) -> tuple[Tensor, Tensor | None]:
        """((texts, 77, width), (texts, width) or None) of one chunk of every text."""
        weights = None
        if any(weight != 1 for chunk in chunks for weight in chunk.weights):
            weights = torch.tensor([chunk.weights for chunk in chunks], device=self._device)
        if not self._two:
            (model,) = self._models
            return _emphasised(self._layer(model, 0, chunks, clip_skip)[0], weights), None
        first, _ = self._layer(self._models[0], 0, chunks, 2)
        second, pooled = self._layer(self._models[1], 1, chunks, 2)
        return torch.cat([_emphasised(first, weights), _emphasised(second, weights)], dim=-1), pooled

    def _layer(
        self, model: nn.Module, index: int, chunks: list[Chunk], skip: int
    ) -> tuple[Tensor, Tensor | None]:
        """((texts, 77, width) of the `skip`-th last layer, pooled vector or None)."""
        ids = torch.tensor([self._padded(chunk, index) for chunk in chunks], device=self._device)
        with _placed(model, index, chunks):
            output = model(input_ids=ids, output_hidden_states=skip > 1)
        pooled = getattr(output, "text_embeds", None)
        if skip == 1:
            last: Tensor = output.last_hidden_state
            return last, pooled
        states = output.hidden_states
        if skip > len(states):
            layers = len(states) - 1
            raise FlipbookError(
                Problem(
                    f"is {skip}, but this checkpoint's text encoder has {layers} layers; "
                    f"use at most {layers}",
                    field="clip_skip",
                    code="value.out_of_range",
                )
            )
        hidden: Tensor = states[-skip]
        # SD 1.x was trained on the output of the final norm, SDXL on its input.
        return (hidden if self._two else _text_model(model).final_layer_norm(hidden)), pooled

    def _padded(self, chunk: Chunk, index: int) -> Sequence[int]:
        """The chunk's ids; open_clip's model was trained with zeros after the end token."""
        if index == 0:
            return chunk.ids
        end = chunk.ids.index(self._tokenizer.end)
        return (*chunk.ids[: end + 1], *[0] * (len(chunk.ids) - end - 1))


def _text_model(model: nn.Module) -> Any:
    """The part with embeddings and final norm; since transformers 5.6 `CLIPTextModel` is that part itself."""
    return getattr(model, "text_model", model)


def _emphasised(hidden: Tensor, weights: Tensor | None) -> Tensor:
    """Multiplies each position by its weight, then restores the mean, as the WebUI does."""
    if weights is None:
        return hidden
    scaled = hidden * weights.to(hidden.dtype)[..., None]
    return scaled * (hidden.mean() / scaled.mean())


@contextmanager
def _placed(model: nn.Module, index: int, chunks: list[Chunk]) -> Iterator[None]:
    """Inserts the textual inversions' vectors into the token embeddings while the model runs."""
    if not any(chunk.inversions for chunk in chunks):
        yield
        return

    def place(module: nn.Module, args: tuple[Any, ...], embedded: Tensor) -> Tensor:
        for row, chunk in enumerate(chunks):
            for position, inversion in chunk.inversions:
                vectors = inversion.vectors[index].to(embedded)
                embedded[row, position : position + len(vectors)] = vectors
        return embedded

    handle = _text_model(model).embeddings.token_embedding.register_forward_hook(place)
    try:
        yield
    finally:
        handle.remove()
