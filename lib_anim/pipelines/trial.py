"""What may be left out of a film for a look at it before the long run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lib_anim.errors import FlipbookError, Problem


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A trial leaves the film's settings as they are: schedules keep the values of their true frames.

    Raises FlipbookError for numbers that cannot be, and for `every` beside `only`.
    """

    every: int = 1
    """Keep every n-th frame, at a rate as many times lower."""
    half: bool = False
    """Paint at half the width and height."""
    only: int | None = None
    """Keep this frame alone."""

    def __post_init__(self) -> None:
        if self.every < 1:
            raise FlipbookError(Problem(f"{self.every} is not allowed; it takes 1 or more", field="every"))
        if self.every > 1 and self.only is not None:
            raise FlipbookError(Problem("one frame alone has no next one; leave out --every", field="only"))

    @property
    def whole(self) -> bool:
        """Whether nothing is left out."""
        return self == WHOLE

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


WHOLE = Trial()


def trial_of(manifest: Mapping[str, Any]) -> Trial:
    """The trial that a manifest names; the whole film where it names none."""
    return Trial(**manifest.get("trial", {}))
