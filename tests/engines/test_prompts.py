"""Prompts against the WebUI's own reading, and their embeddings against numbers from a running WebUI."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lib_anim.engines.diffusion.networks import load_networks
from lib_anim.engines.text.chunks import chunked
from lib_anim.engines.text.encoder import TextEncoder
from lib_anim.engines.text.prompt_parser import prompt_schedule, prompt_schedules, weighted
from lib_anim.errors import FlipbookError
from lib_anim.models.checkpoint import read_checkpoint
from lib_anim.models.inversion import read_inversion
from lib_anim.models.tokenizer import Tokenizer, open_tokenizer

GOLDEN = json.loads(Path(__file__).with_name("golden_prompts.json").read_text("utf-8"))
"""From WebUI v1.10.1 (torch 2.1.2, transformers 4.30, CPU) with the checkpoint of `write_golden`:
"clip skip|steps|prompt" → parts of an AND as [share, [[last step, values], …]]; the values are every 11th
token's every 13th number. tests/webui/test_parity.py writes this file and holds a WebUI to all numbers."""


@pytest.fixture(scope="module")
def golden(maker: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> TextEncoder:
    path = maker.write_golden(tmp_path_factory.mktemp("golden"))
    checkpoint = read_checkpoint(path)
    networks = load_networks(checkpoint, torch.device("cpu"), torch.float32)
    words = [read_inversion(path.parent / "embeddings" / "snowtree.safetensors")]
    return TextEncoder(networks.text, open_tokenizer(checkpoint.tokenizer), torch.device("cpu"), words)


@pytest.mark.parametrize("case", GOLDEN)
def test_switches_and_embeddings_are_the_webuis(golden: TextEncoder, case: str) -> None:
    skip, calls, prompt = case.split("|", 2)
    parts = prompt_schedules(prompt, int(calls))
    assert [part.share for part in parts] == pytest.approx([share for share, _ in GOLDEN[case]])
    with torch.inference_mode():
        for part, (_, schedule) in zip(parts, GOLDEN[case], strict=True):
            assert list(part.ends) == [end for end, _ in schedule]
            for found, (_, want) in zip(golden.encode(part.texts, int(skip)), schedule, strict=True):
                values = found.tokens[::11, ::13].flatten()
                assert float((values - torch.tensor(want)).abs().max()) < 1e-4


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("test", [(10, "test")]),
        ("a [b:3]", [(3, "a "), (10, "a b")]),
        ("a [b:c:0.5] d", [(5, "a b d"), (10, "a c d")]),
        ("[b::0.3]x", [(3, "bx"), (10, "x")]),
        ("[[a:b:2]:c:4]", [(2, "a"), (4, "b"), (10, "c")]),
        ("[(a:2):3]", [(3, ""), (10, "(a:2)")]),
        ("a [[[b]]:2]", [(2, "a "), (10, "a [[b]]")]),
        ("a [unbalanced", [(10, "a [unbalanced")]),
        ("a\\[b:c:2\\]", [(10, "a\\[b:c:2\\]")]),
        ("[a:b:99]", [(10, "a")]),
    ],
)
def test_edits(prompt: str, expected: list[tuple[int, str]]) -> None:
    found = prompt_schedule(prompt, 10)
    assert list(zip(found.ends, found.texts, strict=True)) == expected


def test_alternatives_take_turns() -> None:
    assert prompt_schedule("[fe|]male", 4).texts == ("female", "male", "female", "male")
    assert prompt_schedule("[a|b|c]", 4).texts == ("a", "b", "c", "a")


def test_a_text_holds_up_to_and_including_its_last_call() -> None:
    found = prompt_schedule("[a:b:2]", 5)
    assert [found.texts[found.at(call)] for call in range(6)] == ["a", "a", "a", "b", "b", "b"]


def test_and_splits_with_shares() -> None:
    parts = prompt_schedules("a cat :1.2 AND a dog:-0.5 AND LAND", 5)
    assert [(p.share, p.texts[0].strip()) for p in parts] == [(1.2, "a cat"), (-0.5, "a dog"), (1.0, "LAND")]
    assert prompt_schedule("a AND b", 5).texts == ("a AND b",), "a negative prompt knows no AND"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("an (important) word", [("an ", 1.0), ("important", 1.1), (" word", 1.0)]),
        ("(unbalanced", [("unbalanced", 1.1)]),
        ("[less", [("less", 1 / 1.1)]),
        ("\\(literal\\]", [("(literal]", 1.0)]),
        ("(un)(necessary)", [("unnecessary", 1.1)]),
        ("((a:1.5) b:2)", [("a", 3.0), (" b", 2.0)]),
        ("a:b) c", [("a:b) c", 1.0)]),
        ("(a: -0.5 )", [("a", -0.5)]),
        ("a BREAK b", [("a", 1.0), ("BREAK", -1.0), ("b", 1.0)]),
        ("", [("", 1.0)]),
    ],
)
def test_weights(text: str, expected: list[tuple[str, float]]) -> None:
    assert [(t, pytest.approx(w)) for t, w in expected] == weighted(text)


def test_a_weight_that_is_no_number_is_a_sentence() -> None:
    with pytest.raises(FlipbookError, match=r"1\.2\.3"):
        weighted("(a:1.2.3)")


@given(st.text(alphabet="ab ()[]:|0.5\\,", max_size=24))
def test_no_text_breaks_the_reading(text: str) -> None:
    found = prompt_schedule(text, 8)
    assert found.ends[-1] == 8
    assert list(found.ends) == sorted(set(found.ends))


@pytest.fixture(scope="module")
def clip() -> Tokenizer:
    return open_tokenizer()


def test_chunks_have_77_places_and_marks(clip: Tokenizer) -> None:
    (chunk,) = chunked("a (red:1.3) cat", clip)
    assert len(chunk.ids) == len(chunk.weights) == 77
    assert chunk.ids[0] == clip.start
    assert chunk.ids[4:] == (clip.end,) * 73
    assert chunk.weights[:5] == (1.0, 1.0, 1.3, 1.0, 1.0)


def test_long_prompts_go_on_in_further_chunks(clip: Tokenizer) -> None:
    assert len(chunked("cat " * 75, clip)) == 1
    assert len(chunked("cat " * 76, clip)) == 2
    assert len(chunked("a BREAK b BREAK c", clip)) == 3


def test_a_full_chunk_ends_at_a_near_comma(clip: Tokenizer) -> None:
    first, second = chunked("cat " * 60 + ", " + "dog " * 20, clip)
    cat, dog = clip.ids("cat")[0], clip.ids("dog")[0]
    assert first.ids[1:62] == (cat,) * 60 + (clip.comma,)
    assert first.ids[62] == clip.end
    assert second.ids[1:21] == (dog,) * 20
    first, second = chunked("cat " * 50 + ", " + "dog " * 30, clip)
    assert first.ids.count(dog) == 24, "a comma further than 20 tokens back does not count"
