"""The plan of a clip session: windows and factors, with all values resolved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lib_anim.errors import FlipbookError, Problem
from lib_anim.types import ClosedLoop, ContextSchedule, WindowFusion

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Factor:
    """A factor over frames, pixels and UNet blocks: the product of its parts."""

    values: tuple[float, ...] = (1.0,)
    """One for all frames, or one for each."""
    mask: Tensor | None = None
    """(1 or frames, h, w), any size: a factor per pixel, resized bilinearly to each layer."""
    blocks: Mapping[str, float] = field(default_factory=dict)
    """Factors by a site's name or a prefix of it: `up_blocks.3`, `down_blocks.0.motion_modules.1`."""

    def factor(self, site: str) -> float:
        """The product of the factors for the site called `site`."""
        product = 1.0
        for name, value in self.blocks.items():
            if site == name or site.startswith(name + "."):
                product *= value
        return product


@dataclass(frozen=True, kw_only=True)
class ClipPlan:
    """A clip's windows and strengths. Raises FlipbookError when its numbers contradict each other."""

    frames: int
    """Length of the clip, at least 1."""
    context: int = 16
    """Frames in a window, which the motion module processes at once."""
    stride: int = 1
    """Number of dyadic strides (1, 2, 4, …) of uniform windows."""
    overlap: int = -1
    """Frames that neighbouring windows share; −1 is a quarter of the context."""
    closed_loop: ClosedLoop = "R-P"
    """N: open. R-P, R+P: windows wrap over the end, A: the clip is a loop. R+P and A also loop its
    prompts."""
    schedule: ContextSchedule = "uniform"
    """`views` runs the network on all frames at once and has windows inside the motion layers only."""
    fusion: WindowFusion = "pyramid"
    """Weights of windows that share a frame; `last` uses the last one, as in sd-webui-animatediff."""
    scale: Factor = Factor()
    """Factor on the keys of motion attention: below 1 less motion, above 1 more."""
    effect: Factor = Factor()
    """Share of the motion layers' change that is added; 0 leaves the UNet's output bit-identical."""

    def __post_init__(self) -> None:
        problems = []
        if self.frames < 1:
            problems.append(_out_of_range("frames", f"{self.frames} frames are too few; use at least 1"))
        if self.context < 1:
            problems.append(_out_of_range("context", f"{self.context} is out of range; use at least 1"))
        if self.stride < 1:
            problems.append(_out_of_range("stride", f"{self.stride} is out of range; use at least 1"))
        if self.overlap < -1:
            problems.append(
                _out_of_range("overlap", f"{self.overlap} is out of range; use −1 (automatic) or more")
            )
        elif self.overlap >= self.context > 0:
            problems.append(
                _out_of_range(
                    "overlap",
                    f"{self.overlap} frames cannot overlap in windows of {self.context}; "
                    f"use at most {self.context - 1}, or −1",
                )
            )
        problems += self._factor_problems("motion_scale", self.scale)
        problems += self._factor_problems("motion_effect", self.effect)
        if problems:
            raise FlipbookError(*problems)

    def _factor_problems(self, field: str, factor: Factor) -> Iterator[Problem]:
        if len(factor.values) not in (1, self.frames):
            yield Problem(
                f"has {len(factor.values)} values for {self.frames} frames; use 1 or {self.frames}",
                field=field,
                code="value.wrong_count",
            )
        mask = factor.mask
        if mask is not None and (mask.ndim != 3 or len(mask) not in (1, self.frames)):
            yield Problem(
                f"its mask has shape {tuple(mask.shape)}; use (1 or {self.frames}, height, width)",
                field=field,
                code="value.wrong_shape",
            )

    @property
    def shared(self) -> int:
        """Overlap as a number: −1 resolved."""
        return self.context // 4 if self.overlap == -1 else self.overlap


def _out_of_range(field: str, message: str) -> Problem:
    return Problem(message, field=field, code="value.out_of_range")
