"""The batch rows of one network call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from lib_anim.motion.windows import Window


class Rows:
    """The rows of one window, for every group (prompt, negative, part of AND) of a batch.

    A batch has groups · frames rows, frames running fastest: row g·N + f is frame f of group g.
    """

    def __init__(self, window: Window, frames: int, first: int, last: int, total: int, device: torch.device):
        """Groups `first` … `last` − 1 of a batch of `total` rows of clips of `frames`."""
        self.window = window
        """Frame numbers, in the module's order."""
        self.first = first
        """Number of the first group in this pass."""
        self.groups = last - first
        self._total = total
        numbers = [group * frames + frame for group in range(first, last) for frame in window]
        self._whole = numbers == list(range(total))
        self.index = torch.tensor(numbers, device=device)
        """(groups · len(window),) int64: the rows' numbers in the batch."""

    def of(self, value: Any) -> Any:
        """The rows of `value`: a tensor with as many rows as the batch is indexed, other values are
        unchanged.

        Mappings, lists and tuples are traversed. A call on the whole batch copies nothing.
        """
        if self._whole:
            return value
        if isinstance(value, Tensor):
            return value[self.index] if value.ndim and len(value) == self._total else value
        if isinstance(value, Mapping):
            return {key: self.of(part) for key, part in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(self.of(part) for part in value)
        return value
