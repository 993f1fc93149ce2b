"""The pictures that one frame is made from: those of files and those that were painted before it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from lib_anim.engines.contract.requests import ControlUnit
from lib_anim.imaging import mask as masks
from lib_anim.imaging.fit import alpha_of, picture_of
from lib_anim.imaging.tween import blend
from lib_anim.kinds.restyle.frame_files import FITS, FilePictures
from lib_anim.kinds.restyle.plan import RestylePlan, UnitPlan
from lib_anim.kinds.restyle.settings import ALPHA, FIRST, PREVIOUS, VIDEO
from lib_anim.kinds.restyle.tracks import SOURCE, unit_mask_track, unit_track
from lib_anim.types import Mask, Picture


@dataclass(frozen=True, kw_only=True, eq=False)
class FrameInputs:
    """What a true frame of the film takes in."""

    files: FilePictures
    previous: Picture | None
    """The frame painted before; None at the film's start."""
    first: Picture | None
    """Frame 0, painted; None while that is being made."""

    @property
    def plan(self) -> RestylePlan:
        return self.files.plan

    @property
    def true(self) -> int:
        """The whole film's number of the frame."""
        return self.files.true

    @cached_property
    def source(self) -> Picture:
        """The video's frame at the film's size."""
        return self.files.picture(SOURCE)

    @cached_property
    def init(self) -> Picture:
        """What is repainted."""
        choice = self.plan.settings.init
        if choice == VIDEO:
            return self.source
        if choice != PREVIOUS:
            return self.files.picture("init")
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
            mask = alpha_of(self.files.frame(SOURCE), width, height, FITS[s.resize_mode])
        elif s.mask == PREVIOUS and self.previous is not None:
            mask = masks.from_luminance(self.previous)
        else:
            mask = masks.from_luminance(self.files.picture("mask"))
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
        return self.source if s.color_reference == VIDEO else self.files.picture("color_reference")

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
        mask = picture_of(self.files.frame(unit_mask_track(one.number)), width, height, "stretch")
        return replace(made, mask=masks.from_luminance(mask))

    def _unit_picture(self, one: UnitPlan) -> Picture:
        choice = one.unit.image
        if choice == VIDEO:
            return self.source
        if choice == "init":
            return self.init
        if choice == PREVIOUS:
            return self.source if self.previous is None else self.previous
        # At its own size: how it fills the frame is the unit's to say.
        return self.files.own_size(unit_track(one.number))
