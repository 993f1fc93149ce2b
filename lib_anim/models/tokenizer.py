"""Builds CLIP's tokenizer from a local folder or from the vocabulary in open-clip-torch's package."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from transformers import CLIPTokenizer

from lib_anim.errors import FlipbookError, Problem

START, END = "<|startoftext|>", "<|endoftext|>"


@dataclass(frozen=True)
class Tokenizer:
    """Text to token ids, without start and end marks and without a limit."""

    inner: CLIPTokenizer
    start: int
    end: int
    pad: int
    """What follows the end mark: the end mark itself, but 0 in open_clip's second encoder."""
    comma: int | None

    def ids(self, text: str) -> list[int]:
        """Token ids of `text`, lower-cased as CLIP does."""
        found: list[int] = self.inner(text, truncation=False, add_special_tokens=False)["input_ids"]
        return found


def open_tokenizer(folder: Path | None = None) -> Tokenizer:
    """The tokenizer in `folder` (vocab.json and merges.txt), or CLIP's own with 49,408 entries."""
    if folder is None:
        vocabulary, merges = _clip_vocabulary()
    else:
        vocabulary, merges = _folder_vocabulary(folder)
    for mark in (START, END):
        if mark not in vocabulary:
            raise FlipbookError(
                Problem(f"the tokenizer in {folder} has no {mark} entry.", code="model.tokenizer")
            )
    inner = CLIPTokenizer(vocab=vocabulary, merges=merges)
    return Tokenizer(inner, vocabulary[START], vocabulary[END], vocabulary[END], vocabulary.get(",</w>"))


def _folder_vocabulary(folder: Path) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """vocab.json and merges.txt as transformers writes them."""
    try:
        vocabulary = json.loads((folder / "vocab.json").read_text("utf-8"))
        lines = (folder / "merges.txt").read_text("utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise FlipbookError(
            Problem(
                f"the tokenizer folder {folder} needs readable vocab.json and merges.txt: {error}.",
                code="model.tokenizer",
            )
        ) from error
    return vocabulary, _pairs(line for line in lines if line and not line.startswith("#version"))


def _clip_vocabulary() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """CLIP's byte-pair vocabulary (Radford et al. 2021), from the merges that open-clip-torch ships.

    Order of the entries: 256 bytes, the same with an end-of-word mark, one entry per merge, two marks.
    Found through the package's metadata: importing open_clip would need torchvision.
    """
    try:
        path = Path(
            str(distribution("open-clip-torch").locate_file("open_clip/bpe_simple_vocab_16e6.txt.gz"))
        )
        text = gzip.decompress(path.read_bytes()).decode("utf-8")
    except (PackageNotFoundError, OSError) as error:
        raise FlipbookError(
            Problem(
                "CLIP's vocabulary is missing: run `pip install --no-deps open-clip-torch`.",
                code="model.tokenizer",
            )
        ) from error
    letters = _byte_letters()
    marks = 2
    merges = _pairs(text.split("\n")[1 : 49152 - 256 - marks + 1])
    entries = [*letters, *(letter + "</w>" for letter in letters), *(a + b for a, b in merges), START, END]
    return {entry: index for index, entry in enumerate(entries)}, merges


def _pairs(lines: Iterable[str]) -> list[tuple[str, str]]:
    return [(a, b) for a, b in (line.split() for line in lines)]


def _byte_letters() -> list[str]:
    """The 256 printable letters that stand for bytes in GPT-2's and CLIP's vocabularies, in their order.

    Printable bytes stand for themselves; the others are moved to code points from 256 on and come last.
    """
    printable = [
        *range(ord("!"), ord("~") + 1),
        *range(ord("¡"), ord("¬") + 1),
        *range(ord("®"), ord("ÿ") + 1),
    ]
    rest = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + i) for i in range(len(rest))]
