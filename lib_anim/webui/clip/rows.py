"""Reorders batch rows: the host sorts them by frame, motion modules need them by condition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from lib_anim.errors import FlipbookError, Problem


class RowOrder:
    """Row order of one step: all frames of the first AND condition, of the second …, then all negatives.

    The host has all conditions of frame 0 first, then those of frame 1. A motion module needs all frames of
    one condition in consecutive rows, and the host splits its batches after a fixed number of frames.
    """

    def __init__(self, counts: Sequence[int]) -> None:
        """`counts`: number of conditions of each frame. Raises FlipbookError where they differ."""
        frames, most = len(counts), max(counts)
        fewest = counts.index(min(counts))
        if counts[fewest] < most:
            # Flipbook pads its own prompts; another script has changed them since.
            sentence = (
                f"frame {fewest} has {counts[fewest]} parts joined by AND, others have {most}; "
                "use the same number in every frame's prompt"
            )
            raise FlipbookError(Problem(sentence, field="prompt", code="prompt.unequal_parts"))
        self._order = (
            None
            if most == 1
            else torch.tensor([frame * most + part for part in range(most) for frame in range(frames)])
        )

    def sort(self, params: Any) -> None:
        """Reorder the rows of the host's denoiser parameters by condition."""
        if self._order is None:
            return
        order, count = self._order, len(self._order)
        for name in ("x", "sigma", "image_cond"):
            value = getattr(params, name)
            setattr(params, name, torch.cat([value[:count][order.to(value.device)], value[count:]]))
        params.text_cond = _reordered(params.text_cond, order)

    def restore(self, x: torch.Tensor) -> None:
        """Restore the host's row order of the UNet's result in place, because the host reuses the tensor."""
        if self._order is None:
            return
        count = len(self._order)
        sorted_rows = x[:count].clone()
        x[self._order.to(x.device)] = sorted_rows


def _reordered(cond: Any, order: torch.Tensor) -> Any:
    if isinstance(cond, dict):
        return type(cond)({name: _reordered(part, order) for name, part in cond.items()})
    return cond[order.to(cond.device)]
