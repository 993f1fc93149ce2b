"""Mixing two prompts."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lib_anim.engines.contract.requests import PromptTravel, StillRequest
from lib_anim.engines.diffusion.denoiser import Guide
from lib_anim.engines.diffusion.engine import open_engine
from lib_anim.engines.text.encoder import Embedding
from lib_anim.engines.text.prompt_parser import PromptSchedule
from lib_anim.engines.text.travel import mix, mixed

EMPTY = Embedding(torch.zeros(77, 8))


def embedding(seed: int, chunks: int = 1) -> Embedding:
    return Embedding(torch.randn(77 * chunks, 8, generator=torch.Generator().manual_seed(seed)))


def test_the_line_is_halfway_in_the_middle() -> None:
    a, b = embedding(1), embedding(2)
    assert torch.allclose(mix(a, b, 0.5, "lerp", EMPTY).tokens, (a.tokens + b.tokens) / 2)


@pytest.mark.parametrize("weight", [0.25, 0.5, 0.9])
def test_the_arc_turns_evenly_and_mixes_lengths(weight: float) -> None:
    a = Embedding(torch.tensor([[2.0, 0.0]]))
    b = Embedding(torch.tensor([[0.0, 4.0]]))
    found = mix(a, b, weight, "slerp", a).tokens[0]
    assert math.atan2(found[1], found[0]) == pytest.approx(weight * math.pi / 2, abs=1e-5)
    assert float(found.norm()) == pytest.approx(2 + 2 * weight, abs=1e-5)


@pytest.mark.parametrize("how", ["lerp", "slerp"])
def test_equal_and_opposite_vectors_stay_finite(how: str) -> None:
    a = embedding(3)
    assert torch.allclose(mix(a, Embedding(a.tokens.clone()), 0.4, how, EMPTY).tokens, a.tokens, atol=1e-5)  # type: ignore[arg-type]
    assert mix(a, Embedding(-a.tokens), 0.5, how, EMPTY).tokens.isfinite().all()  # type: ignore[arg-type]


def test_the_shorter_prompt_is_filled_with_empty_chunks() -> None:
    long, short = embedding(1, chunks=2), embedding(2)
    found = mix(long, short, 0.5, "lerp", Embedding(torch.ones(77, 8))).tokens
    assert torch.allclose(found[77:], (long.tokens[77:] + 1) / 2, atol=1e-6)


def test_parts_that_one_lacks_fade_and_edits_of_both_happen() -> None:
    a = [Guide(PromptSchedule(1.0, ("x", "y"), (3, 10)), (embedding(1), embedding(2)))]
    b = [
        Guide(PromptSchedule(0.5, ("z",), (10,)), (embedding(3),)),
        Guide(PromptSchedule(2.0, ("w",), (10,)), (embedding(4),)),
    ]
    found = mixed(a, b, 0.25, "lerp", EMPTY)
    assert [g.prompt_schedule.share for g in found] == [pytest.approx(0.875), pytest.approx(0.5)]
    assert found[0].prompt_schedule.ends == (3, 10)
    assert torch.equal(found[1].embeddings[0].tokens, embedding(4).tokens)


def test_pictures_at_both_ends_are_the_prompts_own(checkpoint: Path) -> None:
    engine = open_engine(checkpoint, device="cpu")
    request = StillRequest(prompt="snow", negative="x", width=64, height=64, seed=5, steps=3)
    other = replace(request, prompt="a tree, red AND blue", negative="y")

    def at(weight: float) -> np.ndarray:
        return engine.still(
            replace(
                request, travel=PromptTravel(prompt=other.prompt, negative="y", weight=weight, how="slerp")
            )
        )

    assert np.array_equal(at(0.0), engine.still(replace(request)))
    assert np.array_equal(at(1.0), engine.still(other))
    assert np.abs(at(0.5) - at(0.0)).mean() > 1e-3
