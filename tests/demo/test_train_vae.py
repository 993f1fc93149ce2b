"""The VAE's training: it starts from colours, resumes to the same weights, and its scale folds away."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL

from demo import pictures
from demo.latents import encode, fold_scale
from demo.networks import Widths, build_vae
from demo.speed import float_norms, sleep
from demo.train_vae import psnr, restore, train_decoder, train_vae
from demo.training import Plan, learning_rate
from demo.vae_start import start_from_colours

NARROW = Widths(vae=(64, 64, 64, 64))
PLAN = Plan(steps=2, batch=2, peak=1e-4, seed=3, warmup=1, save_every=10)


def test_the_start_already_shows_the_colours() -> None:
    torch.manual_seed(0)
    vae = build_vae(NARROW)
    drawn = pictures.drawings(6, seed=2)
    start_from_colours(vae, pictures.to_tensor(drawn))
    restored = restore(vae, drawn, "cpu")
    assert psnr(drawn, restored) > 16
    means, wanted = restored.mean((1, 2)), drawn.mean((1, 2))
    assert np.corrcoef(means.ravel(), wanted.ravel())[0, 1] > 0.9


def test_sleeping_blocks_change_nothing_and_must_be_silent() -> None:
    torch.manual_seed(0)
    vae = build_vae(NARROW)
    with pytest.raises(ValueError, match="ends in zeros"):
        sleep(vae)
    drawn = pictures.drawings(2, seed=2, side=64)
    start_from_colours(vae, pictures.to_tensor(drawn))
    awake = restore(vae, drawn, "cpu")
    sleep(vae)
    assert np.array_equal(awake, restore(vae, drawn, "cpu"))


def test_a_stopped_training_ends_with_the_weights_of_an_unbroken_one(tmp_path: Path) -> None:
    whole = train_vae(tmp_path / "whole", PLAN, NARROW, "cpu", pool=3)
    train_vae(tmp_path / "parts", PLAN, NARROW, "cpu", pool=3, stop=1)
    parts = train_vae(tmp_path / "parts", PLAN, NARROW, "cpu", pool=3)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, parts.state_dict()[name]), name


def test_folding_the_scale_normalises_latents_and_keeps_pictures() -> None:
    torch.manual_seed(1)
    vae = build_vae(NARROW)
    float_norms(vae)
    drawn = pictures.drawings(8, seed=4, side=64)
    start_from_colours(vae, pictures.to_tensor(drawn))
    before = restore(vae, drawn, "cpu").astype(int)
    fold_scale(vae, drawn, "cpu")
    after = restore(vae, drawn, "cpu").astype(int)
    latents = encode(vae, drawn, "cpu")
    assert latents.mean((0, 2, 3)).abs().max() < 0.02
    assert (latents.std((0, 2, 3)) - 1).abs().max() < 0.02
    assert np.abs(before - after).max() <= 1


def test_the_learning_rate_rises_and_falls() -> None:
    plan = Plan(steps=100, batch=1, peak=1.0, seed=0, warmup=10)
    rates = [learning_rate(plan, step) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(1.0)
    assert rates[100] == pytest.approx(0.02)
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_crops_have_their_size_whatever_the_scale() -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (70, 200, 3), dtype=np.uint8)
    for _ in range(40):
        assert pictures.crop(picture, 64, 0.2, rng).shape == (64, 64, 3)


def test_the_decoder_stage_leaves_the_latents_alone_and_resumes(tmp_path: Path) -> None:
    def fresh() -> AutoencoderKL:
        torch.manual_seed(2)
        return build_vae(NARROW)

    whole = train_decoder(tmp_path / "whole", PLAN, fresh(), "cpu", pool=3)
    train_decoder(tmp_path / "parts", PLAN, fresh(), "cpu", pool=3, stop=1)
    parts = train_decoder(tmp_path / "parts", PLAN, fresh(), "cpu", pool=3)
    before = fresh().state_dict()
    for name, value in whole.state_dict().items():
        assert torch.equal(value, parts.state_dict()[name]), name
        if name.startswith(("encoder.", "quant_conv.")):
            assert torch.equal(value, before[name]), name
    assert not torch.equal(whole.state_dict()["decoder.conv_out.weight"], before["decoder.conv_out.weight"])
