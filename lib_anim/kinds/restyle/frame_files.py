"""Source pictures of one frame, readable in a thread while another frame is painted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from lib_anim.imaging.fit import picture_of
from lib_anim.kinds.restyle.plan import RestylePlan
from lib_anim.kinds.restyle.settings import ALPHA, PREVIOUS, VIDEO
from lib_anim.kinds.restyle.tracks import SOURCE, unit_mask_track, unit_track
from lib_anim.media.contract import Frame, FrameSource
from lib_anim.types import Fit, Picture

FITS: Mapping[str, Fit] = {"Just resize": "stretch", "Crop and resize": "crop", "Resize and fill": "fill"}


class FilePictures:
    """What the files hold for a true frame, each read when it is asked for and once.

    One thread at a time may use an object and the sources behind it.
    """

    def __init__(self, plan: RestylePlan, sources: Mapping[str, FrameSource], true: int) -> None:
        self.plan, self.true = plan, true
        self._sources = sources
        self._frames: dict[str, Frame] = {}
        self._pictures: dict[str, Picture] = {}

    def frame(self, name: str) -> Frame:
        """A source's picture as its file has it."""
        if name not in self._frames:
            self._frames[name] = self._sources[name][int(self.plan.picks[name][self.true])]
        return self._frames[name]

    def picture(self, name: str) -> Picture:
        """A source's picture at the film's size."""
        if name not in self._pictures:
            width, height = self.plan.size
            fit = FITS[self.plan.settings.resize_mode]
            sized = picture_of(self.frame(name), width, height, fit)
            self._pictures[name] = np.ascontiguousarray(sized)
        return self._pictures[name]

    def own_size(self, name: str) -> Picture:
        """A source's picture at its own size."""
        key = f"{name} at its own size"
        if key not in self._pictures:
            frame = self.frame(name)
            self._pictures[key] = picture_of(frame, frame.shape[1], frame.shape[0])
        return self._pictures[key]

    def load(self) -> FilePictures:
        """Read all that the frame is sure to need."""
        for name in _at_film_size(self.plan):
            self.picture(name)
        for one in self.plan.units:
            if unit_track(one.number) in self.plan.picks:
                self.own_size(unit_track(one.number))
            if unit_mask_track(one.number) in self.plan.picks:
                self.frame(unit_mask_track(one.number))
        return self


def _at_film_size(plan: RestylePlan) -> Iterator[str]:
    s = plan.settings
    words = [s.init, *(one.unit.image for one in plan.units)]
    if s.color_coherence != "None":
        words.append(s.color_reference)
    mixed = s.init == PREVIOUS and bool((plan.curves.numbers["previous_weight"] < 1).any())
    # Always or never, so that painting never reads a film that the reading thread has at the same time.
    if VIDEO in words or s.mask == ALPHA or mixed:
        yield SOURCE
    for name in ("init", "mask", "color_reference"):
        if name in plan.picks:
            yield name
