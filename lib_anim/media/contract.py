"""Contracts of frame sources and sinks. Imports no codec, so kinds may use these types."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.uint8]
"""One picture at a file's edge: uint8 RGB (H, W, 3), or RGBA (H, W, 4) where a source has alpha."""


@dataclass(frozen=True, kw_only=True)
class SourceInfo:
    """What is known of a source before a frame is decoded, after rotation metadata is applied."""

    width: int
    height: int
    rate: Fraction
    """Frames per second as a rational; for pictures without time, the rate that the caller gave."""
    frames: int
    """Exact number of frames that iteration yields."""
    alpha: bool = False
    audio: bool = False
    timed: bool = True
    """Whether it says itself how fast its frames are shown; pictures do not."""
    names: tuple[str, ...] = ()
    """The file of each frame, where frames are files of a folder."""
    parameters: tuple[str, ...] = ()
    """What each file says about how it was made, where that was asked for; empty where one does not."""

    @property
    def duration(self) -> Fraction:
        """Seconds: frames / rate."""
        return Fraction(self.frames) / self.rate


class FrameSource(Protocol):
    """Frames in order, any number of times.

    `source[n]` equals the n-th frame that iteration yields, bit for bit, whatever was read before;
    a negative or too large n raises IndexError. All frames have the size that `info` states.
    Iteration streams: memory does not grow with the number of frames. Closing twice is allowed.
    """

    @property
    def info(self) -> SourceInfo: ...

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about what was repaired or skipped so far (damaged frames, tone mapping)."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Frame: ...

    def __iter__(self) -> Iterator[Frame]: ...

    def close(self) -> None: ...

    def __enter__(self) -> FrameSource: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class FrameSink(Protocol):
    """A film that grows frame by frame.

    Until `close` the target path does not exist under its own name (`.part` does); `close` finishes
    the file, puts it in place and returns it. Leaving the `with` block by an error calls `abort`,
    which leaves no file under the target's name and never touches one that was there before.
    """

    @property
    def warnings(self) -> tuple[str, ...]: ...

    def write(self, frame: Frame) -> None:
        """Append one frame. Raises FlipbookError when its size or channels differ from the sink's."""
        ...

    def close(self) -> Path: ...

    def abort(self) -> None: ...

    def __enter__(self) -> FrameSink: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
