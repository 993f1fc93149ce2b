"""What a job adds to the painting: frames written beside it, or one after the other.

    python -m benchmarks.jobs [--frames 40] [--paint 0.15] [--size 512]

The engine waits for `--paint` seconds a picture, as one does that paints on a graphics card, and gives a
picture full of detail. Prints milliseconds per frame between the first and the last one, and exits with 1
when writing costs the loop more than a quarter of what it costs where the loop waits for it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from concurrent.futures import Future
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from lib_anim.engines.checker import CheckerEngine
from lib_anim.engines.contract import OnStep, Picture, StillRequest
from lib_anim.jobs import job
from lib_anim.pipelines.events import FrameDone, Progress
from lib_anim.pipelines.kinds import KEYFRAMED
from lib_anim.settings.keyframed import Keyframed


class Waiting(CheckerEngine):
    """Leaves the processor alone for a while, then gives a picture that is hard to compress."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def still(self, request: StillRequest, on_step: OnStep | None = None) -> Picture:
        time.sleep(self.seconds)
        if request.init is not None:
            return request.init.copy()
        detail = np.random.default_rng(request.seed).random((request.height, request.width, 3), np.float32)
        return detail


class Inline:
    """An executor that does at once what it is given."""

    def __init__(self, *args: Any, **named: Any) -> None: ...

    def __enter__(self) -> Inline:
        return self

    def __exit__(self, *args: object) -> None: ...

    def submit(self, call: Any, *args: Any) -> Future[None]:
        done: Future[None] = Future()
        call(*args)
        done.set_result(None)
        return done


def run(frames: int, size: int, paint: float) -> tuple[float, float]:
    """(milliseconds per frame from the first to the last, milliseconds of the film afterwards per frame)."""
    settings = Keyframed(
        frames=frames,
        width=size,
        height=size,
        seed=1,
        zoom="0:(1.01)",
        color_coherence="None",
        sharpen_amount="0:(0)",
    )
    engine, seen, film = Waiting(paint), [], []

    def listen(event: Any) -> None:
        if isinstance(event, FrameDone):
            seen.append(time.perf_counter())
        elif isinstance(event, Progress) and event.phase == "film":
            film.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as folder:
        run, plan = job.start(KEYFRAMED, settings, engine, "", Path(folder), 0)
        job.render(KEYFRAMED, plan, engine, run, listen)
    end = time.perf_counter()
    return (seen[-1] - seen[0]) / (frames - 1) * 1e3, (end - film[0]) / frames * 1e3


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--paint", type=float, default=0.15)
    parser.add_argument("--size", type=int, default=512)
    options = parser.parse_args()
    work = (options.frames, options.size, options.paint)
    with (
        mock.patch.object(job, "_write_frame"),
        mock.patch.object(job, "make_film", nothing),
    ):
        bare, _ = run(*work)
    beside, film = run(*work)
    with mock.patch.object(job, "ThreadPoolExecutor", Inline):
        waited, _ = run(*work)
    print(
        f"{options.size}×{options.size}, {options.frames} frames, painted in {options.paint * 1e3:.0f} ms each"
    )
    print(f"| {'per frame':44} | {'ms':>7} |\n|{'-' * 46}|{'-' * 8}:|")
    print(f"| {'nothing written':44} | {bare:7.1f} |")
    print(f"| {'frame and state written beside the painting':44} | {beside:7.1f} |")
    print(f"| {'frame and state written before the next one':44} | {waited:7.1f} |")
    print(f"| {'the film, after the last frame':44} | {film:7.1f} |")
    return 1 if beside - bare > 0.25 * (waited - bare) else 0


def nothing(*args: Any, **named: Any) -> tuple[None, None, tuple[str, ...]]:
    return None, None, ()


if __name__ == "__main__":
    raise SystemExit(main())
