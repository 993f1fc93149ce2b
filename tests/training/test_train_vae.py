"""The VAE's training: it starts from colours, resumes to the same weights, and its scale folds away."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL

from training import pictures
from training.latents import encode, fold_scale
from training.networks import Widths, build_vae
from training.speed import float_norms, sleep
from training.stages import Plan, learning_rate
from training.train_vae import (
    WHOLE_OBJECT_WEIGHT,
    psnr,
    restore,
    train_vae,
    train_whole,
    whole_batch,
    whole_loss,
)
from training.vae_start import start_from_colours

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


def test_the_stage_of_whole_pictures_resumes_to_the_same_weights(tmp_path: Path) -> None:
    def fresh() -> AutoencoderKL:
        torch.manual_seed(2)
        return build_vae(NARROW)

    whole = train_whole(tmp_path / "whole", PLAN, fresh(), "cpu", pool=3)
    train_whole(tmp_path / "parts", PLAN, fresh(), "cpu", pool=3, stop=1)
    parts = train_whole(tmp_path / "parts", PLAN, fresh(), "cpu", pool=3)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, parts.state_dict()[name]), name
    for layer in ("encoder.conv_in.weight", "decoder.conv_out.weight"):
        assert not torch.equal(whole.state_dict()[layer], fresh().state_dict()[layer])


def test_an_object_counts_more_than_what_is_around_it() -> None:
    vae = build_vae(NARROW)
    batch = pictures.to_tensor(pictures.drawings(2, 5, side=64))

    def loss(mark: float) -> float:
        marks = torch.full((2, 1, 64, 64), mark)
        return float(whole_loss(vae, batch, marks, torch.Generator().manual_seed(1)).detach())

    nowhere, everywhere = loss(0.0), loss(1.0)
    kl = (WHOLE_OBJECT_WEIGHT + 1) * nowhere - everywhere
    assert everywhere > 2 * nowhere
    assert 0 < kl < WHOLE_OBJECT_WEIGHT * nowhere


def test_drawings_and_their_marks_are_mirrored_together() -> None:
    drawn, marks = pictures.marked_drawings(6, 5, side=64)
    batch, where = whole_batch(drawn, marks, [pictures.photograph("coffee")], 40, np.random.default_rng(3))
    kinds = set()
    for shown, mark in zip(batch, where, strict=True):
        for n, name in enumerate(("as drawn", "mirrored")):
            turned = slice(None, None, -1 if n else 1)
            for picture, truth in zip(drawn, marks, strict=True):
                if np.array_equal(picture[:, turned], shown):
                    assert np.array_equal(truth[:, turned], mark)
                    kinds.add(name)
    assert len(kinds) == 2
