"""The tokenizer: CLIP's files, whole words for captions, any text at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import CLIPTokenizer

from training.captions import vocabulary
from training.networks import Widths
from training.tokenizer import END, START, build_tokenizer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tokenizer")
    build_tokenizer(path, Widths())
    return path


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> CLIPTokenizer:
    return CLIPTokenizer.from_pretrained(folder)


def test_building_twice_gives_the_same_files(folder: Path, tmp_path: Path) -> None:
    build_tokenizer(tmp_path, Widths())
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == {
        p.name: p.read_bytes() for p in tmp_path.iterdir()
    }


def test_the_vocabulary_keeps_clips_order(folder: Path) -> None:
    numbers = json.loads((folder / "vocab.json").read_text())
    names = list(numbers)
    assert list(numbers.values()) == list(range(len(numbers)))
    assert (names[0], names[256]) == ("!", "!</w>")
    assert names[-2:] == [START, END]
    assert json.loads((folder / "config.json").read_text())["vocab_size"] == len(names)


def test_every_caption_word_is_one_token(tokenizer: CLIPTokenizer) -> None:
    for word in vocabulary():
        assert len(tokenizer(word).input_ids) == 3, word


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp")), max_size=20))
def test_any_text_survives_the_round_trip(tokenizer: CLIPTokenizer, text: str) -> None:
    import unicodedata

    wanted = unicodedata.normalize("NFC", text).lower()
    back = tokenizer.decode(tokenizer(text).input_ids, skip_special_tokens=True)
    assert back.replace(" ", "") == wanted.replace(" ", "")
