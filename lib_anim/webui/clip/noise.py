"""A clip's noise in the host: initial noise of the requested kind, then independent noise per frame."""

from __future__ import annotations

from typing import Any

import torch

from lib_anim.engines.contract.requests import Steering
from lib_anim.motion.noise import clip_noise
from lib_anim.motion.plan import ClipPlan


class ClipRandom:
    """Replaces the request's ImageRNG, from which the host draws one row of noise per frame.

    The first `shaped` draws are converted to the clip's kind of noise; later draws are passed through.
    """

    def __init__(self, rng: Any, steering: Steering, plan: ClipPlan, *, seed: int, shaped: int) -> None:
        self._rng = rng
        self._steering = steering
        self._plan = plan
        self._seed = seed
        self._shaped = shaped

    def next(self) -> torch.Tensor:
        """(frames, C, h, w) of unit noise."""
        own: torch.Tensor = self._rng.next()
        if self._shaped <= 0:
            return own
        self._shaped -= 1
        kind, shared = self._steering.noise, self._steering.noise_shared
        return clip_noise(own, kind, self._plan, seed=self._seed, shared=shared)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rng, name)
