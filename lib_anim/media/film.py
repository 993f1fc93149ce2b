"""Write a film frame by frame: playable while it is written, moved into place at the end."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import av.error
import numpy as np
from av.video.reformatter import VideoReformatter

from lib_anim.errors import FlipbookError, Problem
from lib_anim.media import colour
from lib_anim.media.contract import Frame
from lib_anim.media.formats import Format
from lib_anim.media.mux import Sound, finish
from lib_anim.media.pictures import checked

_LONGEST_DELAY = 1000
"""Frames that an encoder may hold back; what claims more is not a time."""


@dataclass(frozen=True, kw_only=True)
class FilmSpec:
    """What a film is to be, checked."""

    path: Path
    form: Format
    width: int
    height: int
    rate: Fraction
    alpha: bool = False
    sound: Sound | None = None
    comment: str = ""
    quality: int | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    loop: int = 0


class FilmSink:
    """A film that grows in `NAME.part` and becomes `NAME` on close."""

    def __init__(self, spec: FilmSpec, warnings: Iterable[str] = ()) -> None:
        self.path = spec.path
        self._spec = spec
        self._shape = (spec.height, spec.width, 4 if spec.alpha else 3)
        self._tick = spec.form.tick or 1 / spec.rate
        self._part = spec.path.with_name(spec.path.name + ".part")
        self._whole = spec.path.with_name(spec.path.name + ".whole.part")
        self._warnings = list(warnings)
        self._converter: Any = VideoReformatter()
        self._count = 0
        self._decoded: int | None = None
        """When the last packet is decoded, in ticks."""
        self._done = False
        self._pad = (spec.height % 2, spec.width % 2) if spec.form.even else (0, 0)
        self._container: Any = None
        try:
            spec.path.parent.mkdir(parents=True, exist_ok=True)
            url, growing = f"file:{self._part}", {**spec.form.growing, **spec.form.showing(spec.loop)}
            self._container = av.open(url, "w", format=spec.form.muxer, options=growing)
            with quiet_encoder():
                self._stream = self._make_stream()
                self._container.start_encoding()
        except (av.error.FFmpegError, OSError, ValueError) as error:
            self.abort()
            raise FlipbookError(
                Problem(f"{spec.path} cannot be written: {error}.", "out", code="file.not_writable")
            ) from error
        if any(self._pad):
            self._warnings.append(
                f"{spec.form.title} needs even sizes: {spec.width} x {spec.height} is padded to "
                f"{spec.width + self._pad[1]} x {spec.height + self._pad[0]} by repeating the edge."
            )

    def _make_stream(self) -> Any:
        form = self._spec.form
        height, width, channels = self._shape
        settings = encoder_settings(form, self._spec.quality, self._spec.options)
        stream: Any = self._container.add_stream(form.codec, rate=self._spec.rate, options=settings)
        stream.width, stream.height = width + self._pad[1], height + self._pad[0]
        stream.pix_fmt = self._pixels = form.pixels_alpha if channels == 4 else form.pixels
        context = stream.codec_context
        context.time_base = self._tick
        if self._pixels.startswith("yuv"):
            context.color_primaries = context.color_trc = context.colorspace = colour.BT709
            context.color_range = colour.LIMITED
        if form.codec_tag:
            context.codec_tag = form.codec_tag
        return stream

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(self._warnings)

    def write(self, frame: Frame) -> None:
        """Append one frame, uint8 RGB (H, W, 3), or RGBA (H, W, 4) for a film opened with alpha."""
        if self._done:
            raise FlipbookError(
                Problem(
                    f"{self.path.name} is closed; no frame can be added.", "out", code="media.sink_closed"
                )
            )
        if frame.shape != self._shape:
            raise FlipbookError(
                Problem(
                    f"a frame of shape {frame.shape} does not fit {self.path.name}: {self._shape}.",
                    "out",
                    code="media.frame_shape",
                )
            )
        array = checked(frame)
        if any(self._pad):
            array = np.pad(array, ((0, self._pad[0]), (0, self._pad[1]), (0, 0)), mode="edge")
        picture = colour.picture_from(array, self._converter, self._pixels)
        picture.pts = self._time(self._count)
        picture.time_base = self._tick
        self._count += 1
        self._mux(picture)

    def _time(self, number: int) -> int:
        """When a frame is shown, in ticks."""
        return round(number / self._spec.rate / self._tick)

    def _mux(self, picture: Any) -> None:
        try:
            for packet in self._stream.encode(picture):
                # Without it the last picture of a film, or the only one, would last no time at all.
                if not packet.duration:
                    packet.duration = round(self._last_duration() / packet.time_base)
                packet.dts = self._decoded = self._when_decoded(packet)
                self._container.mux(packet)
        except (av.error.FFmpegError, OSError) as error:
            raise FlipbookError(
                Problem(f"{self.path} cannot be written: {error}.", "out", code="file.not_writable")
            ) from error

    def _when_decoded(self, packet: Any) -> int:
        """The packet's time of decoding, mended where it cannot be.

        libx265 leaves it to chance in films shorter than its delay: it may be far off, or near and still
        after the picture is shown.
        """
        dts, pts = packet.dts, int(packet.pts)
        after = self._decoded is None or (dts is not None and dts > self._decoded)
        if dts is not None and pts - _LONGEST_DELAY <= dts <= pts and after:
            return int(dts)
        return pts if self._decoded is None else max(pts, self._decoded + 1)

    def _last_duration(self) -> Fraction:
        """Seconds that the frame written last is shown, so that the film's end falls on its tick."""
        return (self._time(self._count) - self._time(self._count - 1)) * self._tick

    def close(self) -> Path:
        """Finish the film, add its sound, put it in place and return its path.

        Raises FlipbookError when that fails; the pictures then stay in `NAME.part`.
        """
        if self._done:
            return self.path
        if not self._count:
            self.abort()
            raise FlipbookError(
                Problem(
                    f"{self.path.name} would be empty: no frame was written.", "out", code="media.no_frames"
                )
            )
        try:
            self._mux(None)
            self._container.close()
            self._warnings += finish(
                self._part,
                self._whole,
                self._spec.form,
                length=self._count / self._spec.rate,
                sound=self._spec.sound,
                comment=self._spec.comment,
            )
            os.replace(self._whole, self.path)
        except (av.error.FFmpegError, OSError, FlipbookError) as error:
            # The pictures took long to make: they stay where they are.
            self._whole.unlink(missing_ok=True)
            said = str(error).rstrip(".")
            kept = (
                f"{self.path.name} could not be finished: {said}. Its pictures are kept in {self._part.name}."
            )
            raise FlipbookError(Problem(kept, "out", code="file.not_writable")) from error
        finally:
            self._done = True
            self._release()
        self._part.unlink(missing_ok=True)
        return self.path

    def abort(self) -> None:
        """Leave nothing behind. What stood under the film's name before stays."""
        if self._done:
            return
        self._done = True
        # What is thrown away need not be finished properly: a full disk must not hide the first error.
        with suppress(av.error.FFmpegError, OSError, ValueError):
            if self._container is not None:
                self._container.close()
        self._release()
        self._part.unlink(missing_ok=True)
        self._whole.unlink(missing_ok=True)

    def _release(self) -> None:
        """Let go of encoder and converter, whose threads an error's traceback would keep alive."""
        self._container = self._stream = self._converter = None

    def __enter__(self) -> FilmSink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()


def encoder_settings(form: Format, quality: int | None, options: Mapping[str, str]) -> dict[str, str]:
    """The encoder's options: the format's own, its quality, and the caller's over both."""
    settings = dict(form.options)
    if form.quality is not None:
        chosen = form.quality.default if quality is None else quality
        if chosen is not None:
            settings[form.quality.option] = str(chosen)
        if quality is not None:
            settings.update(form.quality.lossy)
    return {**settings, **options}


@contextmanager
def quiet_encoder() -> Iterator[None]:
    """Keep the AV1 encoder from printing its banner; the environment is as before afterwards."""
    before = os.environ.get("SVT_LOG")
    os.environ["SVT_LOG"] = "-1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["SVT_LOG"]
        else:
            os.environ["SVT_LOG"] = before
