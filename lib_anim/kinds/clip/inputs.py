"""Input files of a clip, at the film's size per frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lib_anim.imaging import mask as masks
from lib_anim.imaging.fit import picture_of
from lib_anim.kinds.clip.settings import Clip
from lib_anim.kinds.needs import Need, PictureNeed, VideoNeed
from lib_anim.media.contract import Frame, FrameSource
from lib_anim.types import Mask, Picture

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
"""Endings of a mask that is one picture for all frames."""

SCALE_MASK, EFFECT_MASK = "motion_scale_mask", "motion_effect_mask"


def needs_of(settings: Clip) -> Mapping[str, Need]:
    """The files that settings name, under the names of `ClipInputs`' fields."""
    s = settings
    pictures = {
        "init": "init_image",
        "last": "last_frame",
        "scale_mask": SCALE_MASK,
        "effect_mask": EFFECT_MASK,
    }
    found: dict[str, Need] = {
        name: PictureNeed(path=Path(getattr(s, field)), field=field)
        for name, field in pictures.items()
        if getattr(s, field)
    }
    if s.video:
        found["video"] = VideoNeed(
            path=Path(s.video),
            field="video_path" if s.video_path else "video_source",
            start=s.video_start,
            stop=None if s.video_stop == -1 else s.video_stop,
            every=s.video_every,
        )
    if s.mask_path:
        path = Path(s.mask_path)
        if path.suffix.lower() in PICTURES:
            found["mask"] = PictureNeed(path=path, field="mask_path")
        else:
            found["mask_video"] = VideoNeed(path=path, field="mask_path")
    return found


@dataclass(frozen=True, kw_only=True, eq=False)
class ClipInputs:
    """Opened files. Frames are as the files have them; the methods bring them to the film's size."""

    init: Frame | None = None
    last: Frame | None = None
    video: FrameSource | None = None
    mask: Frame | None = None
    mask_video: FrameSource | None = None
    scale_mask: Frame | None = None
    effect_mask: Frame | None = None

    def init_picture(self, s: Clip, frame: int) -> Picture | None:
        """What a frame starts from: the video's frame of its number, or the init image."""
        if self.video is not None:
            found = self.video[min(frame, len(self.video) - 1)]
        elif self.init is not None:
            found = self.init
        else:
            return None
        return picture_of(found, s.width, s.height, s.init_fit)

    def last_picture(self, s: Clip) -> Picture | None:
        """The picture that the clip ends with."""
        return None if self.last is None else picture_of(self.last, s.width, s.height, s.init_fit)

    def mask_picture(self, s: Clip, frame: int) -> Mask | None:
        """A frame's mask, not blurred: 1 is repainted."""
        if self.mask_video is not None:
            found = self.mask_video[min(frame, len(self.mask_video) - 1)]
        elif self.mask is not None:
            found = self.mask
        else:
            return None
        mask = masks.from_luminance(picture_of(found, s.width, s.height, s.init_fit))
        return masks.invert(mask) if s.mask_invert else mask

    def strength_mask(self, s: Clip, frame: Frame | None) -> Mask | None:
        """A mask of the motion's scale or effect, at the film's size."""
        if frame is None:
            return None
        return masks.from_luminance(picture_of(frame, s.width, s.height, s.init_fit))
