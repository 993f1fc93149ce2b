"""Prompt travel: each frame's interpolation between two keyframes' conditionings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from lib_anim.errors import FlipbookError, Problem
from lib_anim.types import PromptInterpolation

PARALLEL = 0.9995
"""Cosine above which two conditionings are interpolated linearly."""


@dataclass(frozen=True)
class Blend:
    """One frame's interpolation between two conditionings, given by index."""

    before: int
    after: int
    weight: float
    """Share of `after`, 0 … 1."""


def keyframe_blends(keys: Sequence[int], frames: int, *, cyclic: bool) -> tuple[Blend, ...]:
    """For each of `frames` its previous and next keyframe, as indices into `keys`, which ascend.

    Before the first key and after the last one that key is held; `cyclic` interpolates from the last to the
    first over the clip's end. Raises FlipbookError when keys do not ascend, when the first is outside the
    clip or, with `cyclic`, any.
    """
    outside = not keys or not 0 <= keys[0] < frames or (cyclic and keys[-1] >= frames)
    if outside or any(b <= a for a, b in pairwise(keys)):
        raise FlipbookError(
            Problem(
                f"keyframes {list(keys)} do not ascend inside the clip; use ascending numbers within its "
                f"{frames} frames",
                field="prompt",
                code="schedule.out_of_range",
            )
        )
    last = len(keys) - 1
    found = []
    for frame in range(frames):
        before = max((i for i, key in enumerate(keys) if key <= frame), default=last)
        after = (before + 1) % len(keys)
        inside = before < last and keys[before] <= frame
        if last == 0 or keys[before] == frame or not (inside or cyclic):
            held = 0 if frame < keys[0] and not cyclic else before
            found.append(Blend(held, held, 0.0))
            continue
        gone = (frame - keys[before]) % frames
        left = (keys[after] - frame) % frames if not inside else keys[after] - frame
        found.append(Blend(before, after, gone / (gone + left)))
    return tuple(found)


def conditioned(
    conds: Sequence[Any], blends: Sequence[Blend], how: PromptInterpolation = "slerp", *, marks: int = 0
) -> Any:
    """Interpolated conditionings, one per blend: (len(blends), tokens, width), for mappings a mapping of
    these.

    `conds` are tensors (tokens, width) or (width,), or mappings of them (SDXL's `crossattn`, `vector`), all
    of one
    type; shorter ones are padded with their last row. `hold` uses the keyframe before. `slerp` treats the
    whole tensor as one vector (Shoemake 1985), as sd-webui-animatediff does. The first `marks` rows are not
    conditioning (ControlNet's marker) and are copied from the keyframe before.
    """
    if isinstance(conds[0], Mapping):
        return {key: conditioned([c[key] for c in conds], blends, how, marks=marks) for key in conds[0]}
    equal = _equally_long(conds)
    done: dict[Blend, Tensor] = {}
    for blend in blends:
        if blend not in done:
            done[blend] = _mixed(equal[blend.before], equal[blend.after], blend.weight, how, marks)
    return torch.stack([done[blend] for blend in blends])


def _mixed(a: Tensor, b: Tensor, weight: float, how: PromptInterpolation, marks: int) -> Tensor:
    if how == "hold" or weight == 0.0 or a is b:
        return a
    if marks and a.ndim > 1:
        return torch.cat([a[:marks], _mixed(a[marks:], b[marks:], weight, how, 0)])
    line = torch.lerp(a.float(), b.float(), weight)
    if how == "slerp":
        line = _arc(a.float(), b.float(), weight, line)
    return line.to(a.dtype)


def _arc(a: Tensor, b: Tensor, weight: float, line: Tensor) -> Tensor:
    """(sin((1−t)Ω)·a + sin(tΩ)·b) / sin Ω; `line` where a and b are nearly parallel. No device sync."""
    cosine = (a * b).sum() / (a.norm() * b.norm()).clamp(min=1e-12)
    angle = torch.acos(cosine.clamp(-1, 1))
    sine = torch.sin(angle)
    arc = (torch.sin((1 - weight) * angle) * a + torch.sin(weight * angle) * b) / sine.clamp(min=1e-6)
    return torch.where(cosine.abs() > PARALLEL, line, arc)


def _equally_long(conds: Sequence[Tensor]) -> list[Tensor]:
    """Pads shorter ones with their last row, as the WebUI stacks conditionings of one batch."""
    if conds[0].ndim < 2:
        return list(conds)
    longest = max(len(cond) for cond in conds)
    return [
        torch.cat([cond, cond[-1:].expand(longest - len(cond), -1)]) if len(cond) < longest else cond
        for cond in conds
    ]
