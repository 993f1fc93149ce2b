"""The flat camera is Deforum's: its matrices and warped checkerboards, recorded from version 3.0.

`golden/camera.json` holds 60 random settings with the matrix that Deforum handed to OpenCV, 24 of them with
perspective flip (without translation, which Deforum loses there). Six have its picture of `checkerboard`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from lib_anim.imaging.warp import Matrix, affine_matrix, flip_matrix, warp

GOLDEN = Path(__file__).with_name("golden")
RECORDS: list[dict[str, Any]] = json.loads((GOLDEN / "camera.json").read_text(encoding="utf-8"))


def camera(record: dict[str, Any]) -> Matrix:
    settings = dict(record["camera"])
    matrix = affine_matrix(angle_deg=settings.pop("angle"), **settings)
    if record["flip"]:
        matrix = flip_matrix(settings["width"], settings["height"], **record["flip"]) @ matrix
    return matrix / matrix[2, 2]


def checkerboard(width: int, height: int) -> np.ndarray:
    """8 px squares: red checks, green runs right in the lit ones, blue runs down in the dark ones."""
    rows, columns = np.mgrid[:height, :width]
    lit = (columns // 8 + rows // 8) % 2
    planes = [
        np.where(lit, 255, 0),
        np.where(lit, columns * 255 // width, 40),
        np.where(lit, 0, rows * 255 // height),
    ]
    return np.stack(planes, axis=-1).astype(np.float32) / 255


@pytest.mark.parametrize("record", RECORDS)
def test_matrix(record: dict[str, Any]) -> None:
    # Deforum works out flips in single precision
    assert camera(record) == pytest.approx(np.array(record["matrix"]), abs=3e-5, rel=1e-5)


@pytest.mark.parametrize("record", [r for r in RECORDS if "picture" in r], ids=lambda r: r["picture"])
def test_picture(record: dict[str, Any]) -> None:
    board = checkerboard(record["camera"]["width"], record["camera"]["height"])
    golden = cv2.imread(str(GOLDEN / record["picture"]), cv2.IMREAD_COLOR_RGB)
    warped = warp(board, camera(record), record["border"])
    assert np.abs(warped * 255 - golden).max() <= 1
    assert np.abs(board * 255 - golden).max() > 100
