"""The pictures that one frame is made from, read when they are asked for and once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from lib_anim.engines.contract import ControlUnit, Mask, Picture
from lib_anim.imaging import mask as masks
from lib_anim.imaging.fit import Fit, alpha_of, picture_of
from lib_anim.imaging.tween import blend
from lib_anim.media.contract import Frame, FrameSource
from lib_anim.pipelines.restyle.plan import RestylePlan, UnitPlan
from lib_anim.pipelines.restyle.tracks import SOURCE, unit_mask_track, unit_track
from lib_anim.settings.restyle import ALPHA, FIRST, PREVIOUS, VIDEO

FITS: Mapping[str, Fit] = {"Just resize": "stretch", "Crop and resize": "crop", "Resize and fill": "fill"}


@dataclass(frozen=True, kw_only=True, eq=False)
class FrameInputs:
    """What a true frame of the film takes in."""

    plan: RestylePlan
    sources: Mapping[str, FrameSource]
    """What `needs_of` asked for, opened."""
    true: int
    previous: Picture | None
    """The frame painted before; None at the film's start."""
    first: Picture | None
    """Frame 0, painted; None while that is being made."""

    @cached_property
    def source(self) -> Picture:
        """The video's frame at the film's size."""
        return self._picture(SOURCE)

    @cached_property
    def init(self) -> Picture:
        """What is repainted."""
        choice = self.plan.settings.init
        if choice == VIDEO:
            return self.source
        if choice != PREVIOUS:
            return self._picture("init")
        share = self.plan.at("previous_weight", self.true)
        if self.previous is None or share == 0:
            return self.source
        return self.previous if share == 1 else blend(self.source, self.previous, share)

    @cached_property
    def mask(self) -> Mask | None:
        """Where it is repainted, not blurred: 1 is; None is everywhere."""
        s = self.plan.settings
        if not s.mask or (s.mask == PREVIOUS and self.previous is None):
            return None
        width, height = self.plan.size
        if s.mask == ALPHA:
            mask = alpha_of(self._frame(SOURCE), width, height, FITS[s.resize_mode])
        elif s.mask == PREVIOUS and self.previous is not None:
            mask = masks.from_luminance(self.previous)
        else:
            mask = masks.from_luminance(self._picture("mask"))
        return masks.invert(mask) if s.mask_invert else mask

    @cached_property
    def reference(self) -> Picture | None:
        """Whose colours the frame takes; None: its own."""
        s = self.plan.settings
        if s.color_coherence == "None":
            return None
        words = {FIRST: self.first, PREVIOUS: self.previous}
        if s.color_reference in words:
            return words[s.color_reference]
        return self.source if s.color_reference == VIDEO else self._picture("color_reference")

    def control(self, one: UnitPlan) -> ControlUnit:
        """A ControlNet unit with its picture of this frame."""
        unit, curves = one.unit, one.curves
        image = self._unit_picture(one)
        made = ControlUnit(
            module=curves.words["module"][self.true],
            model=curves.words["model"][self.true],
            weight=float(curves.numbers["weight"][self.true]),
            guidance_start=float(curves.numbers["guidance_start"][self.true]),
            guidance_end=float(curves.numbers["guidance_end"][self.true]),
            image=image,
            resize_mode=unit.resize_mode,
            control_mode=unit.control_mode,
            pixel_perfect=unit.pixel_perfect,
            processor_res=unit.processor_res,
            threshold_a=unit.threshold_a,
            threshold_b=unit.threshold_b,
            low_vram=unit.low_vram,
        )
        if not unit.mask:
            return made
        height, width = image.shape[:2]
        mask = picture_of(self._frame(unit_mask_track(one.number)), width, height, "stretch")
        return replace(made, mask=masks.from_luminance(mask))

    def _unit_picture(self, one: UnitPlan) -> Picture:
        choice = one.unit.image
        if choice == VIDEO:
            return self.source
        if choice == "init":
            return self.init
        if choice == PREVIOUS:
            return self.source if self.previous is None else self.previous
        frame = self._frame(unit_track(one.number))
        # At its own size: how it fills the frame is the unit's to say.
        return picture_of(frame, frame.shape[1], frame.shape[0])

    def _frame(self, name: str) -> Frame:
        return self.sources[name][int(self.plan.picks[name][self.true])]

    def _picture(self, name: str) -> Picture:
        width, height = self.plan.size
        picture = picture_of(self._frame(name), width, height, FITS[self.plan.settings.resize_mode])
        return np.ascontiguousarray(picture)
