"""Latent power and scale, and a denoising for each frame."""

from __future__ import annotations

import pytest
import torch

from lib_anim.motion.ramp import DenoisingRamp, latent_shares, mixed_latents


@pytest.mark.parametrize(
    ("power", "scale", "wanted"),
    [
        # What sd-webui-animatediff a88e889 computes.
        (1.0, 32.0, {0: 1.0, 1: 0.96875, 8: 0.75, 15: 0.53125, 31: 0.03125}),
        (0.8, 64.0, {0: 1.0, 1: 0.984, 8: 0.918, 15: 0.864, 31: 0.756}),
    ],
)
def test_shares_of_the_first_picture(power: float, scale: float, wanted: dict[int, float]) -> None:
    found = latent_shares(32, power, scale)
    for frame, share in wanted.items():
        assert found.first[frame] == pytest.approx(share, abs=6e-4)
    assert set(found.last) == {0.0}


def test_far_frames_are_noise() -> None:
    assert latent_shares(60, 1, 32).first[32:] == (0.0,) * 28


def test_both_ends_are_wholly_their_pictures() -> None:
    found = latent_shares(16, 1, 32, (1, 16))
    assert (found.first[0], found.last[0]) == (1, 0)
    assert (found.first[-1], found.last[-1]) == (0, 1)
    for i in range(1, 15):
        a, b = 1 - i / 32, max(0, 1 - (15 - i) / 16)
        total = max(1.0, a + b)
        assert found.first[i] == pytest.approx(a / total)
        assert found.last[i] == pytest.approx(b / total)


def test_latents_are_mixed_by_their_shares() -> None:
    init, last = torch.full((1, 4, 2, 2), 10.0), torch.full((1, 4, 2, 2), 100.0)
    noise = torch.ones(4, 4, 2, 2)
    shares = latent_shares(4, 1, 4, (1, 2))
    found = mixed_latents(shares, init, noise, last)
    for i in range(4):
        a, b = shares.first[i], shares.last[i]
        assert torch.allclose(found[i], torch.full((4, 2, 2), 10 * a + 100 * b + 1 - a - b))
    assert torch.allclose(mixed_latents(latent_shares(4, 1, 4), init, noise)[2], torch.full((4, 2, 2), 5.5))


def test_a_frame_waits_until_its_denoising_begins() -> None:
    ramp = DenoisingRamp((0.75, 0.25, 0.0, 0.5), 20)
    assert ramp.strongest == 0.75
    # 16, 6, 0 and 11 of 20 steps.
    assert [step for step in range(16) if 0 in ramp.waiting(step)] == []
    assert [step for step in range(17) if 1 in ramp.waiting(step)] == list(range(10))
    assert [step for step in range(17) if 2 in ramp.waiting(step)] == list(range(16))
    assert [step for step in range(17) if 3 in ramp.waiting(step)] == list(range(5))


def test_waiting_frames_look_like_their_picture_under_the_steps_noise() -> None:
    ramp = DenoisingRamp((1.0, 0.5), 10)
    x, init, noise = torch.zeros(4, 1, 2, 2), torch.full((1, 1, 2, 2), 3.0), torch.ones(2, 1, 2, 2)
    held = ramp.held(x, 0, init, noise, 7.0)
    assert held[:, 0, 0, 0].tolist() == [0, 10, 0, 10]
    assert ramp.held(x, 9, init, noise, 7.0) is x
