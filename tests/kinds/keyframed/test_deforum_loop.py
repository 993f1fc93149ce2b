"""The loop asks for what Deforum's own loop asked for: which frames, seeds, denoising, motion.

`golden/deforum_loop.json.xz` holds what the extension's code (3224268, March 2024) did with the 30 flat
files of `tests/settings/deforum_files` and with 45 small cases, painting stubbed: the frames that it painted
and in which order it wrote files, each painted frame's seed, denoising, steps, CFG …, and the matrix that it
handed to OpenCV at each frame. Where Flipbook differs on purpose (docs/coming-from/deforum.md), the
difference has a name here.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from lib_anim.engines.checker import CheckerEngine
from lib_anim.engines.contract.requests import StillRequest
from lib_anim.imaging.sample import opencv_is_exact
from lib_anim.imaging.warp import Matrix, warp
from lib_anim.kinds.base import Studio
from lib_anim.kinds.events import FrameDone, Progress
from lib_anim.kinds.keyframed import loop as pipeline
from lib_anim.kinds.keyframed import paint
from lib_anim.kinds.keyframed.deforum.importer import from_deforum
from lib_anim.kinds.keyframed.inputs import Inputs
from lib_anim.kinds.keyframed.plan import KeyframedPlan, plan
from lib_anim.kinds.sampler_names import SAMPLERS
from lib_anim.media.contract import SourceInfo
from tests.kinds.keyframed.conftest import Recorder, Video

GOLDEN: dict[str, Any] = json.loads(
    lzma.decompress(Path(__file__).with_name("golden").joinpath("deforum_loop.json.xz").read_bytes())
)
FILES = Path(__file__).parent / "deforum" / "deforum_files"
RUNS = {**GOLDEN["files"], **GOLDEN["cases"]}

ALTERED = {
    # Refused when it is on; painting was stubbed, so that it changes no number.
    "2023-02-controlnet-on": {"controlnet_enabled": False},
    # The schedule of kernels comes to 6, where OpenCV stops Deforum and a sentence stops Flipbook.
    "2023-10-scheduled-everything": {"amount_schedule": "0:(0)"},
    # The broken schedule of zooms comes to 0, which folds the picture to a point.
    "edge-broken-items": {"zoom": "0:(1), 30:(2)"},
}
"""File → keys that were changed, on both sides."""

DRAWN = {"edge-seeds"}
"""Runs whose schedule of seeds says -1 somewhere, which draws one: no two programs draw the same."""

CHECKPOINTS = ("one", "two", "model1.ckpt", "model2.safetensors")


class Deforum(Recorder):
    """An engine with every sampler and checkpoint that the files name; its pictures are tiny."""

    def __init__(self) -> None:
        super().__init__(np.linspace(0.2, 0.8, 48, dtype=np.float32).reshape(4, 4, 3))
        self.capabilities = replace(
            Recorder.capabilities,
            samplers=SAMPLERS,
            schedulers=CheckerEngine().capabilities.schedulers,
            checkpoints=CHECKPOINTS,
        )


def probe(need: Any) -> SourceInfo:
    return SourceInfo(width=128, height=96, rate=12, frames=25)  # type: ignore[arg-type]


@cache
def planned(name: str) -> KeyframedPlan:
    """Flipbook's plan of a golden run."""
    if name in GOLDEN["cases"]:
        data = {**GOLDEN["cases"][name]["file"], "video_init_path": "v.mp4", "init_image": "i.png"}
    else:
        data = {
            **json.loads((FILES / f"{name}.txt").read_text("utf-8")),
            **ALTERED.get(name, {}),
        }
    settings, _ = from_deforum(data)
    return plan(settings, Deforum().capabilities, RUNS[name]["seeds"][0], probe)


@cache
def looped(name: str) -> tuple[list[StillRequest], dict[int, Matrix], list[FrameDone]]:
    """(requests, painted frame → the matrix that it was moved by, frames) of our loop on a golden run."""
    engine, whole = Deforum(), planned(name)
    steps: dict[int, Matrix] = {}
    frames: list[FrameDone] = []
    painting = [0]

    def moved(picture: Any, matrix: Matrix, border: str) -> Any:
        # The first warp after a frame was announced is that of the picture to be repainted.
        steps.setdefault(painting[0], matrix)
        return picture

    given = np.tile(np.arange(128, dtype=np.uint8)[:, None], (25, 96, 1, 3))
    inputs = Inputs(
        init=given[0] if whole.settings.init_image else None,
        video=Video(given) if whole.settings.mode == "Video Input" else None,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "warp", moved)
        patch.setattr(paint, "match_colors", lambda picture, reference, space: picture)
        for event in pipeline.run(whole, Studio(engine=engine), inputs):
            if isinstance(event, Progress):
                painting[0] = event.done
            elif isinstance(event, FrameDone):
                frames.append(event)
    return engine.requests, steps, frames


def painted_by_both(name: str) -> Iterator[tuple[int, StillRequest]]:
    """(place among Deforum's painted frames, our request) of every frame that Deforum paints."""
    requests = dict(zip(planned(name).painted, looped(name)[0], strict=True))
    return ((place, requests[frame]) for place, frame in enumerate(RUNS[name]["painted"]))


def test_the_thirty_flat_files_and_every_way_are_here() -> None:
    assert len(GOLDEN["files"]) == 30
    assert {run["mode"] for run in RUNS.values()} == {"2D", "Interpolation", "Video Input"}
    assert {run["behavior"] for run in RUNS.values()} == {"iter", "fixed", "ladder", "alternate", "schedule"}
    assert {run["cadence"] for run in RUNS.values()} >= set(range(1, 13))
    assert {run["border"] for run in RUNS.values()} == {"replicate", "wrap"}


@pytest.mark.parametrize("name", RUNS)
def test_the_same_frames_are_painted_and_written(name: str) -> None:
    golden = RUNS[name]
    assert planned(name).frames == golden["frames"]
    # "A film of 120 frames at cadence 2 has 118": here the last one is painted too, and all are written.
    assert set(planned(name).painted) == {*golden["painted"], golden["frames"] - 1}
    assert golden["written"] == list(range(len(golden["written"])))
    assert [event.index for event in looped(name)[2]] == list(range(golden["frames"]))


@pytest.mark.parametrize("name", RUNS)
def test_every_painted_frame_has_deforums_seed(name: str) -> None:
    drawn = 0
    for place, request in painted_by_both(name):
        if RUNS[name]["seeds"][place] == -1:
            drawn += 1
        else:
            assert request.seed == RUNS[name]["seeds"][place], RUNS[name]["painted"][place]
    assert (drawn > 0) is (name in DRAWN)


@pytest.mark.parametrize("name", RUNS)
def test_every_painted_frame_has_deforums_denoising(name: str) -> None:
    golden = RUNS[name]
    for place, request in painted_by_both(name):
        assert request.denoising == pytest.approx(golden["denoise"][place], abs=1e-8), place
        assert (request.init is not None) is golden["init"][place]


@pytest.mark.parametrize("name", RUNS)
def test_every_painted_frame_is_asked_for_as_deforum_does(name: str) -> None:
    golden = {key: values for key, values in RUNS[name].items() if isinstance(values, list)}
    for place, request in painted_by_both(name):
        theirs = {key: values[place] for key, values in golden.items() if len(values) > place}
        assert request.steps == theirs["steps"]
        assert request.cfg_scale == pytest.approx(theirs["cfg"], rel=1e-8)
        assert request.subseed_strength == pytest.approx(theirs["subseed_strength"], rel=1e-8)
        if request.subseed_strength:
            assert request.subseed == theirs["subseed"]
        assert spelled(request, name in WITH_SCHEDULER) == theirs["sampler"].lower()
        eta = theirs["ancestral_eta" if request.sampler.endswith(" a") else "ddim_eta"]
        options = {
            "clip_skip": (request.clip_skip, theirs["clip_skip"]),
            "noise_multiplier": (request.noise_multiplier, theirs["multiplier"]),
            "checkpoint": (request.checkpoint, theirs["checkpoint"]),
            "eta": (request.eta, eta),
        }
        for option, (ours, wanted) in options.items():
            # None: Deforum leaves the WebUI's own option alone.
            number = isinstance(wanted, int | float)
            assert wanted is None or ours == (pytest.approx(wanted, rel=1e-8) if number else wanted), option


WITH_SCHEDULER = {"forge-flux"}
"""Files with a key for the scheduler, which came after March 2024."""


def spelled(request: StillRequest, without: bool) -> str:
    """Sampler and scheduler in one name, as they were in March 2024."""
    spaced = not without and request.scheduler != "Automatic"
    return f"{request.sampler} {request.scheduler}".lower() if spaced else request.sampler.lower()


def still(whole: KeyframedPlan) -> KeyframedPlan:
    """The plan without translation, which Deforum loses when the perspective flip is on."""
    nothing = {name: whole.numbers[name] * 0 for name in ("translation_x", "translation_y")}
    return replace(whole, numbers={**whole.numbers, **nothing})


def matrices_of(name: str) -> dict[int, Matrix]:
    """Frame → the matrix that Deforum handed to OpenCV."""
    golden = RUNS[name]
    return {
        frame: np.array(values).reshape(3, 3)
        for frame, values in zip(golden["warped"], golden["matrices"], strict=True)
    }


def assert_same_matrix(ours: Matrix, theirs: Matrix, size: tuple[int, int], within: float) -> None:
    """Both take the picture's corners and middle to the same places, within pixels."""
    w, h = size
    points = np.array([[0, 0, 1], [w, 0, 1], [0, h, 1], [w, h, 1], [w / 2, h / 2, 1]]).T
    a, b = ours @ points, theirs @ points
    np.testing.assert_allclose(a[:2] / a[2], b[:2] / b[2], atol=within)


@pytest.mark.parametrize("name", RUNS)
def test_every_frame_moves_by_deforums_matrix(name: str) -> None:
    golden, whole = RUNS[name], planned(name)
    if golden["mode"] == "2D":
        # Deforum goes as far as the last frame that it paints.
        assert golden["warped"] == list(range(1, golden["painted"][-1] + 1))
    # It works out flips in single precision.
    within = 0.02 if golden["flip"] else 1e-5
    for frame, matrix in matrices_of(name).items():
        ours = still(whole).motion(frame) if golden["flip"] else whole.motion(frame)
        assert_same_matrix(ours, matrix, tuple(golden["size"]), within)


@pytest.mark.parametrize("name", [n for n in RUNS if RUNS[n]["mode"] == "2D" and not RUNS[n]["flip"]])
def test_the_picture_to_repaint_has_moved_by_the_product_of_the_steps(name: str) -> None:
    steps, theirs = looped(name)[1], matrices_of(name)
    painted = RUNS[name]["painted"]
    for before, frame in pairwise(painted):
        way = np.eye(3)
        for step in range(before + 1, frame + 1):
            way = theirs[step] @ way
        assert_same_matrix(steps[frame], way, tuple(RUNS[name]["size"]), 1e-4)


def board(width: int, height: int) -> np.ndarray:
    """Squares of 8 px, a colour of its own in each channel."""
    rows, columns = np.mgrid[:height, :width]
    lit = (columns // 8 + rows // 8) % 2 * 255
    return np.stack([lit, 255 - lit, (columns // 16 + rows // 16) % 2 * 255], axis=-1).astype(np.uint8)


@pytest.mark.parametrize("name", [name for name in RUNS if RUNS[name]["warped"]])
def test_a_checkerboard_is_warped_as_deforum_has_opencv_warp_it(name: str) -> None:
    """Four frames of every run, beside the call that Deforum makes: 8 bits, its matrix, its border."""
    golden, whole = RUNS[name], planned(name)
    # OpenCV 4 rounds positions to 1/32 px: up to 1/64 px both ways, where a step is 255 high.
    within = 1 if opencv_is_exact() else 1 + 2 * 255 / 64
    width, height = golden["size"]
    picture = board(width, height)
    matrices = matrices_of(name)
    for frame in golden["warped"][:: max(1, len(matrices) // 4)]:
        theirs = cv2.warpPerspective(
            picture,
            matrices[frame],
            (width, height),
            borderMode=cv2.BORDER_WRAP if golden["border"] == "wrap" else cv2.BORDER_REPLICATE,
        )
        motion = (still(whole) if golden["flip"] else whole).motion(frame)
        ours = warp(picture.astype(np.float32) / 255, motion, whole.settings.border) * 255
        assert np.abs(ours - theirs).max() <= within


class Dark(Deforum):
    """Paints black where the seed is among some."""

    def __init__(self, black: list[int]) -> None:
        super().__init__()
        self.black = black

    def still(self, request: StillRequest, on_step: Any = None) -> Any:
        self.requests.append(request)
        assert self.first is not None
        return self.first * 0 if request.seed in self.black else self.first


@pytest.mark.parametrize("name", GOLDEN["blank"])
def test_a_blank_frame_is_painted_again_with_the_seeds_that_deforum_takes(name: str) -> None:
    """Counted seeds move on with it, those of a schedule do not."""
    golden = GOLDEN["blank"][name]
    settings, _ = from_deforum(golden["file"])
    engine = Dark(golden["black"])
    whole = plan(settings, engine.capabilities, 77, probe)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "warp", lambda picture, matrix, border: picture)
        frames = [
            event
            for event in pipeline.run(whole, Studio(engine=engine), Inputs())
            if isinstance(event, FrameDone)
        ]
    assert [request.seed for request in engine.requests] == golden["seeds"]
    assert len(golden["seeds"]) > len(set(golden["painted"]))
    kept = [request.seed for request in engine.requests if request.seed not in golden["black"]]
    assert [event.values["seed"] for event in frames if event.painted] == kept
