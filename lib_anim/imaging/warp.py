"""The flat camera: matrices of Deforum's 2D motion and perspective flip, and the warp by a matrix."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lib_anim.errors import FlipbookError, Problem
from lib_anim.imaging.sample import (
    INTERPOLATIONS,
    Floats,
    Interpolation,
    border_rule,
    opencv_is_exact,
    sample,
)
from lib_anim.types import Border

Matrix = NDArray[np.float64]
"""3×3, source → destination pixels, homogeneous columns (x, y, 1), origin at the top left pixel's centre."""


def affine_matrix(
    width: int,
    height: int,
    *,
    angle_deg: float,
    zoom: float,
    translation_x: float,
    translation_y: float,
    center_x: float = 0.5,
    center_y: float = 0.5,
) -> Matrix:
    """Return one frame's step of the 2D camera, exactly as Deforum moves it: R · T.

    T shifts by (translation_x, translation_y) pixels, right and down; R then turns by `angle_deg`
    (positive: counter-clockwise as seen) and scales by `zoom` about (width · center_x, height · center_y).
    The pixel-centre origin makes the default centre half a pixel right of and below the middle, as there.
    Raises FlipbookError for a zoom of 0 and for values that are not finite.
    """
    _require_finite(
        angle=angle_deg,
        zoom=zoom,
        translation_x=translation_x,
        translation_y=translation_y,
        center_x=center_x,
        center_y=center_y,
    )
    if zoom == 0:
        raise FlipbookError(
            Problem(
                "is 0 in this frame, which shrinks the picture to a point; 1 leaves the size alone",
                "zoom",
                code="camera.out_of_range",
            )
        )
    cos, sin = zoom * math.cos(math.radians(angle_deg)), zoom * math.sin(math.radians(angle_deg))
    px, py = width * center_x, height * center_y
    # y points down, so a turn that is counter-clockwise as seen has +sin in the first row
    rotation = np.array(
        [[cos, sin, px - cos * px - sin * py], [-sin, cos, py + sin * px - cos * py], [0, 0, 1.0]]
    )
    shift = np.array([[1.0, 0, translation_x], [0, 1.0, translation_y], [0, 0, 1.0]])
    return np.asarray(rotation @ shift, np.float64)


def flip_matrix(
    width: int, height: int, *, theta: float = 0.0, phi: float = 0.0, gamma: float = 0.0, fov: float = 53.0
) -> Matrix:
    """Return the homography of Deforum's perspective flip: the picture as a card turned before a camera.

    The card stands at the distance at which its diagonal fills the field of view `fov` (degrees, 0 < fov <
    180), is turned by theta about z, then gamma about y, then phi about x (degrees), and is projected. Equal
    to Deforum's matrix, two quirks of its camera included because they shape the look of settings files: the
    divisor is the distance plus one pixel (a shrink of 0.12 % at 512×512), and the turning point is (side/2,
    side/2), right of and below the centre. One is mended: all angles zero give the identity, where Deforum
    goes on shrinking. Positive theta turns clockwise as seen; positive phi brings the lower edge nearer;
    positive gamma brings the left edge nearer.
    Multiply from the left, `flip_matrix(…) @ affine_matrix(…)`: the picture moves first and flips then.
    (Deforum's own product loses the translation.)
    Raises FlipbookError for a field of view outside its range and for values that are not finite.
    """
    _require_finite(
        flip_theta=theta,
        flip_phi=phi,
        flip_gamma=gamma,
        flip_fov=fov,
    )
    if not 0 < fov < 180:
        raise FlipbookError(
            Problem(
                f"is {fov:g} in this frame; it must be between 0 and 180 degrees",
                "flip_fov",
                code="camera.out_of_range",
            )
        )
    if theta == phi == gamma == 0:
        return np.eye(3)
    half = math.radians(fov) / 2
    diagonal = math.hypot(width, height)
    distance = diagonal / (2 * math.sin(half))
    side = diagonal / math.cos(half)
    card = (_turn_x(phi) @ _turn_y(gamma) @ _turn_z(theta))[:, :2]
    # cot(half) · side / 2 is the distance: it takes projected units to pixels of the side × side square
    projection = np.zeros((3, 3))
    projection[:2, :2] = distance * card[:2]
    projection[2] = [-card[2, 0], -card[2, 1], distance + 1]
    to_card = np.array([[1.0, 0, -side / 2], [0, 1.0, -side / 2], [0, 0, 1.0]])
    to_square = np.array([[1.0, 0, side / 2], [0, 1.0, side / 2], [0, 0, 1.0]])
    matrix = to_square @ projection @ to_card
    return np.asarray(matrix / matrix[2, 2], np.float64)


def warp(
    picture: Floats, matrix: Matrix, border: Border = "replicate", interpolation: Interpolation = "linear"
) -> Floats:
    """Move the picture by a source → destination matrix; same size, dtype float32, argument untouched.

    `picture` is float32 (H, W) or (H, W, C). The identity returns a copy that is equal bit for bit. Sub-pixel
    positions are kept at float precision under OpenCV 5 and under OpenCV 4, whose own warps round them to
    1/32 px. Linear interpolation never leaves the range of the values it reads.
    Raises FlipbookError when the matrix has no inverse.
    """
    if np.array_equal(matrix, np.eye(3)):
        return picture.copy()
    if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix)) < 1e-12:
        raise FlipbookError(
            "The camera's motion in this frame has no inverse: it folds the picture to a line."
        )
    height, width = picture.shape[:2]
    if interpolation == "linear" and not (
        opencv_is_exact() and (picture.ndim == 2 or picture.shape[2] in (1, 3, 4))
    ):
        x, y = source_positions(matrix, width, height)
        return sample(picture, x, y, border, interpolation)
    flags, mode = INTERPOLATIONS[interpolation], border_rule(border).opencv
    moved: Any
    if np.array_equal(matrix[2], (0.0, 0.0, 1.0)):
        moved = cv2.warpAffine(picture, matrix[:2], (width, height), flags=flags, borderMode=mode)
    else:
        moved = cv2.warpPerspective(picture, matrix, (width, height), flags=flags, borderMode=mode)
    return np.asarray(moved.reshape(picture.shape), np.float32)


def source_positions(matrix: Matrix, width: int, height: int) -> tuple[Floats, Floats]:
    """Return where each destination pixel comes from: columns and rows, float32 (height, width) each."""
    inverse = np.linalg.inv(matrix)
    column, row = np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64)[:, None]
    x, y, w = (inverse[i, 0] * column + (inverse[i, 1] * row + inverse[i, 2]) for i in range(3))
    scale = np.divide(1.0, w, out=np.zeros_like(w), where=w != 0)
    return (x * scale).astype(np.float32), (y * scale).astype(np.float32)


def _turn_x(degrees: float) -> Matrix:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[1.0, 0, 0], [0, c, -s], [0, s, c]])


def _turn_y(degrees: float) -> Matrix:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[c, 0, s], [0, 1.0, 0], [-s, 0, c]])


def _turn_z(degrees: float) -> Matrix:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])


def _require_finite(**values: float) -> None:
    bad = [
        Problem(f"is {value} in this frame; it must be a finite number", name, code="camera.not_finite")
        for name, value in values.items()
        if not math.isfinite(value)
    ]
    if bad:
        raise FlipbookError(*bad)
