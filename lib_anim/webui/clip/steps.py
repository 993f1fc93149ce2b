"""What Flipbook does at each sampling step of a clip, in the host's two denoiser callbacks.

The host asks every listener at every step of every request; those without a clip are left alone. What is put
on objects (`forward` on the sampler's own wrapper) goes away with the request's sampler.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Protocol

CLIP = "flipbook_clip"
"""The attribute of a request that carries its StepHooks."""


class StepHooks(Protocol):
    """What a clip does before and after each call of the network."""

    def watched(self) -> AbstractContextManager[None]: ...

    def before_step(self, params: Any) -> None: ...

    def after_step(self, params: Any) -> None: ...


def clip_of(p: Any) -> Any:
    """The HostClip of a request; None for requests without a clip."""
    return getattr(p, CLIP, None)


def hooks_of(p: Any) -> StepHooks | None:
    """The step hooks of a request's clip; None for requests without a clip."""
    hooks: StepHooks | None = clip_of(p)
    return hooks


def before_denoising(params: Any) -> None:
    """The host's `on_cfg_denoiser`: rows in order, windows round the network."""
    clip = hooks_of(getattr(params.denoiser, "p", None))
    if clip is not None:
        with clip.watched():
            clip.before_step(params)


def after_denoising(params: Any) -> None:
    """The host's `on_cfg_denoised`: rows back where the host looks for them."""
    clip = hooks_of(getattr(getattr(params.inner_model, "flipbook_denoiser", None), "p", None))
    if clip is not None:
        with clip.watched():
            clip.after_step(params)
