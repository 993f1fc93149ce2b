"""The order of rows in the host's batches: by frame there, by condition for a clip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from lib_anim.errors import FlipbookError, Problem


class RowOrder:
    """One step's rows: every frame's conditions one after another (AND), then every frame's negative.

    The host puts all conditions of frame 0 first, then those of frame 1. A motion module wants all frames of
    one condition in a row, and the host cuts its batches every so many frames.
    """

    def __init__(self, counts: Sequence[int]) -> None:
        """`counts`: conditions of each frame. Raises FlipbookError where some have fewer than others."""
        frames, most = len(counts), max(counts)
        fewest = counts.index(min(counts))
        if counts[fewest] < most:
            # Flipbook evens out its own prompts; another script has set others since.
            sentence = (
                f"frame {fewest} has {counts[fewest]} parts joined by AND, others have {most}; "
                "give every frame's prompt as many"
            )
            raise FlipbookError(Problem(sentence, field="prompt"))
        self._places = (
            None
            if most == 1
            else torch.tensor([frame * most + part for part in range(most) for frame in range(frames)])
        )

    def sort(self, params: Any) -> None:
        """Put the rows of the host's denoiser parameters into the clip's order."""
        if self._places is None:
            return
        places, count = self._places, len(self._places)
        for name in ("x", "sigma", "image_cond"):
            value = getattr(params, name)
            setattr(params, name, torch.cat([value[:count][places.to(value.device)], value[count:]]))
        params.text_cond = _picked(params.text_cond, places)

    def restore(self, x: torch.Tensor) -> None:
        """Put the rows of the network's result back, in place: the host goes on with this very tensor."""
        if self._places is None:
            return
        count = len(self._places)
        sorted_rows = x[:count].clone()
        x[self._places.to(x.device)] = sorted_rows


def _picked(cond: Any, places: torch.Tensor) -> Any:
    if isinstance(cond, dict):
        return type(cond)({name: _picked(part, places) for name, part in cond.items()})
    return cond[places.to(cond.device)]
