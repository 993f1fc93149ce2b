"""Writes frames as a folder of numbered pictures: PNG without loss, or JPEG."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from PIL import Image

from lib_anim.errors import Conflict, FlipbookError, Problem
from lib_anim.media.comment import check_length, sidecar
from lib_anim.media.contract import Frame
from lib_anim.media.formats import SEQUENCES
from lib_anim.media.pictures import checked, write_picture

JPEG_QUALITY = 95


class PictureSink:
    """A folder of pictures that grows as `NAME.part` and becomes `NAME` on close."""

    def __init__(
        self,
        path: Path,
        kind: str,
        *,
        width: int,
        height: int,
        alpha: bool,
        comment: str,
        quality: int | None,
        warnings: tuple[str, ...] = (),
    ) -> None:
        check_length(comment)
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise Conflict(
                Problem(
                    f"{path} exists and is not empty; name a new folder for the pictures.",
                    "out",
                    code="file.exists",
                )
            )
        self.path = path
        self.warnings = warnings
        self._suffix = SEQUENCES[kind]
        self._shape = (height, width, 4 if alpha else 3)
        self._comment = comment
        self._quality = JPEG_QUALITY if quality is None else quality
        self._part = path.with_name(path.name + ".part")
        self._count = 0
        self._done = False
        if self._part.exists():
            shutil.rmtree(self._part)
        self._part.mkdir(parents=True)

    def write(self, frame: Frame, text: Mapping[str, str] | None = None) -> None:
        """Append one frame. `text` goes into a PNG: the values of that frame, for example."""
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
        file = self._part / f"{self._count:06d}{self._suffix}"
        if self._suffix == ".png":
            write_picture(file, frame, text)
        else:
            # Full chroma, or flat colours bleed into each other at their borders.
            Image.fromarray(checked(frame)).save(file, quality=self._quality, subsampling=0)
        self._count += 1

    def close(self) -> Path:
        """Put the folder in place and return its path."""
        if self._done:
            return self.path
        if not self._count:
            self.abort()
            raise FlipbookError(
                Problem(
                    f"{self.path.name} would be empty: no frame was written.", "out", code="media.no_frames"
                )
            )
        if self._comment:
            sidecar(self._part).write_bytes(self._comment.encode("utf-8"))
        if self.path.is_dir():
            self.path.rmdir()
        os.replace(self._part, self.path)
        self._done = True
        return self.path

    def abort(self) -> None:
        """Leave nothing behind."""
        if not self._done:
            self._done = True
            shutil.rmtree(self._part, ignore_errors=True)

    def __enter__(self) -> PictureSink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()
