"""Splits a prompt's tokens into CLIP chunks of 77 positions, at the same tokens as the WebUI."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from lib_anim.engines.text.prompt_parser import BREAK, weighted
from lib_anim.models.inversion import LENGTH, Inversion
from lib_anim.models.tokenizer import Tokenizer

BACKTRACK = 20
"""A chunk that is full within this many tokens after a comma ends at that comma."""


@dataclass(frozen=True)
class Chunk:
    """77 positions of CLIP's input."""

    ids: tuple[int, ...]
    weights: tuple[float, ...]
    inversions: tuple[tuple[int, Inversion], ...]
    """(position of the first vector, textual inversion)."""


@dataclass
class _Open:
    """A chunk that is being filled; one entry per token."""

    ids: list[int] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    inversions: list[tuple[int, Inversion]] = field(default_factory=list)
    comma: int = -1
    """Position of the last comma; −1 without one."""

    def closed(self, tokenizer: Tokenizer) -> Chunk:
        """The chunk with start and end tokens, padded with end tokens."""
        rest = LENGTH - len(self.ids)
        return Chunk(
            (tokenizer.start, *self.ids, *[tokenizer.end] * (rest + 1)),
            (1.0, *self.weights, *[1.0] * (rest + 1)),
            tuple((position + 1, inversion) for position, inversion in self.inversions),
        )

    def cut_after(self, position: int) -> _Open:
        """Removes the tokens after `position` and returns them as a new chunk."""
        keep = position + 1
        rest = _Open(self.ids[keep:], self.weights[keep:])
        del self.ids[keep:], self.weights[keep:]
        rest.inversions = [(at - keep, inv) for at, inv in self.inversions if at >= keep]
        self.inversions = [(at, inv) for at, inv in self.inversions if at < keep]
        return rest


def chunked(text: str, tokenizer: Tokenizer, inversions: Sequence[Inversion] = ()) -> list[Chunk]:
    """At least one chunk for `text`, with its weights and the vectors of the inversions that it names."""
    known = [(tokenizer.ids(inversion.name), inversion) for inversion in inversions]
    known.sort(key=lambda entry: len(entry[0]), reverse=True)
    done: list[Chunk] = []
    open_ = _Open()
    for piece, weight in weighted(text):
        if (piece, weight) == BREAK:
            done.append(open_.closed(tokenizer))
            open_ = _Open()
            continue
        ids = tokenizer.ids(piece)
        at = 0
        while at < len(ids):
            open_ = _with_space(open_, done, tokenizer, is_comma=ids[at] == tokenizer.comma)
            named = next(((own, inv) for own, inv in known if own and ids[at : at + len(own)] == own), None)
            if named is None:
                open_.ids.append(ids[at])
                open_.weights.append(weight)
                at += 1
                continue
            own, inversion = named
            if len(open_.ids) + inversion.length > LENGTH:
                done.append(open_.closed(tokenizer))
                open_ = _Open()
            open_.inversions.append((len(open_.ids), inversion))
            open_.ids += [0] * inversion.length
            open_.weights += [weight] * inversion.length
            at += len(own)
    if open_.ids or not done:
        done.append(open_.closed(tokenizer))
    return done


def _with_space(open_: _Open, done: list[Chunk], tokenizer: Tokenizer, *, is_comma: bool) -> _Open:
    """The chunk that takes the next token: `open_`, or a new one when that is full.

    A full chunk with a comma near its end is split after the comma, which keeps the phrase in one chunk.
    """
    full = len(open_.ids) == LENGTH
    if is_comma:
        open_.comma = len(open_.ids)
    elif full and open_.comma != -1 and LENGTH - open_.comma <= BACKTRACK:
        rest = open_.cut_after(open_.comma)
        done.append(open_.closed(tokenizer))
        open_, full = rest, len(rest.ids) == LENGTH
    if full:
        done.append(open_.closed(tokenizer))
        open_ = _Open()
    return open_
