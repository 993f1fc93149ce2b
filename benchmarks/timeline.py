"""How long 40 schedules of 10,000 frames take here, beside numexpr called once per frame as Deforum does.

    python benchmarks/timeline.py [--frames 10000] [--repeats 3]

Prints the best of the repeats for each way, the ratio, and the largest difference between their
values. numexpr has to be installed; nothing else here needs it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numexpr
import numpy as np
from numpy.typing import NDArray

from lib_anim.timeline.context import Context
from lib_anim.timeline.schedule import Schedule, parse_schedule

SHAPES = (
    "1.0025 + 0.002 * sin(1.25 * 3.14 * t / {n})",
    "0.5 * cos(2 * 3.14159 * t / {n}) ** 3 + 1.5",
    "(t % {n}) / {n} * 2 - 1",
    "sqrt(abs(sin(t / {n}))) + floor(t / {n}) * 0.01",
    "where(t % {n} < {n} / 2, 1.5, 0.5)",
    "-0.06 * (cos(3.141 * t / {n}) ** 100) + 0.06",
    "exp(-((t % {n}) / 8.0)) * 3",
    "t / max_f * 10 + s % {n}",
)
"""Formulas of the kinds that public settings files hold; five periods each make 40."""

EXPRESSIONS = [shape.format(n=n) for shape in SHAPES for n in (12, 24, 30, 60, 120)]
SEED = 1234


def here(schedules: list[Schedule], frames: int) -> NDArray[np.float64]:
    """All curves by the language's evaluator, (schedules, frames)."""
    film = Context(frames=frames, seed=SEED)
    return np.stack([schedule.numbers(film) for schedule in schedules])


def per_frame(expressions: list[str], frames: int) -> NDArray[np.float64]:
    """All curves by one numexpr call per value, (schedules, frames)."""
    values = np.empty((len(expressions), frames))
    for row, expression in enumerate(expressions):
        for frame in range(frames):
            names = {"t": frame, "max_f": frames - 1, "s": SEED}
            values[row, frame] = numexpr.evaluate(expression, local_dict=names, global_dict={})
    return values


def best(repeats: int, action: Callable[[], NDArray[np.float64]]) -> tuple[float, NDArray[np.float64]]:
    """The shortest wall time of the repeats, and the values."""
    times, values = [], np.empty(0)
    for _ in range(repeats):
        start = time.perf_counter()
        values = action()
        times.append(time.perf_counter() - start)
    return min(times), values


def main() -> None:
    """Runs both ways in one process and prints four lines."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--frames", type=int, default=10_000)
    arguments.add_argument("--repeats", type=int, default=3)
    options = arguments.parse_args()
    parse_schedule("0:(1)")
    start = time.perf_counter()
    schedules = [parse_schedule(f"0:({expression})") for expression in EXPRESSIONS]
    reading = time.perf_counter() - start
    vectorised, mine = best(options.repeats, lambda: here(schedules, options.frames))
    framewise, theirs = best(1, lambda: per_frame(EXPRESSIONS, options.frames))
    print(f"reading {len(schedules)} schedules: {reading * 1000:.1f} ms")
    print(f"evaluating them for {options.frames} frames: {vectorised * 1000:.1f} ms")
    print(f"numexpr once per frame: {framewise * 1000:.0f} ms, {framewise / vectorised:.0f} times as long")
    print(f"largest difference: {np.abs(mine - theirs).max():.2g}")


if __name__ == "__main__":
    main()
