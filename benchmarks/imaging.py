"""Milliseconds per picture stage at 512×512 beside OpenCV's or scikit-image's call for the same thing.

    python -m benchmarks.imaging [--size 512] [--rounds 15]

Same float32 picture for both, one thread, the two calls taking turns; time of that thread on a processor,
so that other programs do not count; the best of the rounds. No arguments are prepared for ours that the
other has not too, and where no call does the same thing, calls that follow the same rule stand beside it.
Prints a table and exits with 1 when a ratio is above 1.5.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import skimage
from skimage.exposure import match_histograms

from lib_anim.imaging import mask as masks
from lib_anim.imaging.blank import blankness
from lib_anim.imaging.color import contrast, grayscale, match_colors
from lib_anim.imaging.flow import optical_flow, pull
from lib_anim.imaging.noise import add_noise
from lib_anim.imaging.sharpen import unsharp
from lib_anim.imaging.tween import blend
from lib_anim.imaging.warp import affine_matrix, flip_matrix, warp

LIMIT = 1.5

Call = Callable[[], Any]


def scene(seed: int, size: int) -> np.ndarray:
    """A picture with detail at every scale and nearly as many values as pixels."""
    rng, picture = np.random.default_rng(seed), np.zeros((size, size, 3), np.float32)
    for sigma in (1, 4, 16, 64):
        layer = cv2.GaussianBlur(rng.random(picture.shape, np.float32), (0, 0), sigma)
        picture += (layer - layer.mean()) / layer.std()
    return ((picture - picture.min()) / np.ptp(picture)).astype(np.float32)


def moving(picture: np.ndarray, size: int) -> list[tuple[str, Call, str, Call]]:
    """Warps."""
    straight = affine_matrix(size, size, angle_deg=1.5, zoom=1.02, translation_x=3.3, translation_y=-2)
    flipped = flip_matrix(size, size, phi=3, gamma=2) @ straight
    edge = {"flags": cv2.INTER_LINEAR, "borderMode": cv2.BORDER_REPLICATE}
    wrap = {"flags": cv2.INTER_LINEAR, "borderMode": cv2.BORDER_WRAP}
    return [
        (
            "warp, affine",
            lambda: warp(picture, straight),
            "cv2.warpAffine",
            lambda: cv2.warpAffine(picture, straight[:2], (size, size), **edge),
        ),
        (
            "warp, affine, wrap",
            lambda: warp(picture, straight, "wrap"),
            "cv2.warpAffine",
            lambda: cv2.warpAffine(picture, straight[:2], (size, size), **wrap),
        ),
        (
            "warp, flip",
            lambda: warp(picture, flipped),
            "cv2.warpPerspective",
            lambda: cv2.warpPerspective(picture, flipped, (size, size), **edge),
        ),
    ]


def colouring(picture: np.ndarray, reference: np.ndarray) -> list[tuple[str, Call, str, Call]]:
    """Colour coherence and simple colour."""

    def matched(there: int, back: int) -> np.ndarray:
        source, target = cv2.cvtColor(picture, there), cv2.cvtColor(reference, there)
        return np.clip(cv2.cvtColor(match_histograms(source, target, channel_axis=-1), back), 0, 1)

    return [
        (
            "match_colors RGB",
            lambda: match_colors(picture, reference, "RGB"),
            "skimage match_histograms",
            lambda: match_histograms(picture, reference, channel_axis=-1),
        ),
        (
            "match_colors LAB",
            lambda: match_colors(picture, reference, "LAB"),
            "the same, cv2.cvtColor",
            lambda: matched(cv2.COLOR_RGB2Lab, cv2.COLOR_Lab2RGB),
        ),
        (
            "match_colors HSV",
            lambda: match_colors(picture, reference, "HSV"),
            "the same, cv2.cvtColor",
            lambda: matched(cv2.COLOR_RGB2HSV, cv2.COLOR_HSV2RGB),
        ),
        (
            "grayscale",
            lambda: grayscale(picture),
            "cv2.cvtColor, twice",
            lambda: cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB),
        ),
        (
            "contrast",
            lambda: contrast(picture, 1.05),
            "cv2.multiply, np.clip",
            lambda: np.clip(cv2.multiply(picture, (1.05,) * 4), 0, 1),
        ),
    ]


def texturing(picture: np.ndarray, mask: np.ndarray) -> list[tuple[str, Call, str, Call]]:
    """Sharpening and noise."""

    def sharpened() -> np.ndarray:
        blurred = cv2.GaussianBlur(picture, (5, 5), 1)
        return np.clip(cv2.addWeighted(picture, 1.3, blurred, -0.3, 0), 0, 1)

    def noisy(clouds: bool = False, where: np.ndarray | None = None) -> np.ndarray:
        """The same rule in OpenCV's calls: cut off at ±1, mean zero, no more than there is room."""
        noise = np.empty_like(picture)
        cv2.randn(noise, (0,) * 3, (1,) * 3)
        if clouds:
            plane = sum(octave(level) for level in range(4)) / 2 + 0.5
            noise = cv2.multiply(noise, cv2.merge((plane,) * 3))
        noise = np.clip(noise, -1, 1)
        noise = cv2.subtract(noise, cv2.mean(noise))
        room = cv2.min(cv2.min(picture, cv2.subtract((1.0,) * 4, picture)), (0.0325,) * 4)
        noise = cv2.multiply(noise, room)
        if where is not None:
            noise = cv2.multiply(noise, cv2.merge((where,) * 3))
        return np.clip(cv2.add(noise, picture), 0, 1)

    def octave(level: int) -> np.ndarray:
        """Value noise, of which smooth clouds are made where there is no Perlin's."""
        grid = np.empty((8 * 2**level,) * 2, np.float32)
        cv2.randu(grid, -1, 1)
        return cv2.resize(grid, picture.shape[1::-1], interpolation=cv2.INTER_CUBIC) * 0.5**level

    return [
        ("unsharp", lambda: unsharp(picture, amount=0.3), "cv2.GaussianBlur, addWeighted", sharpened),
        ("add_noise, uniform", lambda: add_noise(picture, 0.065, 1), "cv2.randn and the same rule", noisy),
        (
            "add_noise, uniform, mask",
            lambda: add_noise(picture, 0.065, 1, mask=mask),
            "the same",
            lambda: noisy(where=mask),
        ),
        (
            "add_noise, perlin",
            lambda: add_noise(picture, 0.065, 1, kind="perlin"),
            "the same, cv2.resize of 4 grids",
            lambda: noisy(clouds=True),
        ),
    ]


def joining(picture: np.ndarray, other: np.ndarray, mask: np.ndarray) -> list[tuple[str, Call, str, Call]]:
    """Masks, blends and flow."""
    preset = cv2.DISOPTICAL_FLOW_PRESET_MEDIUM
    grey = [cv2.convertScaleAbs(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY), alpha=255) for p in (picture, other)]
    flow = optical_flow(picture, other)
    rows, columns = np.mgrid[: mask.shape[0], : mask.shape[1]].astype(np.float32)

    def remapped() -> np.ndarray:
        x, y = columns + flow[..., 0], rows + flow[..., 1]
        return cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)

    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (17, 17))
    return [
        (
            "blend",
            lambda: blend(picture, other, 0.3),
            "cv2.addWeighted",
            lambda: cv2.addWeighted(picture, 0.7, other, 0.3, 0),
        ),
        (
            "overlay",
            lambda: masks.overlay(picture, other, mask),
            "cv2.blendLinear",
            lambda: cv2.blendLinear(picture, other, mask, 1 - mask),
        ),
        (
            "mask blur 8",
            lambda: masks.blur(mask, 8),
            "cv2.GaussianBlur",
            lambda: cv2.GaussianBlur(mask, (0, 0), 8),
        ),
        ("mask grow 8", lambda: masks.grow(mask, 8), "cv2.dilate", lambda: cv2.dilate(mask, disc)),
        (
            "optical_flow, medium",
            lambda: optical_flow(picture, other),
            "cv2.DISOpticalFlow",
            lambda: cv2.DISOpticalFlow.create(preset).calc(*grey, np.zeros((*mask.shape, 2), np.float32)),
        ),
        (
            "pull",
            lambda: pull(picture, flow),
            "cv2.remap",
            remapped,
        ),
        (
            "blankness",
            lambda: blankness(picture),
            "cv2.minMaxLoc per channel",
            lambda: [cv2.minMaxLoc(plane) for plane in cv2.split(picture)],
        ),
    ]


def best(ours: Call, theirs: Call, rounds: int) -> tuple[float, float]:
    """Milliseconds of the fastest round of each, in turns, so that both meet the same caches and clock."""
    fastest = [float("inf"), float("inf")]
    for _ in range(rounds):
        for which, call in enumerate((ours, theirs)):
            start = time.thread_time()
            call()
            fastest[which] = min(fastest[which], time.thread_time() - start)
    return fastest[0] * 1e3, fastest[1] * 1e3


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    size = options.size
    picture, reference = scene(1, size), scene(2, size)
    shifted = warp(picture, affine_matrix(size, size, angle_deg=0, zoom=1, translation_x=6, translation_y=2))
    mask = np.clip(scene(3, size)[..., 0] * 4 - 1.5, 0, 1).astype(np.float32)
    stages = moving(picture, size) + colouring(picture, reference)
    stages += texturing(picture, mask) + joining(picture, shifted, mask)
    print(
        f"{size}×{size} float32, {platform.machine()}, Python {platform.python_version()}, "
        f"NumPy {np.__version__}, OpenCV {cv2.__version__}, scikit-image {skimage.__version__}"
    )
    print(f"| {'stage':25} | {'ms':>7} | {'beside':31} | {'ms':>7} | ratio |")
    print(f"|{'-' * 27}|{'-' * 8}:|{'-' * 33}|{'-' * 8}:|------:|")
    slow = 0
    for name, ours, rival, theirs in stages:
        mine, other = best(ours, theirs, options.rounds)
        print(f"| {name:25} | {mine:7.2f} | {rival:31} | {other:7.2f} | {mine / other:5.2f} |", flush=True)
        slow += mine / other > LIMIT
    return 1 if slow else 0


if __name__ == "__main__":
    raise SystemExit(main())
