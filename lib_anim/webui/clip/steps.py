"""The host's two denoiser callbacks, called before and after each sampling step.

The host calls them at every step of every request; requests without a clip are not changed. Patches
(`forward` of the sampler's own wrapper) do not outlive the request's sampler.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Protocol

CLIP = "flipbook_clip"
"""The attribute of a request that carries its StepHooks."""


class StepHooks(Protocol):
    """What a clip does before and after each call of the network."""

    def capture_errors(self) -> AbstractContextManager[None]: ...

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
    """The host's `on_cfg_denoiser`: reorder the rows and wrap the UNet in context windows."""
    clip = hooks_of(getattr(params.denoiser, "p", None))
    if clip is not None:
        with clip.capture_errors():
            clip.before_step(params)


def after_denoising(params: Any) -> None:
    """The host's `on_cfg_denoised`: restore the host's row order."""
    clip = hooks_of(getattr(getattr(params.inner_model, "flipbook_denoiser", None), "p", None))
    if clip is not None:
        with clip.capture_errors():
            clip.after_step(params)
