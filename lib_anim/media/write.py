"""Writes films frame by frame: playable while they grow, put in place whole at the end."""

from __future__ import annotations

import os
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
from lib_anim.media.contract import Frame, FrameSink
from lib_anim.media.formats import Format, find_format
from lib_anim.media.mux import Sound, finish
from lib_anim.media.pictures import checked
from lib_anim.media.rates import parse_rate


class FilmSink:
    """A film that grows in `NAME.part` and becomes `NAME` on close."""

    def __init__(
        self,
        path: Path,
        form: Format,
        *,
        width: int,
        height: int,
        rate: Fraction,
        alpha: bool,
        sound: Sound | None,
        comment: str,
        quality: int | None,
        options: dict[str, str],
    ) -> None:
        self.path = path
        self.form = form
        self._shape = (height, width, 4 if alpha else 3)
        self._rate = rate
        self._sound = sound
        self._comment = comment
        self._part = path.with_name(path.name + ".part")
        self._whole = path.with_name(path.name + ".whole.part")
        self._warnings: list[str] = []
        self._converter = VideoReformatter()
        self._count = 0
        self._done = False
        self._pad = (height % 2, width % 2) if form.even else (0, 0)
        self._container: Any = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._container = av.open(
                f"file:{self._part}", "w", format=form.muxer, options=dict(form.growing)
            )
            self._stream = self._make_stream(quality, options)
            self._container.start_encoding()
        except (av.error.FFmpegError, OSError, ValueError) as error:
            self.abort()
            raise FlipbookError(Problem(f"{path} cannot be written: {error}.", "out")) from error
        if any(self._pad):
            self._warnings.append(
                f"{form.title} needs even sizes: {width} x {height} is padded to "
                f"{width + self._pad[1]} x {height + self._pad[0]} by repeating the last row or column."
            )

    def _make_stream(self, quality: int | None, options: dict[str, str]) -> Any:
        form = self.form
        height, width, channels = self._shape
        settings = {**form.options, **options}
        if form.quality is not None:
            settings[form.quality[0]] = str(form.quality[3] if quality is None else quality)
        stream: Any = self._container.add_stream(form.codec, rate=self._rate, options=settings)
        stream.width, stream.height = width + self._pad[1], height + self._pad[0]
        stream.pix_fmt = self._pixels = form.pixels_alpha if channels == 4 else form.pixels
        context = stream.codec_context
        context.time_base = 1 / self._rate
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
            raise FlipbookError(Problem(f"{self.path.name} is closed; no frame can be added.", "out"))
        if frame.shape != self._shape:
            raise FlipbookError(
                Problem(
                    f"a frame of shape {frame.shape} does not fit {self.path.name}: {self._shape}.",
                    "out",
                )
            )
        array = checked(frame)
        if any(self._pad):
            array = np.pad(array, ((0, self._pad[0]), (0, self._pad[1]), (0, 0)), mode="edge")
        picture = colour.picture_from(array, self._converter, self._pixels)
        picture.pts = self._count
        picture.time_base = 1 / self._rate
        self._count += 1
        self._mux(picture)

    def _mux(self, picture: Any) -> None:
        try:
            for packet in self._stream.encode(picture):
                # Without it the last picture of a film, or the only one, would last no time at all.
                if not packet.duration:
                    packet.duration = round(1 / self._rate / packet.time_base)
                self._container.mux(packet)
        except (av.error.FFmpegError, OSError) as error:
            raise FlipbookError(Problem(f"{self.path} cannot be written: {error}.", "out")) from error

    def close(self) -> Path:
        """Finish the film, add its sound, put it in place and return its path."""
        if self._done:
            return self.path
        if not self._count:
            self.abort()
            raise FlipbookError(Problem(f"{self.path.name} would be empty: no frame was written.", "out"))
        try:
            self._mux(None)
            self._container.close()
            self._warnings += finish(
                self._part,
                self._whole,
                self.form,
                length=self._count / self._rate,
                rate=self._rate,
                sound=self._sound,
                comment=self._comment,
            )
            os.replace(self._whole, self.path)
        except (av.error.FFmpegError, OSError) as error:
            self.abort()
            raise FlipbookError(Problem(f"{self.path} cannot be written: {error}.", "out")) from error
        except BaseException:
            self.abort()
            raise
        self._done = True
        self._part.unlink(missing_ok=True)
        return self.path

    def abort(self) -> None:
        """Leave nothing behind. What stood under the film's name before stays."""
        if self._done:
            return
        self._done = True
        try:
            if self._container is not None:
                self._container.close()
        finally:
            self._part.unlink(missing_ok=True)
            self._whole.unlink(missing_ok=True)

    def __enter__(self) -> FilmSink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()


def open_sink(
    path: Path | str,
    *,
    width: int,
    height: int,
    rate: Fraction | int | float | str,
    alpha: bool = False,
    audio: Path | str | Sound | None = None,
    comment: str = "",
    format: str | None = None,
    quality: int | None = None,
    options: dict[str, str] | None = None,
) -> FrameSink:
    """Open a film for writing. The path's ending chooses the format unless `format` names one.

    `rate` is in frames per second; `alpha` takes RGBA frames. `audio` is a sound file, a film whose
    sound is taken, or a `Sound` with trim, offset and fades; it lasts no longer than the film.
    `comment` is text kept in the file, settings as JSON for example. `quality` is the encoder's own
    number (crf); None takes the format's default. `options` go to the encoder.
    Raises FlipbookError naming the argument.
    """
    place = Path(path).absolute()
    form = find_format(place, format)
    if alpha and not form.pixels_alpha:
        raise FlipbookError(
            Problem(f"{form.title} carries no transparency; choose another format.", "format")
        )
    if quality is not None and form.quality is not None:
        _, best, worst, _ = form.quality
        if not min(best, worst) <= quality <= max(best, worst):
            raise FlipbookError(
                Problem(f"{quality} is out of range; {form.title} takes {best} to {worst}.", "quality")
            )
    sound = Sound(Path(audio)) if isinstance(audio, (str, Path)) else audio
    return FilmSink(
        place,
        form,
        width=width,
        height=height,
        rate=parse_rate(rate),
        alpha=alpha,
        sound=sound,
        comment=comment,
        quality=quality,
        options=options or {},
    )
