"""Input files of keyframed animation, at the film's size per frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lib_anim.imaging import mask as masks
from lib_anim.imaging.fit import alpha_of, picture_of
from lib_anim.kinds.keyframed.settings import Keyframed
from lib_anim.kinds.needs import Need, PictureNeed, VideoNeed
from lib_anim.media.contract import Frame, FrameSource
from lib_anim.timeline.masks import MaskTerm, parse_mask
from lib_anim.timeline.schedule import parse_schedule
from lib_anim.types import Mask, Picture


def needs_of(settings: Keyframed) -> Mapping[str, Need]:
    """The files that settings name, under the names of `Inputs`' fields."""
    s = settings
    pictures = {"init": "init_image", "color_reference": "color_reference", "mask_image": "mask_image"}
    found: dict[str, Need] = {
        name: PictureNeed(path=Path(getattr(s, field)), field=field)
        for name, field in pictures.items()
        if getattr(s, field)
    }
    if s.video and s.mode == "Video Input":
        stop = None if s.video_stop == -1 else s.video_stop
        found["video"] = VideoNeed(
            path=Path(s.video), field="video", start=s.video_start, stop=stop, every=s.video_every
        )
    for name in ("mask_video", "color_video"):
        if getattr(s, name):
            found[name] = VideoNeed(path=Path(getattr(s, name)), field=name)
    for name in EXPRESSIONS:
        for term in terms_of(s, name):
            if term.kind == "file":
                found[MASK_FILE + term.value] = PictureNeed(path=Path(term.value), field=name)
    return found


def terms_of(settings: Keyframed, field: str) -> tuple[MaskTerm, ...]:
    """The masks that a schedule of mask expressions names, at any frame. Raises FlipbookError."""
    text = getattr(settings, field)
    if not text:
        return ()
    if ":" not in text:
        return parse_mask(text, field=field).terms()
    items = parse_schedule(text, field=field, strings=True, dialect=settings.dialect).items
    return tuple(term for item in items for term in parse_mask(str(item.value), field=field).terms())


MASK_NAMES = ("init", "video")
"""Names of expressions that mean the film's mask; plans refuse them where there is none."""
EXPRESSIONS = ("mask_expression", "noise_mask_expression")
MASK_FILE = "mask file "
"""In front of the path, the name under which a mask expression's file is opened."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Inputs:
    """Opened files. Frames are as the files have them; the methods bring them to the film's size."""

    init: Frame | None = None
    color_reference: Frame | None = None
    mask_image: Frame | None = None
    video: FrameSource | None = None
    mask_video: FrameSource | None = None
    color_video: FrameSource | None = None
    mask_files: Mapping[str, Frame] = field(default_factory=dict)
    """The files of mask expressions, by path."""

    @classmethod
    def of(cls, opened: Mapping[str, Any]) -> Inputs:
        """What `needs_of` asked for, opened."""
        files = {n.removeprefix(MASK_FILE): f for n, f in opened.items() if n.startswith(MASK_FILE)}
        return cls(**{n: f for n, f in opened.items() if not n.startswith(MASK_FILE)}, mask_files=files)

    def init_picture(self, s: Keyframed) -> Picture | None:
        """The init image, cut or stretched to the film's size."""
        return None if self.init is None else picture_of(self.init, s.width, s.height, s.init_fit)

    def video_picture(self, s: Keyframed, frame: int) -> Picture | None:
        """The video's frame that belongs to a frame of the film."""
        return None if self.video is None else picture_of(self.video[frame], s.width, s.height, s.init_fit)

    def reference(self, s: Keyframed, frame: int) -> Picture | None:
        """The picture or the video's frame whose colours a frame takes; None: those of frame 0."""
        if self.color_video is not None:
            index = min(frame - frame % s.color_video_every, len(self.color_video) - 1)
            return picture_of(self.color_video[index], s.width, s.height)
        return None if self.color_reference is None else picture_of(self.color_reference, s.width, s.height)

    def mask(self, s: Keyframed, frame: int, expression: str) -> Mask | None:
        """The mask of a frame, not blurred: 1 is repainted. Without an expression the film's own, if any."""
        if expression:
            return parse_mask(expression).evaluate(lambda term: self._term(s, frame, term))
        return self._plain(s, frame)

    def _plain(self, s: Keyframed, frame: int) -> Mask | None:
        """The mask without expressions. A video goes before alpha, before a picture."""
        if self.mask_video is not None:
            mask = masks.from_luminance(picture_of(self.mask_video[frame], s.width, s.height, s.init_fit))
        elif s.mask_alpha and self.init is not None:
            mask = alpha_of(self.init, s.width, s.height, s.init_fit)
        elif self.mask_image is not None:
            mask = masks.from_luminance(picture_of(self.mask_image, s.width, s.height, s.init_fit))
        else:
            return None
        mask = masks.adjust(mask, contrast=s.mask_contrast, brightness=s.mask_brightness)
        return masks.invert(mask) if s.mask_invert else mask

    def _term(self, s: Keyframed, frame: int, term: MaskTerm) -> Mask:
        if term.kind == "file":
            return masks.from_luminance(
                picture_of(self.mask_files[term.value], s.width, s.height, s.init_fit)
            )
        plain = self._plain(s, frame) if term.value in MASK_NAMES else None
        return masks.everywhere(s.height, s.width) if plain is None else plain
