"""Reads films with PyAV: every picture by its timestamp, from any place, each exactly once."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from lib_anim.errors import FlipbookError, Problem
from lib_anim.media import colour
from lib_anim.media.container import MAX_PIXELS, check_size, film_stream, open_input, unreadable
from lib_anim.media.contract import Frame
from lib_anim.media.rates import MAX_FRAMES, grid

MOST_DAMAGED = 0.25
"""Share of damaged pictures up to which a film is still read; they show the picture before them."""

_INDEXED = ("mov", "matroska", "webm")
"""Containers whose packets each hold one picture with its own timestamp. The others are decoded once
to learn how many pictures they hold."""

_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}

_KEYS_TRIED = 3
"""Places from which decoding is tried before it begins at the film's start."""

_HELD_BACK = 4
"""Pictures that are kept until those after them are known to be sound: as many as encoders put
between two that they refer to."""

_READ_AHEAD = 48
"""Pictures that the cursor decodes forward rather than seek."""


@dataclass(frozen=True)
class Index:
    """Which pictures a film holds, in order of display."""

    ticks: tuple[int, ...]
    """Timestamps, ascending, in units of `base` seconds."""
    keys: tuple[int, ...]
    """Timestamps of the pictures at which decoding can begin, ascending."""
    base: Fraction
    end: Fraction
    """Seconds from the first picture's start to the last one's end."""


class Decoder:
    """One open file that decodes one video stream, in order of display."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.container: InputContainer = open_input(path)
        try:
            stream = film_stream(self.container)
            if stream is None:
                raise FlipbookError(
                    Problem(f"{path.name} holds no film, only sound or text.", "file", code="media.no_video")
                )
            self.stream: VideoStream = stream
            self._context: Any = self.stream.codec_context
            if self.has_hidden_alpha:
                # FFmpeg's own VP8 and VP9 decoders drop the alpha channel.
                self._context = av.CodecContext.create(_ALPHA_DECODERS[self._context.codec.name], "r")
                self._context.extradata = self.stream.codec_context.extradata
            # Decoding H.264 by frames in parallel repairs damaged ones differently every time.
            self._context.options = {"max_pixels": str(MAX_PIXELS)}
            self._context.thread_type = "SLICE" if stream.codec_context.codec.name == "h264" else "AUTO"
        except BaseException:
            self.container.close()
            raise
        self.broken = 0

    @property
    def has_hidden_alpha(self) -> bool:
        """Whether a WebM file carries transparency separately."""
        context = self.stream.codec_context
        return context.codec.name in _ALPHA_DECODERS and "1" in (
            value for key, value in self.stream.metadata.items() if key.lower() == "alpha_mode"
        )

    def pictures(self) -> Iterator[VideoFrame]:
        """Decoded pictures from where the file stands; broken packets are counted and passed over."""
        try:
            for packet in self.container.demux(self.stream):
                try:
                    yield from self._context.decode(packet if packet.size else None)
                except av.error.EOFError:
                    return
                except av.error.FFmpegError:
                    self.broken += 1
        except av.error.FFmpegError:
            self.broken += 1

    def seek(self, tick: int) -> None:
        """Stand at the last point before or at `tick` from which decoding can begin."""
        self.container.seek(tick, stream=self.stream, backward=True)
        self._context.flush_buffers()

    def __enter__(self) -> Decoder:
        return self

    def __exit__(self, *error: object) -> None:
        self.container.close()


def index_film(path: Path) -> Index:
    """List a film's pictures. Reads the whole file once; decodes it only when its packets do not say."""
    with Decoder(path) as decoder:
        base = Fraction(decoder.stream.time_base or Fraction(1, 1000))
        names = decoder.container.format.name.split(",")
        ticks, keys, last = _packets(decoder)
    if not any(name in _INDEXED for name in names):
        shown = _decoded(path)
        # Where the packets tell another story than the pictures, every reading starts at the start.
        keys = keys if shown == ticks else set()
        ticks = shown
    if not ticks:
        raise unreadable(path, ValueError("no picture could be decoded"))
    order = sorted(ticks)
    check_size(path, 1, 1, len(order))
    last = last if last > 0 else (order[-1] - order[0]) // max(1, len(order) - 1)
    return Index(tuple(order), tuple(sorted(keys)), base, (order[-1] - order[0] + last) * base)


def _packets(decoder: Decoder) -> tuple[set[int], set[int], int]:
    """Timestamps of the packets, those of the keys among them, and the last picture's duration."""
    ticks: set[int] = set()
    keys: set[int] = set()
    last, duration = -(2**62), 0
    try:
        for packet in decoder.container.demux(decoder.stream):
            if not packet.size or packet.is_discard or packet.pts is None:
                continue
            ticks.add(packet.pts)
            if packet.is_keyframe:
                keys.add(packet.pts)
            if packet.pts > last:
                last, duration = packet.pts, int(packet.duration or 0)
            if len(ticks) > MAX_FRAMES:
                break
    except av.error.FFmpegError:
        decoder.broken += 1
    return ticks, keys, duration


def _decoded(path: Path) -> set[int]:
    """The same timestamps from decoded pictures."""
    with Decoder(path) as decoder:
        return {frame.pts for frame in decoder.pictures() if frame.pts is not None}


class VideoReader:
    """The pictures of a film, numbered in order of display.

    `width` and `height` are after rotation. `rate` is the film's own; `slots[i]` is the picture that
    its i-th frame shows, which is picture i unless the rate varies.
    """

    timed = True

    def __init__(self, path: Path) -> None:
        self.path = path
        first = self._first_picture()
        self.index = index_film(path)
        self._numbers = {tick: number for number, tick in enumerate(self.index.ticks)}
        self._missing: set[int] = set()
        self._cursor: tuple[int, Generator[VideoFrame, None, None]] | None = None
        self._look = colour.Look.of(first)
        self.alpha = self._look.alpha
        self.rotation = int(getattr(first, "rotation", 0)) % 360
        turned = self.rotation in (90, 270)
        self.width, self.height = (first.height, first.width) if turned else (first.width, first.height)
        with Decoder(path) as decoder:
            stream = decoder.stream
            hints = [stream.average_rate, stream.guessed_rate, stream.base_rate]
            self.pixel_shape = stream.sample_aspect_ratio or Fraction(1)
            self.audio = bool(decoder.container.streams.audio)
        self.rate, self.slots = grid(self.index.ticks, self.index.base, self.index.end, hints)
        self.variable = len(self.slots) != len(self.index.ticks) or bool(
            (self.slots != np.arange(len(self.slots))).any()
        )

    def _first_picture(self) -> VideoFrame:
        with Decoder(self.path) as decoder:
            check_size(self.path, decoder.stream.width, decoder.stream.height)
            for frame in decoder.pictures():
                check_size(self.path, frame.width, frame.height)
                return frame
        raise unreadable(self.path, ValueError("no picture could be decoded"))

    def __len__(self) -> int:
        return len(self.index.ticks)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was repaired or converted so far."""
        found = list(self._look.warnings(self.path.name))
        if self.pixel_shape != 1:
            found.append(
                f"{self.path.name} has pixels that are not square ({self.pixel_shape}); they are read "
                "as stored. Scale the result if it looks squeezed."
            )
        if self.variable:
            found.append(
                f"{self.path.name} has a variable frame rate; it is read by its timestamps "
                f"at {self.rate} frames per second."
            )
        if self._missing:
            found.append(
                f"{self.path.name}: {len(self._missing)} of {len(self)} pictures are damaged "
                f"and show a neighbour; the first is number {min(self._missing)}."
            )
        return tuple(found)

    def frames_at(self, numbers: Iterable[int]) -> Iterator[Frame]:
        """The pictures of these ascending numbers. A damaged one shows the one before it, at the start
        the next."""
        converter = VideoReformatter()
        pictures: Iterator[VideoFrame] | None = None
        at, picture = 0, None
        for number in numbers:
            if pictures is None:
                pictures, at = self._pictures_from(number), number - 1
            while picture is None or at < number:
                picture, at = next(pictures), at + 1
            yield self._array(picture, converter)

    def read(self, number: int) -> Frame:
        """One picture; reading on in order does not start over."""
        if self._cursor is not None and self._cursor[0] <= number < self._cursor[0] + _READ_AHEAD:
            at, pictures = self._cursor
        else:
            self.close()
            at, pictures = number, self._pictures_from(number)
        self._cursor = None
        for _ in range(at, number):
            next(pictures)
        frame = self._array(next(pictures), VideoReformatter())
        self._cursor = (number + 1, pictures)
        return frame

    def close(self) -> None:
        """Let go of the file. Reading again opens it again."""
        if self._cursor is not None:
            self._cursor[1].close()
            self._cursor = None

    def _pictures_from(self, number: int) -> Generator[VideoFrame, None, None]:
        """Every picture from `number` on, lost ones replaced by their neighbour."""
        expected = number
        before: VideoFrame | None = None
        for at, picture in self._decoded_from(number):
            if at < expected:
                before = picture
                continue
            for lost in range(expected, at):
                self._lose(lost)
                yield before if before is not None else picture
            yield picture
            before, expected = picture, at + 1
        for lost in range(expected, len(self)):
            self._lose(lost)
            if before is None:
                raise unreadable(self.path, ValueError("no picture could be decoded"))
            yield before

    def _decoded_from(self, number: int) -> Iterator[tuple[int, VideoFrame]]:
        """Numbered pictures; the first is at or before `number` unless the film has none there.

        Decoding begins at a key before `number`. Where a picture is lost it goes on from the film's
        start, so that a damaged film too looks the same from wherever it is read.
        """
        at = number
        for picture in self._undamaged_from(number):
            yield at, picture
            at += 1
        if at < len(self):
            with Decoder(self.path) as decoder:
                yield from self._numbered(decoder)

    def _undamaged_from(self, number: int) -> Iterator[VideoFrame]:
        """Pictures from `number` on, up to shortly before the first that is lost, or none."""
        keys = self.index.keys[: bisect_right(self.index.keys, self.index.ticks[number])]
        for key in reversed(keys[-_KEYS_TRIED:]):
            begin = self._numbers[key]
            if begin == 0:
                return
            with Decoder(self.path) as decoder:
                decoder.seek(key)
                run = self._run(decoder, begin)
                head = next(run, None)
                if head is None:
                    continue
                # The last ones are held back: they may be painted from one after them that is lost.
                held: deque[VideoFrame] = deque()
                at = begin
                for at, picture in enumerate(chain([head], run), begin):
                    if at >= number:
                        held.append(picture)
                    if len(held) > _HELD_BACK:
                        yield held.popleft()
                if at == len(self) - 1:
                    yield from held
                return

    def _run(self, decoder: Decoder, begin: int) -> Iterator[VideoFrame]:
        """Pictures from `begin` on until one is missing."""
        for at, picture in self._numbered(decoder):
            if at > begin:
                return
            if at == begin:
                yield picture
                begin += 1

    def _numbered(self, decoder: Decoder) -> Iterator[tuple[int, VideoFrame]]:
        for frame in decoder.pictures():
            number = self._numbers.get(frame.pts) if frame.pts is not None else None
            if number is not None and not frame.is_corrupt:
                yield number, frame

    def _lose(self, number: int) -> None:
        self._missing.add(number)
        if len(self._missing) > max(2, MOST_DAMAGED * len(self)):
            raise FlipbookError(
                Problem(
                    f"{self.path.name}: more than {MOST_DAMAGED:.0%} of {len(self)} pictures are damaged; "
                    "get the film again, or cut the damaged part away.",
                    "file",
                    code="media.unreadable",
                )
            )

    def _array(self, picture: VideoFrame, converter: VideoReformatter) -> Frame:
        array = self._look.array(picture, converter)
        if self.rotation:
            array = np.ascontiguousarray(np.rot90(array, self.rotation // 90))
        if array.shape[:2] != (self.height, self.width):
            raise FlipbookError(
                Problem(
                    f"{self.path.name} changes size to {array.shape[1]} x {array.shape[0]} part of the way; "
                    "films of one size are read. Export it again at one size.",
                    "file",
                    code="media.size_changes",
                )
            )
        return array
