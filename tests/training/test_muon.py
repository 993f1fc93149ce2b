"""Muon: its update is nearly orthogonal, and it finds the minimum of a simple problem."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from training.muon import Muon, optimisers, orthogonalise


@pytest.mark.parametrize("shape", [(8, 8), (6, 20), (20, 6)])
def test_singular_values_come_near_one(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    values = torch.linalg.svdvals(orthogonalise(matrix))
    assert values.min() > 0.4
    assert values.max() < 1.3


def test_it_fits_a_linear_map() -> None:
    g = torch.Generator().manual_seed(2)
    wanted, x = torch.randn(6, 4, generator=g), torch.randn(64, 4, generator=g)
    weight = nn.Parameter(torch.zeros(6, 4))
    optimiser = Muon([weight], lr=0.05)
    for step in range(400):
        optimiser.param_groups[0]["lr"] = 0.05 * (1 - step / 400)
        optimiser.zero_grad()
        (x @ weight.T - x @ wanted.T).square().mean().backward()
        optimiser.step()
    assert (weight - wanted).abs().max() < 0.15


def test_every_parameter_that_trains_has_one_optimiser() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4), nn.Linear(4, 4))
    module[2].bias.requires_grad_(False)
    held = [p for o in optimisers([module], 1e-3) for g in o.param_groups for p in g["params"]]
    assert len(held) == len({id(p) for p in held}) == 5


def test_parameters_of_one_shape_are_updated_as_each_would_be_alone() -> None:
    g = torch.Generator().manual_seed(3)
    starts, gradients = torch.randn(2, 3, 6, 4, generator=g)

    def stepped(chosen: list[int]) -> list[torch.Tensor]:
        parameters = [nn.Parameter(starts[n].clone()) for n in chosen]
        for n, parameter in zip(chosen, parameters, strict=True):
            parameter.grad = gradients[n].clone()
        Muon(parameters, lr=0.1).step()
        return [parameter.detach() for parameter in parameters]

    for n, together in enumerate(stepped([0, 1, 2])):
        alone = stepped([n])[0]
        assert torch.allclose(together, alone, atol=1e-5)
        assert not torch.equal(alone, starts[n])
