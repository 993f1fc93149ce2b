"""The host's two denoiser callbacks, called before and after each sampling step.

The host calls them at every step of every request; requests without a clip are not changed. Patches
(`forward` of the sampler's own wrapper) do not outlive the request's sampler.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lib_anim.webui.clip.host_clip import HostClip

CLIP = "flipbook_clip"
"""Attribute of a request that contains its HostClip."""


def clip_of(p: Any) -> HostClip | None:
    """The clip that a request renders, or None."""
    return getattr(p, CLIP, None)


def before_denoising(params: Any) -> None:
    """The host's `on_cfg_denoiser`: reorder the rows and wrap the UNet in context windows."""
    clip = clip_of(getattr(params.denoiser, "p", None))
    if clip is not None:
        with clip.capture_errors():
            clip.before_step(params)


def after_denoising(params: Any) -> None:
    """The host's `on_cfg_denoised`: restore the host's row order."""
    clip = clip_of(getattr(getattr(params.inner_model, "flipbook_denoiser", None), "p", None))
    if clip is not None:
        with clip.capture_errors():
            clip.after_step(params)
