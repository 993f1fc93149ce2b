"""Strengths of a clip as the motion layers read them: per site, window and size, kept once made."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from lib_anim.motion.plan import Factor
from lib_anim.motion.windows import Window

KEPT = 4096
"""Tensors kept; windows come again, so that few are ever made and none waits for the device twice."""


class FactorReader:
    """One dial's values for any site and window."""

    def __init__(self, dial: Factor, frames: int) -> None:
        self._dial = dial
        self._frames = frames
        self._made: dict[tuple[object, ...], Tensor] = {}

    def at(self, site: str, window: Window, x: Tensor) -> float | Tensor:
        """A number, or (len(window), h or 1, w or 1) of x's device and type; x is (rows, C, h, w)."""
        dial, factor = self._dial, self._dial.factor(site)
        if dial.mask is None:
            values = set(dial.values) if len(dial.values) == 1 else {dial.values[f] for f in window}
            if len(values) == 1:
                return float(values.pop() * factor)
        if factor == 0.0:
            return 0.0
        size = (1, 1) if dial.mask is None else tuple(x.shape[-2:])
        key = (factor, window, size, x.device, x.dtype)
        if key not in self._made:
            if len(self._made) >= KEPT:
                self._made.clear()
            self._made[key] = self._make(factor, window, size).to(x.device, x.dtype)
        return self._made[key]

    def _make(self, factor: float, window: Window, size: tuple[int, ...]) -> Tensor:
        dial = self._dial
        values = [dial.values[f if len(dial.values) > 1 else 0] * factor for f in window]
        result = torch.tensor(values).view(-1, 1, 1)
        if dial.mask is None:
            return result
        mask = dial.mask if len(dial.mask) == 1 else dial.mask[list(window)]
        laid = F.interpolate(mask.float()[:, None], size=size, mode="bilinear", align_corners=False)
        return result * laid[:, 0].to(result.device)
