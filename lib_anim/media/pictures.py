"""Still pictures: one file to one array and back, and folders of them in natural order."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, PngImagePlugin, UnidentifiedImageError

from lib_anim.errors import FlipbookError, NotFound, Problem
from lib_anim.media.container import check_size, local_file, unreadable
from lib_anim.media.contract import Frame

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
"""Endings of the files that count as frames in a folder."""

_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")
_ALPHA_MODES = ("RGBA", "LA", "PA", "RGBa", "La")
_ORIENTATION = 0x0112
_EXIF, _USER_COMMENT = 0x8769, 0x9286
_MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*")


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key that puts frame2 before frame10 and ignores case."""
    parts = re.split(r"([0-9]+)", name.casefold())
    # The name itself comes last, so that 2 and 02 still have a fixed order.
    return *((0, int(p), "") if p.isdecimal() else (1, 0, p) for p in parts), (2, 0, name)


def read_picture(path: Path | str) -> Frame:
    """Read a picture as uint8 RGB (H, W, 3), or RGBA (H, W, 4) when it has transparency.

    EXIF orientation is applied. 16-bit grey is scaled to 8 bits. Of an animation the first frame is
    read. Raises NotFound or FlipbookError naming the file.
    """
    file = local_file(path)
    with open_picture(file) as image:
        return picture_array(image, file)


def open_picture(file: Path) -> Image.Image:
    """Open a picture's header with its size checked. The caller closes it. Raises FlipbookError."""
    try:
        image = Image.open(file, formats=_FORMATS)
    except Image.DecompressionBombError as error:
        raise FlipbookError(
            Problem(
                f"{file.name} is too large: {error}. Scale it down first.", "file", code="media.too_large"
            )
        ) from error
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise unreadable(file, error) from error
    check_size(file, image.width, image.height)
    return image


def picture_array(image: Image.Image, file: Path, alpha: bool | None = None) -> Frame:
    """The current frame of an open picture as uint8 RGB or RGBA; `alpha` forces which.

    Raises FlipbookError naming `file` when its data is damaged.
    """
    want_alpha = has_alpha(image) if alpha is None else alpha
    try:
        upright = ImageOps.exif_transpose(image) or image
        if upright.mode.startswith("I;16") or upright.mode == "I":
            grey = np.asarray(upright).astype(np.float64) / 257.0
            upright = Image.fromarray(np.clip(np.rint(grey), 0, 255).astype(np.uint8))
        array = np.array(upright.convert("RGBA" if want_alpha else "RGB"))
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise unreadable(file, error) from error
    return array


def has_alpha(image: Image.Image) -> bool:
    """Whether an open picture carries transparency, from its header."""
    return image.mode in _ALPHA_MODES or "transparency" in image.info


def is_picture(file: Path) -> bool:
    """Whether a file begins like a picture, moving or still, rather than a film or sound."""
    with file.open("rb") as data:
        head = data.read(12)
    return head.startswith(_MAGIC) or (head[:4] == b"RIFF" and head[8:] == b"WEBP")


def _exif(image: Image.Image) -> Image.Exif:
    """A picture's EXIF; a PNG's is read past its pixels. Raises FlipbookError for what is damaged there."""
    try:
        return image.getexif()
    except (OSError, ValueError, SyntaxError) as error:
        raise unreadable(Path(getattr(image, "filename", "picture")), error) from error


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Width and height after EXIF orientation."""
    sideways = _exif(image).get(_ORIENTATION, 1) in (5, 6, 7, 8)
    return (image.height, image.width) if sideways else (image.width, image.height)


def write_picture(path: Path | str, frame: Frame, text: Mapping[str, str] | None = None) -> Path:
    """Write a PNG in place of `path`, in one step: a reader sees the old file or the new one whole.

    `frame` is uint8 RGB (H, W, 3) or RGBA (H, W, 4). `text` becomes the PNG's text entries, UTF-8.
    """
    target = Path(path)
    info = PngImagePlugin.PngInfo()
    for key, value in (text or {}).items():
        info.add_itxt(key, value)
    part = target.with_name(target.name + ".part")
    try:
        with part.open("wb") as file:
            # Level 1 halves the time of level 6 and costs a few per cent of size.
            Image.fromarray(checked(frame)).save(file, format="PNG", pnginfo=info, compress_level=1)
        os.replace(part, target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return target


def read_text(path: Path | str) -> dict[str, str]:
    """The text entries of a picture, such as `write_picture` wrote them. Raises NotFound, FlipbookError."""
    file = local_file(path)
    with open_picture(file) as image:
        try:
            image.load()
            entries = {**image.info, **getattr(image, "text", {})}
        except (OSError, ValueError, SyntaxError) as error:
            # Text may stand after the picture, and be packed so that it unpacks to a gigabyte.
            raise unreadable(file, error) from error
    return {str(key): str(value) for key, value in entries.items() if isinstance(value, str)}


def read_parameters(path: Path | str) -> str:
    """What a picture says about how it was made, as the WebUI writes it; empty where it does not.

    PNG keeps it as `parameters`, JPEG and WebP as EXIF's user comment. Only the header is read. Raises
    NotFound or FlipbookError.
    """
    with open_picture(local_file(path)) as image:
        text = image.info.get("parameters")
        if isinstance(text, str):
            return text
        comment = _exif(image).get_ifd(_EXIF).get(_USER_COMMENT, b"")
    return _user_comment(comment) if isinstance(comment, bytes) else str(comment)


def _user_comment(data: bytes) -> str:
    """EXIF's user comment: eight bytes name the encoding (Exif 2.3, section 4.6.5)."""
    head, body = data[:8], data[8:]
    if head == b"UNICODE\0":
        return body.decode("utf-16-be", "replace")
    return body.decode("utf-8", "replace") if head in (b"ASCII\0\0\0", bytes(8)) else ""


def checked(frame: Frame) -> Frame:
    """The same frame, contiguous. Raises FlipbookError when it is not an uint8 RGB or RGBA picture."""
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] not in (3, 4) or 0 in frame.shape:
        raise FlipbookError(
            f"A frame must be uint8 with shape (height, width, 3 or 4), not {frame.dtype} {frame.shape}."
        )
    return np.ascontiguousarray(frame)


class PictureFolder:
    """The pictures of a folder in natural order, read one at a time.

    All must have one size, else FlipbookError names the first that differs. When one has
    transparency, all are read as RGBA.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise NotFound(
                Problem(
                    f"{folder} does not exist; check the name of the folder.", "file", code="file.not_found"
                )
            )
        found = [f for f in folder.iterdir() if f.suffix.lower() in SUFFIXES and f.is_file()]
        # macOS writes dotfiles next to real pictures.
        self.files = sorted(
            (f for f in found if not f.name.startswith(".")), key=lambda f: natural_key(f.name)
        )
        if not self.files:
            raise FlipbookError(
                Problem(
                    f"{folder} holds no pictures; it needs files ending in {', '.join(SUFFIXES)}.",
                    "file",
                    code="media.no_frames",
                )
            )
        self._look()

    def _look(self) -> None:
        check_size(self.files[0].parent, 1, 1, len(self.files))
        self.alpha = False
        self.width = self.height = 0
        for file in self.files:
            with open_picture(file) as image:
                size = upright_size(image)
                self.alpha = self.alpha or has_alpha(image)
            if not self.width:
                self.width, self.height = size
            if size != (self.width, self.height):
                raise FlipbookError(
                    Problem(
                        f"{file.name} is {size[0]} x {size[1]} but {self.files[0].name} is "
                        f"{self.width} x {self.height}; all pictures of a film need one size.",
                        "file",
                        code="media.mixed_sizes",
                    )
                )

    def __len__(self) -> int:
        return len(self.files)

    def frames_at(self, numbers: Iterable[int]) -> Iterator[Frame]:
        """The pictures of these numbers."""
        for number in numbers:
            yield self.read(number)

    def read(self, number: int) -> Frame:
        """The picture of that number."""
        file = self.files[number]
        with open_picture(file) as image:
            return picture_array(image, file, self.alpha)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Pictures are read whole or not at all, so there is nothing to say."""
        return ()

    def close(self) -> None:
        """Nothing is held open between two pictures."""
