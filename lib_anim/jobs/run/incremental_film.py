"""Encode the film while frames are painted: each frame once nothing will change it."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from lib_anim.jobs.run.films import FILM, NoMore, Presentation, write_films, write_sheet
from lib_anim.jobs.run.folder import RunFolder
from lib_anim.media.contract import Frame
from lib_anim.media.pictures import read_picture


class Abandoned(Exception):
    """The run has failed: there is to be no film, not even of what is there."""


class IncrementalFilm:
    """A thread that encodes a run's film from the frames on the disk, in the order in which it shows them.

    Frames are read back from their files, so painting never waits for the encoder, a resumed run's first
    frames need nothing of their own, and memory is flat however far the encoder is behind. The film gets its
    name when it is whole. What goes wrong here ends nothing: `finish` then makes the film of the files as if
    nothing had been begun, and raises what still stands against it.
    """

    def __init__(self, folder: RunFolder, showing: Presentation, frames: int) -> None:
        """`frames` is how many the film is to have."""
        self._folder, self._showing, self._frames = folder, showing, frames
        self._settled = bytearray(frames)
        self._end: int | None = None
        self._abandoned = False
        self._told = threading.Condition()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="flipbook-film")
        self._written: Future[tuple[int, tuple[str, ...]]] | None = None

    def __enter__(self) -> IncrementalFilm:
        self._written = self._thread.submit(
            write_films, self._folder, self._showing, self._await, self._frames
        )
        return self

    def __exit__(self, *error: object) -> None:
        with self._told:
            self._abandoned = True
            self._told.notify_all()
        self._thread.shutdown()

    def settle(self, frames: Iterable[int]) -> None:
        """These frames are on the disk, and this stretch of work writes them no more."""
        with self._told:
            for frame in frames:
                if 0 <= frame < self._frames:
                    self._settled[frame] = True
            self._told.notify_all()

    def finish(self) -> tuple[Path | None, Path | None, tuple[str, ...]]:
        """(film, contact sheet, warnings) of all frames that are there; None without a frame.

        To be called when no frame is written any more. Raises what `write_films` does.
        """
        count = self._folder.frames_present()
        self._tell_end(count)
        warnings = self._grown(count)
        if not count:
            return None, None, ()
        if warnings is None:
            _, warnings = write_films(self._folder, self._showing, self._read, count)
        return self._folder.path / FILM, write_sheet(self._folder, self._read, count), warnings

    def _grown(self, count: int) -> tuple[str, ...] | None:
        """Warnings about the film that has grown; None when it is not the one of `count` frames."""
        assert self._written is not None
        try:
            used, warnings = self._written.result()
        except NoMore:
            return None
        except Exception as error:
            self._folder.log("film restarted", reason=f"{type(error).__name__}: {error}")
            return None
        return warnings if used == count else None

    def _tell_end(self, count: int) -> None:
        with self._told:
            self._end = count
            self._told.notify_all()

    def _await(self, frame: int) -> Frame:
        with self._told:
            self._told.wait_for(lambda: self._abandoned or self._end is not None or self._settled[frame])
            if self._abandoned:
                raise Abandoned
            if self._end is not None and frame >= self._end:
                raise NoMore
        return self._read(frame)

    def _read(self, frame: int) -> Frame:
        return read_picture(self._folder.frame_path(frame))
