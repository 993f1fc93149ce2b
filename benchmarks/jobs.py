"""What writing frames, states and the film costs, beside the painting and one after the other.

    python -m benchmarks.jobs [--frames 150] [--size 512]

Milliseconds per frame that the loop stands still between giving a frame away and going on, where the job's
own thread writes it and, beside that, where it is written before the next one is painted. Pictures are full
of detail. Then seconds from the last frame's painting to the film, encoded beside the painting and, on the
same frames, begun after it. Exits with 1 when the loop stands still for more than a tenth of what the
writing takes, or the film that grew beside takes more than half of the other's time. The encoder itself looks
some fifty frames ahead, so those wait for the end either way.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from lib_anim.engines.checker import CheckerEngine
from lib_anim.engines.contract.engine import OnStep
from lib_anim.engines.contract.requests import StillRequest
from lib_anim.jobs.run import frame_writer as writing
from lib_anim.jobs.run import runner as job
from lib_anim.jobs.run.incremental_film import IncrementalFilm
from lib_anim.kinds.events import Event, Progress
from lib_anim.kinds.keyframed.settings import Keyframed
from lib_anim.kinds.registry import KEYFRAMED
from lib_anim.types import Picture

PAINT = 0.25
"""Seconds that a picture takes."""


class Detailed(CheckerEngine):
    """Gives pictures that are hard to compress, after a while in which the processor is free."""

    def still(self, request: StillRequest, on_step: OnStep | None = None) -> Picture:
        time.sleep(PAINT)
        if request.init is not None:
            return request.init.copy()
        return np.random.default_rng(request.seed).random((request.height, request.width, 3), np.float32)


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


def run(frames: int, size: int) -> tuple[float, float]:
    """(Milliseconds per frame that the loop stands still, seconds from the last one to the film)."""
    settings = Keyframed(frames=frames, width=size, height=size, seed=1, zoom="0:(1.01)")
    still, film = [0.0], [0.0]

    def watched(*asked: Any) -> Iterator[Event]:
        for event in KEYFRAMED.run(*asked):
            given = time.perf_counter()
            yield event
            still[0] += time.perf_counter() - given

    def listen(event: Any) -> None:
        if isinstance(event, Progress) and event.phase == "film":
            film[0] = time.perf_counter()

    kind = replace(KEYFRAMED, run=watched)
    with tempfile.TemporaryDirectory() as folder:
        made, plan = job.start(kind, settings, Detailed(), "", Path(folder), 0)
        job.render(kind, plan, Detailed(), made, listen)
    return still[0] / frames * 1e3, time.perf_counter() - film[0]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--frames", type=int, default=150)
    parser.add_argument("--size", type=int, default=512)
    options = parser.parse_args()
    beside, grown = run(options.frames, options.size)
    with mock.patch.object(IncrementalFilm, "settle"):
        _, begun = run(options.frames, options.size)
    with mock.patch.object(writing, "ThreadPoolExecutor", Inline):
        waited, _ = run(min(options.frames, 24), options.size)
    print(f"{options.size}×{options.size}, {options.frames} frames, {PAINT * 1e3:.0f} ms to paint each")
    print(f"| {'milliseconds per frame that the loop stands still':52} | {'':>7} |\n|{'-' * 54}|{'-' * 8}:|")
    print(f"| {'written beside the painting':52} | {beside:7.2f} |")
    print(f"| {'written before the next frame':52} | {waited:7.2f} |")
    print(f"| {'seconds from the last frame to film and sheet':52} | {'':>7} |")
    print(f"| {'encoded beside the painting':52} | {grown:7.2f} |")
    print(f"| {'encoded after the last frame':52} | {begun:7.2f} |")
    print(f"| {'ratio':52} | {grown / begun:7.2f} |")
    return 1 if beside > 0.1 * waited or grown > 0.5 * begun else 0


if __name__ == "__main__":
    raise SystemExit(main())
