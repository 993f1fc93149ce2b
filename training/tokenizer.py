"""Builds the small tokenizer: byte-level BPE in CLIP's file format, from the words of the captions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

from training.captions import caption, vocabulary
from training.networks import TOKENS, Widths, text_config
from training.scenes import sample_scene
from training.stages import write_json

START, END = "<|startoftext|>", "<|endoftext|>"
WORD_END = "</w>"
CAPTIONS = 4000
CAPTION_SEED = 5
MOST_TOKENS = 2000


def _byte_letters() -> list[str]:
    """The 256 printable stand-ins for bytes in the order of CLIP's vocabulary."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [b for b in range(256) if b not in printable]
    return [chr(b) for b in printable] + [chr(256 + n) for n in range(len(hidden))]


def _learn_merges(corpus: list[str]) -> list[tuple[str, str]]:
    """BPE merges, most frequent first, until every word of the corpus is one token."""
    learner = Tokenizer(models.BPE(end_of_word_suffix=WORD_END))
    learner.normalizer = normalizers.Lowercase()
    learner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Punctuation(),
            pre_tokenizers.ByteLevel(False, True, False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=MOST_TOKENS,
        initial_alphabet=_byte_letters(),
        end_of_word_suffix=WORD_END,
        show_progress=False,
    )
    learner.train_from_iterator(corpus, trainer)
    merges = json.loads(learner.to_str())["model"]["merges"]
    return [(pair[0], pair[1]) for pair in (m if isinstance(m, list) else m.split(" ") for m in merges)]


def build_tokenizer(folder: Path, widths: Widths) -> int:
    """Write the tokenizer's files and the text model's config.json into `folder`; gives the token count.

    vocab.json holds, in CLIP's order: bytes, bytes that end a word, merges, start, end. Any text tokenises,
    because every byte is a token.
    """
    rng = np.random.default_rng(CAPTION_SEED)
    corpus = [caption(sample_scene(rng), rng) for _ in range(CAPTIONS)] + vocabulary() * 3
    merges = _learn_merges(corpus)
    letters = _byte_letters()
    tokens = letters + [letter + WORD_END for letter in letters]
    tokens += [first + second for first, second in merges] + [START, END]
    tokens = list(dict.fromkeys(tokens))
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "vocab.json", {token: number for number, token in enumerate(tokens)})
    lines = ["#version: 0.2", *(f"{first} {second}" for first, second in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    write_json(folder / "tokenizer_config.json", _tokenizer_config())
    special: dict[str, Any] = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": END}
    write_json(folder / "special_tokens_map.json", special)
    config = text_config(widths, len(tokens)).to_diff_dict()
    config.pop("transformers_version", None)
    kept = {name: value for name, value in config.items() if not name.startswith("_")}
    write_json(folder / "config.json", kept | {"architectures": ["CLIPTextModel"]})
    return len(tokens)


def _tokenizer_config() -> dict[str, Any]:
    """What transformers reads beside the vocabulary."""
    return {
        "tokenizer_class": "CLIPTokenizer",
        "bos_token": START,
        "eos_token": END,
        "unk_token": END,
        "pad_token": END,
        "model_max_length": TOKENS,
        "do_lower_case": True,
        "add_prefix_space": False,
        "errors": "replace",
    }
