"""Colours between films and arrays: matrices, ranges and depths, tagged and converted alike both ways."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, VideoReformatter
from PIL import Image

from lib_anim.media import hdr
from lib_anim.media.contract import Frame

# Accurately rounded, chroma at full width: plain conversion there and back darkens 8-bit colours by
# 1.3 steps on average; this one by less than 0.05 (largest error 2 instead of 3).
_BILINEAR, _FULL_CHROMA_OUT, _FULL_CHROMA_IN, _ACCURATE = 2, 0x2000, 0x4000, 0x40000
_QUALITY = _BILINEAR | _FULL_CHROMA_OUT | _FULL_CHROMA_IN | _ACCURATE

BT709 = 1
"""H.273's number for BT.709 as primaries, transfer and matrix alike."""
LIMITED = 1
"""The library's number for limited (16-235) range."""
_UNSPECIFIED = 2
_MATRICES = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}
"""H.273 matrix numbers to the scaler's: BT.709, FCC, BT.601 twice, SMPTE 240M, BT.2020 twice. Plain
numbers, since the binding's names for them changed between versions."""


@dataclass(frozen=True)
class Look:
    """How a film's pictures are coded, and the way from them to uint8 RGB."""

    alpha: bool
    matrix: int
    full_range: bool
    transfer: int

    @classmethod
    def of(cls, picture: VideoFrame) -> Look:
        """Read it from the first picture. An untagged film is BT.709 from 720 lines or 1280 columns
        on, else BT.601, as players take it; range is limited unless tagged, RGB
        or a JPEG format."""
        name = picture.format.name
        matrix = int(picture.colorspace)
        if matrix not in _MATRICES:
            large = picture.height >= 720 or picture.width >= 1280
            matrix = 1 if large else 6
        rgb = picture.format.is_rgb or picture.format.has_palette
        full = rgb or int(picture.color_range) == 2 or name.startswith("yuvj")
        alpha = name.startswith(("yuva", "rgba", "bgra", "argb", "abgr", "gbrap", "ya"))
        return cls(alpha, matrix, full, int(picture.color_trc))

    @property
    def is_hdr(self) -> bool:
        """Whether the film is coded for screens brighter than standard range."""
        return self.transfer in (hdr.PQ, hdr.HLG) and not self.alpha

    def warnings(self, name: str) -> Iterator[str]:
        """What the conversion changes beyond rounding."""
        if self.is_hdr:
            kind = "PQ" if self.transfer == hdr.PQ else "HLG"
            yield f"{name} is HDR ({kind}); it is tone-mapped to standard range: highlights are compressed."

    def array(self, picture: VideoFrame, converter: VideoReformatter) -> Frame:
        """The picture as uint8 RGB (H, W, 3), or RGBA (H, W, 4) for a film with alpha."""
        deep = "rgb48le" if self.is_hdr else "rgb24"
        made = converter.reformat(
            picture,
            format="rgba" if self.alpha else deep,
            src_colorspace=_MATRICES[self.matrix],
            src_color_range=ColorRange.JPEG if self.full_range else ColorRange.MPEG,
            dst_color_range=ColorRange.JPEG,
            interpolation=_QUALITY,
        )
        array: Any = np.ascontiguousarray(made.to_ndarray())
        frame: Frame = hdr.tone_map(array, self.transfer) if self.is_hdr else array
        return frame


def picture_from(frame: Frame, converter: VideoReformatter, pixel_format: str) -> VideoFrame:
    """A frame in a codec's pixel format, BT.709 and limited range where that format is YUV."""
    # The frame's own memory, not a copy; it is read before this returns.
    source = VideoFrame.from_numpy_buffer(frame, format="rgba" if frame.shape[2] == 4 else "rgb24")
    if pixel_format.startswith("yuv"):
        made = converter.reformat(
            source,
            format=pixel_format,
            dst_colorspace=_MATRICES[BT709],
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
            interpolation=_QUALITY,
        )
    elif pixel_format == "pal8":
        made = VideoFrame.from_ndarray(_palette(frame), format="pal8")
    else:
        made = converter.reformat(source, format=pixel_format)
    return made


def _palette(frame: Frame) -> Any:
    """The frame as indices (H, W) into its own 256 colours, ARGB (256, 4); exact up to 256 colours."""
    image = Image.fromarray(frame)
    reduced = image.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    if image.getcolors(256) is None:
        reduced = image.quantize(palette=reduced, dither=Image.Dither.FLOYDSTEINBERG)
    colours = np.array(reduced.getpalette() or [], np.uint8).reshape(-1, 3)
    palette = np.full((256, 4), 255, np.uint8)
    palette[: len(colours), 1:] = colours
    return np.asarray(reduced), palette
