"""The UNet's training: schedule, captions, resuming to the same weights, and a loss that falls."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel
from transformers import CLIPTokenizer

from training import pictures
from training.networks import TOKENS, Widths, build_unet, build_vae
from training.speed import MatrixAttention
from training.stages import Plan
from training.tokenizer import build_tokenizer
from training.train_unet import (
    Course,
    draw_captions,
    level_weight,
    schedules,
    tokens,
    train_unet,
    unet_loss,
)

TINY = Widths(unet=(32, 32, 32, 32), vae=(32, 32, 32, 32), heads=4, context=32, text_layers=1, text_heads=2)
COURSES = (Course(64, 4, 1, 2, 1), Course(128, 3, 2, 2, 2))
PLAN = Plan(steps=3, batch=2, peak=1e-3, seed=5, warmup=1, save_every=1)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> CLIPTokenizer:
    folder = tmp_path_factory.mktemp("tokenizer")
    build_tokenizer(folder, TINY)
    return CLIPTokenizer.from_pretrained(folder)


def test_the_noise_schedules_are_sd1s_and_animatediffs() -> None:
    own, moving = schedules()
    assert own[0] == pytest.approx(1 - 0.00085, abs=1e-7)
    assert own[-1] == pytest.approx(0.0046600, abs=1e-6)
    assert moving[0] == pytest.approx(1 - 0.00085, abs=1e-7)
    assert moving[-1] == pytest.approx(0.0015785, abs=1e-5)


def test_levels_count_less_where_little_noise_is_left_and_more_above_one_sigma() -> None:
    sigma = torch.tensor([0.1, 0.5, 1.0, 4.0])
    weights = level_weight(1 / (1 + sigma**2))
    assert torch.allclose(weights, torch.tensor([5 * 0.01, 1.0, 1.0, 4.0]), rtol=1e-4)


class Silent(torch.nn.Module):
    """A network that finds no noise anywhere; its gradient shows what each place counts."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.guess = torch.nn.Parameter(torch.zeros(shape))
        self.times: list[torch.Tensor] = []

    def forward(self, noisy: torch.Tensor, t: torch.Tensor, context: torch.Tensor) -> SimpleNamespace:
        self.times.append(t)
        return SimpleNamespace(sample=self.guess + 0 * noisy)


def test_an_error_on_the_object_counts_five_times() -> None:
    latents, marks = torch.zeros(1, 4, 8, 8), torch.zeros(1, 1, 8, 8)
    marks[..., :4] = 1.0
    gradients = []
    for shown in (marks, torch.zeros_like(marks)):
        network = Silent((1, 4, 8, 8))
        unet_loss(network, torch.zeros(1), latents, shown, torch.Generator().manual_seed(1)).backward()
        gradients.append(network.guess.grad)
    ratio = gradients[0] / gradients[1]
    assert torch.allclose(ratio[..., :4], torch.tensor(5.0))
    assert torch.allclose(ratio[..., 4:], torch.tensor(1.0))


def test_frames_of_a_clip_share_their_level() -> None:
    network = Silent((6, 4, 8, 8))
    latents, marks = torch.zeros(6, 4, 8, 8), torch.zeros(6, 1, 8, 8)
    unet_loss(network, torch.zeros(1), latents, marks, torch.Generator().manual_seed(1), frames=3)
    first, second = network.times[0].view(2, 3)
    assert len(set(first.tolist())) == len(set(second.tolist())) == 1
    assert first[0] < second[0]


def test_what_opposed_clips_do_not_share_counts_more() -> None:
    latents, marks = torch.zeros(4, 4, 8, 8), torch.zeros(4, 1, 8, 8)
    losses, gradients = [], []
    for opposed in (1.0001, 4.0):
        network = Silent((4, 4, 8, 8))
        network.guess.data[:2] = 0.5
        loss = unet_loss(
            network, torch.zeros(1), latents, marks, torch.Generator().manual_seed(1), 2, opposed=opposed
        )
        loss.backward()
        losses.append(float(loss.detach()))
        gradients.append(network.guess.grad)
    assert len(set(network.times[0].tolist())) == 1
    kept = schedules()[:, network.times[0][0]]
    unshared = 3 * 0.25**2 * level_weight(kept)
    assert min(abs(losses[1] - losses[0] - float(w)) for w in unshared) < 1e-4
    change = gradients[1] - gradients[0]
    assert torch.allclose(change[:2], -change[2:])
    assert change[:2].min() > 0


def test_tokens_are_padded_with_the_end(tokenizer: CLIPTokenizer) -> None:
    ids = tokens(tokenizer, ["winter", "word " * 200])
    assert ids.shape == (2, TOKENS)
    assert set(ids[0, 2:].tolist()) == {tokenizer.eos_token_id}
    assert ids[1, -1] == tokenizer.eos_token_id


def test_a_tenth_of_the_captions_is_empty() -> None:
    texts = draw_captions(pictures.scenes(2000, 3), np.random.default_rng(0))
    assert 0.08 < sum(not t for t in texts) / len(texts) < 0.12


def test_a_stopped_training_ends_with_the_weights_of_an_unbroken_one(
    tmp_path: Path, tokenizer: CLIPTokenizer
) -> None:
    torch.manual_seed(0)
    vae = build_vae(TINY)
    whole = train_unet(tmp_path / "whole", PLAN, COURSES, TINY, vae, tokenizer, "cpu")
    for stop in (1, 2):
        train_unet(tmp_path / "parts", PLAN, COURSES, TINY, vae, tokenizer, "cpu", stop=stop)
    parts = train_unet(tmp_path / "parts", PLAN, COURSES, TINY, vae, tokenizer, "cpu")
    start = train_unet(tmp_path / "none", PLAN, COURSES, TINY, vae, tokenizer, "cpu", stop=0)
    for name, module in whole.items():
        moved = False
        for key, value in module.state_dict().items():
            assert torch.equal(value, parts[name].state_dict()[key]), (name, key)
            moved |= not torch.equal(value, start[name].state_dict()[key])
        assert moved, name


def test_matrix_attention_computes_what_diffusers_does() -> None:
    torch.manual_seed(4)
    unet: UNet2DConditionModel = build_unet(TINY).eval()
    x, t, context = torch.randn(1, 4, 16, 16), torch.tensor([300]), torch.randn(1, TOKENS, 32)
    with torch.no_grad():
        wanted = unet(x, t, context).sample
        unet.set_attn_processor(MatrixAttention())
        got = unet(x, t, context).sample
    assert (wanted - got).abs().max() < 0.02 * wanted.abs().max()
