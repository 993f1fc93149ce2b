"""Draft options: render part of a film to check it before the full render."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lib_anim.errors import FlipbookError, Problem


@dataclass(frozen=True, kw_only=True)
class DraftOptions:
    """A trial leaves the film's settings as they are: schedules keep the values of their true frames.

    Raises FlipbookError for invalid numbers, and for `every` combined with `only`.
    """

    every: int = 1
    """Keep every n-th frame, at a rate as many times lower."""
    half: bool = False
    """Paint at half the width and height."""
    only: int | None = None
    """Keep this frame alone."""

    def __post_init__(self) -> None:
        if self.every < 1:
            raise FlipbookError(
                Problem(
                    f"{self.every} is not allowed; it takes 1 or more", field="every", code="draft.invalid"
                )
            )
        if self.every > 1 and self.only is not None:
            raise FlipbookError(
                Problem(
                    "one frame alone has no next one; leave out --every", field="only", code="draft.invalid"
                )
            )

    @property
    def whole(self) -> bool:
        """Whether nothing is left out."""
        return self == WHOLE

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


WHOLE = DraftOptions()


def draft_of(manifest: Mapping[str, Any]) -> DraftOptions:
    """The trial that a manifest names; the whole film where it names none."""
    return DraftOptions(**manifest.get("trial", {}))


LEAST = 64
"""Pixels of a film's side at least."""


def half_size(size: tuple[int, int], unit: int) -> tuple[int, int]:
    """Half of a film's width and height, rounded to multiples of `unit`. Raises FlipbookError where that is
    too small."""
    width, height = (max(round(side / 2 / unit), 1) * unit for side in size)
    if min(width, height) < LEAST:
        sentence = f"{size[0]} × {size[1]} has no half: films are at least {LEAST} pixels wide and high"
        raise FlipbookError(Problem(sentence, field="half", code="draft.too_small"))
    return width, height


def check_frame(frame: int, frames: int) -> None:
    """Raise FlipbookError where a film has no such frame."""
    if not 0 <= frame < frames:
        sentence = f"there is no frame {frame}: the film has frames 0 to {frames - 1}"
        raise FlipbookError(Problem(sentence, field="only", code="draft.invalid"))
