"""Readouts of column and frame: what they ask for is right, and they leave the network as it was."""

from __future__ import annotations

import torch

from training.bearings import Bearings
from training.clips import FRAMES
from training.networks import Widths, build_unet

TINY = Widths(unet=(32, 32, 32, 32), vae=(32, 32, 32, 32), heads=4, context=32, text_layers=1, text_heads=2)
SITES = 16


def queries(frames: torch.Tensor, clips: int, side: int = 4) -> torch.Tensor:
    """Features that say where and when: column, frame, product (clips·F, side², 32)."""
    column = torch.linspace(-1, 1, side).repeat(side)
    when = (2 * frames / (FRAMES - 1) - 1).repeat(clips)
    said = torch.zeros(len(when), side * side, 32)
    said[..., 0], said[..., 1] = column, when[:, None]
    said[..., 2] = column * when[:, None]
    return said


def test_what_says_where_and_when_has_no_error() -> None:
    bearings = Bearings(build_unet(TINY))
    assert len(bearings.readouts) == SITES
    for readout in bearings.readouts:
        readout.weight.data.zero_()
        readout.bias.data.zero_()
        readout.weight.data[:, :3] = torch.eye(3)
    at = torch.tensor([0, 5, 15])
    heard = [queries(at, clips=2)] * SITES
    assert bearings.error(heard, at) < 1e-12
    assert bearings.error(heard) < 1e-12
    mirrored = [query * torch.tensor([-1.0, 1, 1] + [0] * 29) for query in heard]
    assert bearings.error(mirrored) > 1
    late = [query * torch.tensor([1.0, -1, 1] + [0] * 29) for query in heard]
    assert bearings.error(late, at) > 0.5
    still = [query * torch.tensor([1.0, 1, 0] + [0] * 29) for query in heard]
    assert bearings.error(still, at) > 0.1


def test_it_hears_one_run_and_lets_go() -> None:
    unet = build_unet(TINY)
    bearings = Bearings(unet)
    x, t, context = torch.randn(3, 4, 16, 16), torch.tensor(5), torch.randn(3, 77, TINY.context)
    with torch.no_grad():
        bare = unet(x, t, context).sample
        with bearings.listening(unet) as heard:
            listened = unet(x, t, context).sample
        again = unet(x, t, context).sample
    assert torch.equal(bare, listened)
    assert torch.equal(bare, again)
    sides = [round(query.shape[1] ** 0.5) for query in heard]
    assert sides == [16, 16, 8, 8, 4, 4, 2, 4, 4, 4, 8, 8, 8, 16, 16, 16]
    assert not any(part._forward_hooks for part in unet.modules())
