"""Contact sheets: many frames on one picture, labelled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lib_anim.errors import FlipbookError, Problem
from lib_anim.media.contract import Frame
from lib_anim.media.pictures import checked

_GAP = 4
_LABEL = 14
_PAPER = (24, 24, 24)
_INK = (230, 230, 230)


def contact_sheet(
    frames: Sequence[Frame], columns: int, labels: Sequence[str] = (), width: int | None = None
) -> Frame:
    """Frames in reading order on one uint8 RGB picture, `columns` to a row, a label under each.

    `width` scales each frame to that many pixels across, keeping its shape; None keeps its size.
    Transparent frames are laid on the paper. Raises FlipbookError when there are no frames or the
    labels do not match them.
    """
    if not frames or columns < 1:
        raise FlipbookError(
            Problem(
                "a contact sheet needs at least one frame and one column.", "sheet", code="media.bad_sheet"
            )
        )
    if labels and len(labels) != len(frames):
        raise FlipbookError(
            Problem(
                f"{len(labels)} labels do not match {len(frames)} frames.", "labels", code="media.bad_sheet"
            )
        )
    tiles = [_tile(frame, width) for frame in frames]
    wide, high = max(t.width for t in tiles), max(t.height for t in tiles)
    step = high + _GAP + (_LABEL if labels else 0)
    columns = min(columns, len(tiles))
    rows = -(-len(tiles) // columns)
    sheet = Image.new("RGB", (columns * (wide + _GAP) + _GAP, rows * step + _GAP), _PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default()
    for number, tile in enumerate(tiles):
        x, y = _GAP + number % columns * (wide + _GAP), _GAP + number // columns * step
        sheet.paste(tile, (x, y), tile if tile.mode == "RGBA" else None)
        if labels:
            draw.text((x, y + high + 1), _fitted(labels[number], wide, font), fill=_INK, font=font)
    return np.array(sheet)


def _tile(frame: Frame, width: int | None) -> Image.Image:
    image = Image.fromarray(checked(frame))
    if width is None or width == image.width:
        return image
    return image.resize((width, max(1, round(image.height * width / image.width))), Image.Resampling.BOX)


def _fitted(label: str, wide: int, font: ImageFont.ImageFont | ImageFont.FreeTypeFont) -> str:
    """The label, shortened with an ellipsis to the width of its frame."""
    if not isinstance(font, ImageFont.FreeTypeFont):
        # Pillow before 10.1, or built without FreeType: its font knows Latin-1 only.
        label = label.encode("latin-1", "replace").decode("latin-1")
    if font.getlength(label) <= wide:
        return label
    while label and font.getlength(label + "...") > wide:
        label = label[:-1]
    return label + "..."


def sheet_frames(frames: int, most: int = 16) -> list[int]:
    """Indices of the frames a sheet shows: all of them, or `most`, evenly spread with first and last."""
    if frames <= most:
        return list(range(frames))
    return [round(i * (frames - 1) / (most - 1)) for i in range(most)]
