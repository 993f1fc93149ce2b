"""Measures what restyling costs beside the painting: time that a frame waits, and memory.

    python benchmarks/restyle.py [--frames 120] [--size 512] [--painting 0.25] [--json FILE]

The engine gives its init back after as long as `--painting` says, without work, as a GPU would. "waits" is
the time from one picture's end to the next one's start: the only part that makes a film slower than its
painting. The yardstick is a bare loop of OpenCV and Pillow in the same run: decode, to RGB float and back,
write PNG (level 1).
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.films import make_film
from benchmarks.memory import memory
from lib_anim.engines.checker import CheckerEngine
from lib_anim.engines.contract.engine import OnStep
from lib_anim.engines.contract.requests import StillRequest
from lib_anim.jobs.run.runner import render
from lib_anim.jobs.run.start import start
from lib_anim.kinds.events import Event, Progress
from lib_anim.kinds.registry import RESTYLE
from lib_anim.kinds.restyle.settings import Restyle
from lib_anim.media.pictures import write_picture
from lib_anim.types import Picture


class Waiting(CheckerEngine):
    """Gives the init back after a while, and keeps when each picture began and ended."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.times: list[tuple[float, float]] = []

    def still(self, request: StillRequest, on_step: OnStep | None = None) -> Picture:
        begin = time.perf_counter()
        assert request.init is not None
        picture: Picture = request.init * np.float32(0.9)
        time.sleep(self.seconds)
        self.times.append((begin, time.perf_counter()))
        return picture


def ours(video: Path, folder: Path, painting: float, **changes: Any) -> dict[str, float]:
    """Milliseconds per frame: what a picture waits, all of it, and the film at the end."""
    engine = Waiting(painting)
    settings = Restyle(video=str(video), seed=1, **changes)
    run, plan = start(RESTYLE, settings, engine, "checker", folder, 0)
    ends: dict[str, float] = {}

    def listen(event: Event) -> None:
        if isinstance(event, Progress):
            ends.setdefault(event.phase, time.perf_counter())

    render(RESTYLE, plan, engine, run, listen)
    done = time.perf_counter()
    gaps = [later[0] - before[1] for before, later in zip(engine.times, engine.times[1:], strict=False)]
    frames = len(engine.times)
    return {
        "waits": 1000 * statistics.median(gaps),
        "waits, 95 %": 1000 * float(np.percentile(gaps, 95)),
        "painting and waiting": 1000 * (engine.times[-1][1] - engine.times[0][0]) / frames,
        "film at the end": 1000 * (done - ends["film"]) / frames,
    }


def bare(video: Path, folder: Path) -> float:
    """Milliseconds per frame of the same work by OpenCV and Pillow, one after the other."""
    source = cv2.VideoCapture(str(video))
    begin, count = time.perf_counter(), 0
    while True:
        there, frame = source.read()
        if not there:
            break
        picture = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB).astype(np.float32) / np.float32(255)
        back = np.rint(picture * 255).astype(np.uint8)
        Image.fromarray(back).save(folder / f"{count:06d}.png", compress_level=1)
        count += 1
    return 1000 * (time.perf_counter() - begin) / count


def child(frames: int) -> None:
    """Print this process' peak memory in MiB after that many small frames with masks, painted by checker."""
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        video = make_film(folder / "v.mp4", frames, 64)
        masks = folder / "masks"
        masks.mkdir()
        for number in range(frames):
            write_picture(masks / f"{number:06d}.png", np.full((64, 64, 3), 255, np.uint8))
        engine = CheckerEngine()
        settings = Restyle(
            video=str(video), mask=str(masks), seed=1, denoising="0:(0.2), max_f:(0.8)", steps=1
        )
        run, plan = start(RESTYLE, settings, engine, "checker", folder, 0)
        result = render(RESTYLE, plan, engine, run)
        assert result.finished
        assert result.frames == frames
    print(memory("VmHWM"))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--painting", type=float, default=0.25)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child)
        return
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        video = make_film(folder / "v.mp4", options.frames, options.size)
        found["bare loop"] = bare(video, folder)
        found["plain"] = ours(video, folder, options.painting)
        found["without painting"] = ours(video, folder, 0.0)
        found["LAB colours of the video"] = ours(
            video, folder, options.painting, color_coherence="LAB", color_reference="video"
        )
        found["previous output"] = ours(video, folder, options.painting, init="previous output")
    for name, figures in found.items():
        if isinstance(figures, float):
            print(f"{name:26s} {figures:7.1f} ms a frame")
        else:
            print(f"{name:26s} " + ", ".join(f"{what} {value:.1f}" for what, value in figures.items()))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
