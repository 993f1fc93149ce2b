"""Contact sheets."""

from __future__ import annotations

import numpy as np
import pytest

from lib_anim.errors import FlipbookError
from lib_anim.media.sheet import contact_sheet


def test_frames_stand_in_reading_order() -> None:
    frames = [np.full((20, 30, 3), 40 * n, np.uint8) for n in range(5)]
    sheet = contact_sheet(frames, 2)
    assert sheet.shape == (3 * 24 + 4, 2 * 34 + 4, 3)
    for n in range(5):
        y, x = 4 + n // 2 * 24, 4 + n % 2 * 34
        assert (sheet[y : y + 20, x : x + 30] == 40 * n).all()


def test_labels_leave_ink_under_their_frame() -> None:
    frames = [np.zeros((40, 80, 3), np.uint8)] * 2
    plain, labelled = contact_sheet(frames, 2), contact_sheet(frames, 2, ["frame 1 – 春", "x" * 200])
    assert labelled.shape[0] > plain.shape[0]
    assert labelled[45:57, 4:84].max() > 150
    assert labelled[45:57, 84:88].max() < 60


def test_width_scales_and_keeps_the_shape() -> None:
    assert contact_sheet([np.zeros((64, 96, 3), np.uint8)], 3, width=48).shape == (32 + 8, 48 + 8, 3)


def test_transparent_frames_lie_on_the_paper() -> None:
    frame = np.zeros((10, 10, 4), np.uint8)
    frame[:5] = 255
    sheet = contact_sheet([frame], 1)
    assert (sheet[4:9, 4:14] == 255).all()
    assert (sheet[9:14, 4:14] == sheet[0, 0]).all()


@pytest.mark.parametrize(("count", "columns", "labels"), [(0, 1, []), (2, 0, []), (2, 1, ["one"])])
def test_what_makes_no_sheet_is_refused(count: int, columns: int, labels: list[str]) -> None:
    with pytest.raises(FlipbookError):
        contact_sheet([np.zeros((8, 8, 3), np.uint8)] * count, columns, labels)
