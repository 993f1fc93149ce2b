"""Factors of a clip for the motion layers: by site, window and size, cached."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from lib_anim.motion.plan import Factor
from lib_anim.motion.windows import Window

KEPT = 4096
"""Maximum cached tensors; windows recur, so that few are computed and each is copied to the device once."""


class FactorReader:
    """One factor's values for any site and window."""

    def __init__(self, factor: Factor, frames: int) -> None:
        self._factor = factor
        self._frames = frames
        self._cache: dict[tuple[object, ...], Tensor] = {}

    def at(self, site: str, window: Window, x: Tensor) -> float | Tensor:
        """A number, or (len(window), h or 1, w or 1) on x's device in its dtype; x is (rows, C, h, w)."""
        whole, factor = self._factor, self._factor.factor(site)
        if whole.mask is None:
            values = set(whole.values) if len(whole.values) == 1 else {whole.values[f] for f in window}
            if len(values) == 1:
                return float(values.pop() * factor)
        if factor == 0.0:
            return 0.0
        size = (1, 1) if whole.mask is None else tuple(x.shape[-2:])
        key = (factor, window, size, x.device, x.dtype)
        if key not in self._cache:
            if len(self._cache) >= KEPT:
                self._cache.clear()
            self._cache[key] = self._compute(factor, window, size).to(x.device, x.dtype)
        return self._cache[key]

    def _compute(self, factor: float, window: Window, size: tuple[int, ...]) -> Tensor:
        whole = self._factor
        values = [whole.values[f if len(whole.values) > 1 else 0] * factor for f in window]
        result = torch.tensor(values).view(-1, 1, 1)
        if whole.mask is None:
            return result
        mask = whole.mask if len(whole.mask) == 1 else whole.mask[list(window)]
        resized = F.interpolate(mask.float()[:, None], size=size, mode="bilinear", align_corners=False)
        return result * resized[:, 0].to(result.device)
