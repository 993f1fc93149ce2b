"""The resolved plan of a clip session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lib_anim.errors import FlipbookError, Problem
from lib_anim.types import ClosedLoop, ContextSchedule, WindowFusion

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Factor:
    """A strength over a clip: the product of its parts."""

    values: tuple[float, ...] = (1.0,)
    """One for all frames, or one for each."""
    mask: Tensor | None = None
    """(1 or frames, h, w), any size: a factor per pixel, laid onto each layer's size bilinearly."""
    blocks: Mapping[str, float] = field(default_factory=dict)
    """Factors by a site's name or its beginning: `up_blocks.3`, `down_blocks.0.motion_modules.1`."""

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
    """Frames in a window: how many the motion module sees at once."""
    stride: int = 1
    """Number of dyadic strides (1, 2, 4, …) of uniform windows."""
    overlap: int = -1
    """Frames that neighbouring windows share; −1 is a quarter of the context."""
    closed_loop: ClosedLoop = "R-P"
    """N: open. R-P, R+P: windows run over the end, A: the clip closes. R+P and A also close its prompts."""
    schedule: ContextSchedule = "uniform"
    """`views` runs the network on all frames at once and has windows inside the motion layers only."""
    fusion: WindowFusion = "pyramid"
    """How windows that share a frame are weighed; `last` lets the last one win, as sd-webui-animatediff."""
    scale: Factor = Factor()
    """Factor on the keys of motion attention: below 1 less motion, above 1 more."""
    effect: Factor = Factor()
    """Share of the motion layers' change that is added; 0 leaves the UNet as it is, bit for bit."""

    def __post_init__(self) -> None:
        problems = []
        if self.frames < 1:
            problems.append(
                Problem(
                    f"a clip has at least 1 frame, not {self.frames}.",
                    field="frames",
                    code="value.not_allowed",
                )
            )
        if self.context < 1:
            problems.append(
                Problem(f"must be at least 1, not {self.context}.", field="context", code="value.not_allowed")
            )
        if self.stride < 1:
            problems.append(
                Problem(f"must be at least 1, not {self.stride}.", field="stride", code="value.not_allowed")
            )
        if self.overlap < -1:
            problems.append(
                Problem(
                    f"must be −1 (automatic) or more, not {self.overlap}.",
                    field="overlap",
                    code="value.not_allowed",
                )
            )
        elif self.overlap >= self.context > 0:
            problems.append(
                Problem(
                    f"{self.overlap} frames cannot overlap in windows of {self.context}; "
                    f"use at most {self.context - 1}, or −1.",
                    field="overlap",
                    code="motion.overlap",
                )
            )
        for name, dial in (("motion_scale", self.scale), ("motion_effect", self.effect)):
            if len(dial.values) not in (1, self.frames):
                problems.append(
                    Problem(
                        f"has {len(dial.values)} values for {self.frames} frames.",
                        field=name,
                        code="motion.wrong_length",
                    )
                )
            if dial.mask is not None and (dial.mask.ndim != 3 or len(dial.mask) not in (1, self.frames)):
                problems.append(
                    Problem(
                        f"its mask has shape {tuple(dial.mask.shape)}; it must be (1 or {self.frames}, "
                        "height, width).",
                        field=name,
                        code="motion.mask_shape",
                    )
                )
        if problems:
            raise FlipbookError(*problems)

    @property
    def shared(self) -> int:
        """Overlap as a number: −1 resolved."""
        return self.context // 4 if self.overlap == -1 else self.overlap
