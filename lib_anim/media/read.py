"""Open frame sources: films, animations, picture folders, single pictures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Protocol

import numpy as np

from lib_anim.errors import FlipbookError, Problem
from lib_anim.media.animation import AnimationReader
from lib_anim.media.container import local_file
from lib_anim.media.contract import Frame, SourceInfo
from lib_anim.media.pictures import PictureFolder, is_picture
from lib_anim.media.rates import parse_rate, pick_frames
from lib_anim.media.video import VideoReader

PICTURE_RATE = Fraction(24)
"""Frames per second of a folder of pictures, unless the caller gives another rate."""


class Reader(Protocol):
    """Numbered pictures of one size, as the readers of each kind of file offer them."""

    width: int
    height: int
    alpha: bool

    @property
    def warnings(self) -> tuple[str, ...]: ...

    def __len__(self) -> int: ...

    def frames_at(self, numbers: Iterable[int]) -> Iterator[Frame]: ...

    def read(self, number: int) -> Frame: ...

    def close(self) -> None: ...


class Source:
    """Frames in order, any number of times: which picture each one shows is decided at opening."""

    def __init__(
        self,
        reader: Reader,
        picks: np.ndarray,
        rate: Fraction,
        *,
        audio: bool,
        timed: bool,
        names: tuple[str, ...] = (),
    ) -> None:
        self._reader = reader
        self._picks = picks
        self._last: tuple[int, Frame] | None = None
        self.info = SourceInfo(
            width=reader.width,
            height=reader.height,
            rate=rate,
            frames=len(picks),
            alpha=reader.alpha,
            audio=audio,
            timed=timed,
            names=tuple(names[int(pick)] for pick in picks) if names else (),
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        return self._reader.warnings

    def __len__(self) -> int:
        return len(self._picks)

    def __getitem__(self, index: int) -> Frame:
        if not 0 <= index < len(self._picks):
            raise IndexError(f"frame {index} of {len(self._picks)}")
        pick = int(self._picks[index])
        # A resampled film shows one picture several times; films decode forwards only.
        if self._last is None or self._last[0] != pick:
            self._last = pick, self._reader.read(pick)
        return self._last[1].copy()

    def __iter__(self) -> Iterator[Frame]:
        return self._reader.frames_at(int(pick) for pick in self._picks)

    def close(self) -> None:
        self._last = None
        self._reader.close()

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_source(
    path: Path | str,
    *,
    rate: Fraction | int | float | str | None = None,
    start: int = 0,
    stop: int | None = None,
    every: int = 1,
) -> Source:
    """Open a film, an animation, a folder of pictures or one picture as a source of frames.

    `start`, `stop` and `every` choose frames at the source's own rate, like a slice; the length in
    seconds of what is chosen stays. `rate` then resamples a film by time to that rate, its length
    kept to within one frame; for pictures without time it says how fast they are shown.
    Raises NotFound or FlipbookError naming the file or the argument.
    """
    wanted = None if rate is None else parse_rate(rate)
    reader: Reader
    names: tuple[str, ...] = ()
    if (place := Path(path)).is_dir():
        folder = PictureFolder(place)
        reader, names = folder, tuple(file.name for file in folder.files)
        timed, own, slots, audio = False, PICTURE_RATE, np.arange(len(reader)), False
    else:
        file = local_file(place)
        film = AnimationReader(file) if is_picture(file) else VideoReader(file)
        reader, timed, own, slots, audio = film, film.timed, film.rate, film.slots, film.audio
    chosen = _chosen(slots, start, stop, every)
    if not timed:
        return Source(reader, chosen, wanted or PICTURE_RATE, audio=audio, timed=False, names=names)
    if wanted is None:
        return Source(reader, chosen, own / every, audio=audio, timed=True)
    picks = chosen[pick_frames(len(chosen), own / every, wanted)]
    return Source(reader, picks, wanted, audio=audio, timed=True)


def _chosen(slots: np.ndarray, start: int, stop: int | None, every: int) -> np.ndarray:
    last = len(slots) if stop is None else stop
    if every < 1:
        raise FlipbookError(
            Problem(f"{every} is not a step; give 1 or more.", "every", code="value.not_allowed")
        )
    if not 0 <= start < min(last, len(slots)) or last > len(slots):
        raise FlipbookError(
            Problem(
                f"frames {start} to {last} are not within the source, which has {len(slots)} frames.",
                "range",
                code="frame.out_of_range",
            )
        )
    return slots[start:last:every]
