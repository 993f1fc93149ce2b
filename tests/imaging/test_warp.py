"""Laws of the flat camera: identity, signs, inverse, borders, drift."""

from __future__ import annotations

from typing import get_args

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib_anim.errors import FlipbookError
from lib_anim.imaging.sample import BORDERS, sample, sample_with_torch
from lib_anim.imaging.warp import affine_matrix, flip_matrix, source_positions, warp
from lib_anim.types import Border

STILL = {"angle_deg": 0.0, "zoom": 1.0, "translation_x": 0.0, "translation_y": 0.0}

motions = st.fixed_dictionaries(
    {
        "angle_deg": st.floats(-180, 180),
        "zoom": st.floats(0.5, 2),
        "translation_x": st.floats(-20, 20),
        "translation_y": st.floats(-20, 20),
        "center_x": st.floats(0, 1),
        "center_y": st.floats(0, 1),
    }
)


def noise(height: int = 48, width: int = 64, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(7).random((height, width, channels), np.float32)


def blob(x: float, y: float, width: int = 128, height: int = 128, sigma: float = 6.0) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    plane = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2)).astype(np.float32)
    return np.repeat(plane[..., None], 3, axis=2)


def centroid(picture: np.ndarray) -> tuple[float, float]:
    plane = picture[..., 0].astype(np.float64)
    rows, columns = np.mgrid[: plane.shape[0], : plane.shape[1]]
    return float((plane * columns).sum() / plane.sum()), float((plane * rows).sum() / plane.sum())


def move(**changes: float) -> np.ndarray:
    return affine_matrix(128, 128, **{**STILL, **changes})


@given(st.integers(1, 4000), st.integers(1, 4000), st.floats(-1, 2), st.floats(-1, 2))
def test_zero_motion_is_the_identity(width: int, height: int, cx: float, cy: float) -> None:
    assert np.array_equal(affine_matrix(width, height, **STILL, center_x=cx, center_y=cy), np.eye(3))
    assert np.array_equal(flip_matrix(width, height), np.eye(3))


def test_the_result_shares_no_memory_with_the_picture() -> None:
    picture = noise()
    for matrix in (np.eye(3), affine_matrix(64, 48, **{**STILL, "translation_x": 1.0})):
        warp(picture, matrix)[:] = 0
    assert np.array_equal(picture, noise())


@pytest.mark.parametrize("border", BORDERS)
def test_500_loops_of_a_still_camera_change_nothing(border: Border) -> None:
    grey = np.full((64, 64, 3), 0.437, np.float32)
    picture, textured = grey, noise()
    for _ in range(500):
        picture = warp(picture, affine_matrix(64, 64, **STILL), border)
        textured = warp(textured, flip_matrix(64, 48) @ affine_matrix(64, 48, **STILL), border)
    assert np.array_equal(picture, grey)
    assert np.array_equal(textured, noise())


@pytest.mark.parametrize("border", BORDERS)
def test_a_moving_camera_leaves_a_grey_card_grey(border: Border) -> None:
    picture = np.full((64, 64, 3), 0.437, np.float32)
    for _ in range(500):
        picture = warp(
            picture, affine_matrix(64, 64, angle_deg=1, zoom=1.01, translation_x=3, translation_y=-2), border
        )
    assert np.abs(picture - np.float32(0.437)).max() < 0.5 / 255


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"translation_x": 5.0}, (85.0, 64.0), id="translation_x moves the picture right"),
        pytest.param({"translation_y": 5.0}, (80.0, 69.0), id="translation_y moves it down"),
        pytest.param({"angle_deg": 90.0}, (64.0, 48.0), id="angle turns counter-clockwise"),
        pytest.param({"zoom": 2.0}, (96.0, 64.0), id="zoom above 1 magnifies"),
        pytest.param({"zoom": 2.0, "center_x": 0.75}, (64.0, 64.0), id="center_x is part of the width"),
        pytest.param({"zoom": 2.0, "center_y": 0.25}, (96.0, 96.0), id="center_y is part of the height"),
        pytest.param(
            {"angle_deg": 90.0, "translation_x": 5.0}, (64.0, 43.0), id="shifted first, turned after"
        ),
    ],
)
def test_camera_signs(changes: dict[str, float], expected: tuple[float, float]) -> None:
    moved = centroid(warp(blob(80, 64, sigma=3), move(**changes)))
    assert moved == pytest.approx(expected, abs=0.02)


def test_theta_turns_clockwise() -> None:
    above = np.array([100.0, 30.0, 1.0])
    assert (flip_matrix(128, 128, theta=5) @ above)[0] > (flip_matrix(128, 128, theta=1e-9) @ above)[0]


@pytest.mark.parametrize(
    ("angles", "axis", "nearer"),
    [
        pytest.param({"phi": 10.0}, 1, 120.0, id="phi brings the lower edge nearer"),
        pytest.param({"gamma": 10.0}, 0, 8.0, id="gamma brings the left edge nearer"),
    ],
)
def test_flips_bring_an_edge_nearer(angles: dict[str, float], axis: int, nearer: float) -> None:
    matrix = flip_matrix(128, 128, **angles)

    def magnification(edge: float) -> float:
        points = np.array([[64.0, 64.0, 1.0], [64.0, 64.0, 1.0]])
        points[:, axis] = edge
        points[1, 1 - axis] += 1
        landed = points @ matrix.T
        landed /= landed[:, 2:]
        return float(np.linalg.norm(landed[1] - landed[0]))

    assert magnification(nearer) > 1.02 * magnification(128.0 - nearer)


def test_a_wider_field_of_view_is_steeper() -> None:
    narrow, wide = (flip_matrix(128, 128, phi=10, fov=fov)[2, 1] for fov in (30, 90))
    assert wide < narrow < 0


def test_flip_keeps_the_translation() -> None:
    flip, shift = flip_matrix(128, 96, phi=8), affine_matrix(128, 96, **{**STILL, "translation_x": 20.0})
    landed = flip @ shift @ np.array([40.0, 40.0, 1.0])
    assert landed == pytest.approx(flip @ np.array([60.0, 40.0, 1.0]))


def test_300_steps_of_a_tenth_move_30_pixels() -> None:
    picture = blob(40, 64)
    for _ in range(300):
        picture = warp(picture, move(translation_x=0.1))
    assert centroid(picture)[0] == pytest.approx(70.0, abs=0.01)


def test_300_steps_of_a_tenth_move_30_pixels_round_the_torus() -> None:
    """A wave once round the picture, wrapped: how far it has gone is its phase."""
    wave = (0.5 + 0.4 * np.sin(2 * np.pi * np.arange(128) / 128)).astype(np.float32)
    picture = start = np.broadcast_to(wave[None, :, None], (16, 128, 3)).copy()
    shift = affine_matrix(128, 16, angle_deg=0, zoom=1, translation_x=0.1, translation_y=0)
    for _ in range(300):
        picture = warp(picture, shift, "wrap")
    turn = np.fft.fft(picture[8, :, 0])[1] / np.fft.fft(start[8, :, 0])[1]
    assert -np.angle(turn) * 128 / (2 * np.pi) == pytest.approx(30.0, abs=0.02)


@given(motions)
def test_warp_and_inverse_give_the_picture_back_inside(motion: dict[str, float]) -> None:
    smooth = blob(64, 64, sigma=9)
    matrix = affine_matrix(128, 128, **motion)
    back = warp(warp(smooth, matrix), np.linalg.inv(matrix))
    there_x, there_y = source_positions(np.linalg.inv(matrix), 128, 128)
    seen = (there_x > 1) & (there_x < 126) & (there_y > 1) & (there_y < 126)
    assert np.abs(back - smooth)[seen].max(initial=0) < 0.02


@given(motions, st.sampled_from(sorted(BORDERS)), st.floats(-20, 20), st.floats(-20, 20))
def test_range_dtype_and_argument_are_kept(
    motion: dict[str, float], border: Border, phi: float, gamma: float
) -> None:
    picture = noise()
    matrix = flip_matrix(64, 48, phi=phi, gamma=gamma) @ affine_matrix(64, 48, **motion)
    kept = matrix.copy()
    moved = warp(picture, matrix, border)
    assert moved.dtype == np.float32
    assert moved.shape == picture.shape
    assert moved.min() >= -1e-6
    assert moved.max() <= 1 + 1e-6
    assert np.array_equal(picture, noise())
    assert np.array_equal(matrix, kept)


@pytest.mark.parametrize(
    ("border", "numpy_mode"), [("replicate", "edge"), ("wrap", "wrap"), ("reflect", "symmetric")]
)
@pytest.mark.parametrize("interpolation", ["linear", "nearest"])
def test_borders_are_numpys(border: Border, numpy_mode: str, interpolation: str) -> None:
    picture = noise()
    moved = warp(
        picture,
        affine_matrix(64, 48, **{**STILL, "translation_x": 7, "translation_y": -5}),
        border,
        interpolation,
    )
    wider = np.pad(picture, ((10, 10), (10, 10), (0, 0)), mode=numpy_mode)
    assert np.abs(moved - wider[15:63, 3:67]).max() < 1e-5


@given(motions, st.sampled_from(sorted(BORDERS)), st.sampled_from([1, 2, 3, 4]))
def test_both_ways_of_sampling_agree(motion: dict[str, float], border: Border, channels: int) -> None:
    # matters where OpenCV rounds positions (version 4, or two channels): those pictures go through torch
    picture = noise(channels=channels)
    matrix = affine_matrix(64, 48, **motion)
    x, y = source_positions(matrix, 64, 48)
    assert np.abs(warp(picture, matrix, border) - sample_with_torch(picture, x, y, border)).max() < 2e-4


def test_a_plane_without_channels_is_warped_too() -> None:
    plane = noise()[..., 0]
    assert np.array_equal(warp(plane, move(translation_x=3)), warp(noise(), move(translation_x=3))[..., 0])


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: affine_matrix(64, 64, **{**STILL, "zoom": 0.0}), "zoom"),
        (lambda: affine_matrix(64, 64, **{**STILL, "angle_deg": float("nan")}), "angle"),
        (lambda: flip_matrix(64, 64, phi=1, fov=180), "flip_fov"),
        (lambda: flip_matrix(64, 64, phi=1, fov=0), "flip_fov"),
        (lambda: flip_matrix(64, 64, phi=float("inf")), "flip_phi"),
    ],
)
def test_impossible_motion_is_named(call: object, field: str) -> None:
    with pytest.raises(FlipbookError) as caught:
        call()
    assert caught.value.problems[0].field == field


def test_a_matrix_without_inverse_is_refused() -> None:
    with pytest.raises(FlipbookError, match="no inverse"):
        warp(noise(), np.diag([1.0, 0.0, 1.0]))


SHIFT = np.array([[1.0, 0, 0.3], [0, 1.0, 0], [0, 0, 1.0]])


def test_every_border_has_a_rule_and_both_samplers_agree() -> None:
    assert set(BORDERS) == set(get_args(Border))
    picture = noise(7, 9)
    # Whole positions, up to a picture's size outside: OpenCV 4 rounds all others to 1/32 px.
    y, x = np.mgrid[-6:13, -8:17].astype(np.float32)
    for border, rule in BORDERS.items():
        theirs = cv2.remap(picture, x, y, cv2.INTER_NEAREST, borderMode=rule.opencv)
        np.testing.assert_allclose(sample_with_torch(picture, x, y, border), theirs, atol=1e-4)


@pytest.mark.parametrize("call", [lambda p, w: sample(p, w, w, "torn"), lambda p, w: warp(p, SHIFT, "torn")])
def test_an_unknown_border_reaches_no_sampler(call) -> None:
    with pytest.raises(FlipbookError) as refused:
        call(noise(4, 4), np.zeros((2, 2), np.float32))
    assert refused.value.problems[0].code == "border.unknown"
