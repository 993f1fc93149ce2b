"""Sample a picture at float sub-pixel positions, with a rule per border mode."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from lib_anim.errors import FlipbookError, Problem
from lib_anim.types import Border

Interpolation = Literal["linear", "nearest"]
"""No cubic: OpenCV's and torch's kernel (a = -0.75) does not reproduce a ramp, so a drifting camera drifts
1.36 times too far with it (measured: 300 loops of +0.1 px move 40.8 px instead of 30)."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class BorderRule:
    """How both samplers read outside the picture."""

    opencv: int
    """OpenCV's border flag."""
    padding: Literal["border", "reflection"]
    """`padding_mode` of torch's grid_sample."""
    periodic: bool = False
    """Whether positions are reduced modulo the picture's size first: grid_sample has no such mode."""


BORDERS: dict[Border, BorderRule] = {
    "replicate": BorderRule(cv2.BORDER_REPLICATE, "border"),
    "wrap": BorderRule(cv2.BORDER_WRAP, "border", periodic=True),
    "reflect": BorderRule(cv2.BORDER_REFLECT, "reflection"),
}
"""One record per border: the only place that says how it is sampled."""


def border_rule(border: Border) -> BorderRule:
    """The rule of a border. Raises FlipbookError for a border without one, before anything is sampled."""
    rule = BORDERS.get(border)
    if rule is None:
        sentence = f'"{border}" is not a border mode; there are {", ".join(BORDERS)}'
        raise FlipbookError(Problem(sentence, field="border", code="border.unknown"))
    return rule


INTERPOLATIONS: dict[Interpolation, int] = {"linear": cv2.INTER_LINEAR, "nearest": cv2.INTER_NEAREST}


@cache
def opencv_is_exact() -> bool:
    """Whether this OpenCV interpolates at the position asked for.

    OpenCV 4 rounds positions to 1/32 px, so 300 loops of +0.1 px move 28.1 px instead of 30; OpenCV 5 does
    not round for one, three and four float32 channels. Asked of the library, not of its version.
    """
    ramp = np.repeat(np.arange(16, dtype=np.float32)[None, :, None], 3, axis=2).repeat(16, axis=0)
    shift = np.array([[1.0, 0.0, 0.01], [0.0, 1.0, 0.0]])
    moved = cv2.warpAffine(ramp, shift, (16, 16), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return bool(abs(float(moved[8, 8, 0]) - 7.99) < 1e-4)


def sample(
    picture: Floats,
    x: Floats,
    y: Floats,
    border: Border = "replicate",
    interpolation: Interpolation = "linear",
) -> Floats:
    """Return the picture's values at columns `x` and rows `y`.

    `picture` is float32 (H, W) or (H, W, C); `x` and `y` are (h, w), pixels, origin at the centre of the top
    left pixel; the result is (h, w) or (h, w, C). Positions may lie anywhere; the argument is not changed.
    Linear interpolation uses the positions at float precision under every OpenCV.
    """
    x, y = np.asarray(x, np.float32), np.asarray(y, np.float32)
    channels = 1 if picture.ndim == 2 else picture.shape[2]
    if interpolation == "nearest" or (opencv_is_exact() and channels in (1, 3, 4)):
        flag = border_rule(border).opencv
        found: Any = cv2.remap(picture, x, y, INTERPOLATIONS[interpolation], borderMode=flag)
        return np.asarray(found.reshape(x.shape + picture.shape[2:]), np.float32)
    return sample_with_torch(picture, x, y, border)


def sample_with_torch(picture: Floats, x: Floats, y: Floats, border: Border = "replicate") -> Floats:
    """Do what `sample` does, linearly, by torch's grid_sample: for an OpenCV that rounds positions.

    Slower than OpenCV 4's own rounding call by a factor of two to three.
    """
    import torch  # costs a second to import, and is needed under OpenCV 4 only

    planes = picture.reshape(*picture.shape[:2], -1)
    height, width = planes.shape[:2]
    rule = border_rule(border)
    if rule.periodic:
        planes = np.concatenate([planes, planes[:1]])
        planes = np.concatenate([planes, planes[:, :1]], axis=1)
        x, y = x - width * np.floor(x / width), y - height * np.floor(y / height)
    # align_corners=False: -1 and 1 are the outer edges of the first and last pixel
    grid = np.stack(
        [(2 * x + 1) / np.float32(planes.shape[1]) - 1, (2 * y + 1) / np.float32(planes.shape[0]) - 1],
        axis=-1,
    )
    source = torch.from_numpy(np.ascontiguousarray(planes.transpose(2, 0, 1)))[None]
    found = torch.nn.functional.grid_sample(
        source, torch.from_numpy(grid)[None], mode="bilinear", padding_mode=rule.padding, align_corners=False
    )
    values: Floats = np.ascontiguousarray(found[0].numpy().transpose(1, 2, 0))
    return values.reshape(x.shape + picture.shape[2:])
