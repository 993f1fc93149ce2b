"""Reads GIF, animated WebP and APNG: pictures composed as a browser shows them, each with its time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from lib_anim.media.container import check_size, unreadable
from lib_anim.media.contract import Frame
from lib_anim.media.pictures import has_alpha, open_picture, picture_array, upright_size
from lib_anim.media.rates import grid

_NO_DELAY = Fraction(1, 10)
"""Seconds that browsers show a picture whose file says 0."""
_TICKS = {"GIF": Fraction(1, 100), "WEBP": Fraction(1, 1000), "PNG": Fraction(1, 1000)}


class AnimationReader:
    """The pictures of an animation. A file with one picture is an animation of one."""

    audio = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lost = 0
        self._image: Image.Image | None = None
        with open_picture(path) as image:
            self.width, self.height = upright_size(image)
            self.codec = (image.format or "").lower()
            tick = _TICKS.get(image.format or "", Fraction(1, 1000))
            delays, self.alpha = self._look(image)
        starts = [Fraction(0)]
        for delay in delays:
            starts.append(starts[-1] + delay)
        fine = Fraction(1, 100_000)
        self.rate, self.slots = grid([round(s / fine) for s in starts[:-1]], fine, starts[-1], (), tick)
        self.variable = not np.array_equal(self.slots, np.arange(len(delays)))
        self._count = len(delays)
        self.timed = len(delays) > 1 or delays[0] != _NO_DELAY
        """Whether the file says how long its pictures last; a still picture does not."""

    def _look(self, image: Image.Image) -> tuple[list[Fraction], bool]:
        """How long each picture lasts, and whether any is transparent somewhere."""
        delays: list[Fraction] = []
        alpha = False
        count = getattr(image, "n_frames", 1)
        check_size(self.path, image.width, image.height, count)
        for number in range(count):
            try:
                image.seek(number)
                image.load()
            except (OSError, ValueError, EOFError, SyntaxError) as error:
                self._lost = count - number
                if not delays:
                    raise unreadable(self.path, error) from error
                break
            if not alpha and has_alpha(image):
                alpha = bool((picture_array(image, self.path, True)[..., 3] < 255).any())
            delay = Fraction(image.info.get("duration", 0)).limit_denominator(100_000) / 1000
            delays.append(delay if delay > 0 else _NO_DELAY)
        return delays, alpha

    def __len__(self) -> int:
        return self._count

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was left out or resampled."""
        found = []
        if self._lost:
            found.append(f"{self.path.name}: its last {self._lost} pictures are damaged and left out.")
        if self.variable:
            found.append(
                f"{self.path.name} shows its pictures for different times; it is read by time "
                f"at {self.rate} frames per second."
            )
        return tuple(found)

    def frames_at(self, numbers: Iterable[int]) -> Iterator[Frame]:
        """The pictures of these ascending numbers, composed from the first."""
        with open_picture(self.path) as image:
            for number in numbers:
                yield self._composed(image, number)

    def read(self, number: int) -> Frame:
        """One picture; reading on in order does not start over."""
        # Pillow seeks backwards in an APNG with errors: it is reopened instead.
        if self._image is not None and number < self._image.tell():
            self.close()
        if self._image is None:
            self._image = open_picture(self.path)
        return self._composed(self._image, number)

    def _composed(self, image: Image.Image, number: int) -> Frame:
        try:
            image.seek(number)
        except (OSError, ValueError, EOFError, SyntaxError) as error:
            raise unreadable(self.path, error) from error
        return picture_array(image, self.path, self.alpha)

    def close(self) -> None:
        """Let go of the file. Reading again opens it again."""
        if self._image is not None:
            self._image.close()
            self._image = None
