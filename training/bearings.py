"""Readouts that make a UNet in training know where left is, and which frame it paints.

A drawn landscape is as likely as its mirror image, so nothing but words like "on the left" could teach a UNet
the left from the right, and it cannot heed such a word before it knows the one from the other. Without these
readouts neither was ever learnt; with them both come within some hundred steps; see
docs/internals/demo-checkpoint.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn

from training.clips import FRAMES


def _asking(unet: nn.Module) -> list[nn.Module]:
    """What gives each cross attention its queries, in the order in which the blocks are run."""
    assert isinstance(unet, UNet2DConditionModel)
    places = [*unet.down_blocks, unet.mid_block, *unet.up_blocks]
    blocks = [block for place in places for block in place.modules() if hasattr(block, "attn2")]
    return [block.norm2 for block in blocks]


class Bearings(nn.Module):
    """One linear readout for each cross attention of a UNet: from a cell's query to where and when it is.

    Three numbers are read: the column, −1 (left) to 1; the frame of a clip, −1 to 1; and the product of both,
    which is high where something is that goes to the right.
    """

    def __init__(self, unet: nn.Module) -> None:
        super().__init__()
        self.readouts = nn.ModuleList([nn.Linear(asks.normalized_shape[0], 3) for asks in _asking(unet)])

    @contextmanager
    def listening(self, unet: nn.Module) -> Iterator[list[Tensor]]:
        """While it lasts, the queries (rows, cells, width) of one run of `unet` gather in the given list."""
        heard: list[Tensor] = []
        handles = [
            asks.register_forward_hook(lambda module, inputs, output: heard.append(output))
            for asks in _asking(unet)
        ]
        try:
            yield heard
        finally:
            for handle in handles:
                handle.remove()

    def error(self, heard: list[Tensor], at: Tensor | None = None) -> Tensor:
        """Mean squared error of what is read from queries of square pictures: the columns of stills.

        With `at`, the numbers (F,) of a clip's frames, those of frames and products are added, the latter
        twice: they are the hardest. The first query is asked before any temporal layer has been, so it
        cannot know its frame and is left out.
        """
        columns, times = [], []
        for place, (readout, query) in enumerate(zip(self.readouts, heard, strict=True)):
            said = readout(query.float())
            side = round(query.shape[1] ** 0.5)
            across = torch.linspace(-1, 1, side, device=query.device).repeat(side)
            columns.append((said[..., 0] - across).square().mean())
            if at is not None and place > 0:
                frame = 2 * at.to(query.device) / (FRAMES - 1) - 1
                when = frame.repeat(len(query) // len(at))[:, None]
                times.append((said[..., 1] - when).square().mean())
                times.append(2 * (said[..., 2] - when * across).square().mean())
        total = torch.stack(columns).mean()
        return total + 2 * torch.stack(times).mean() if times else total
