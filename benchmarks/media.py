"""Measures writing and reading of films: frame rate against the ffmpeg program, and memory.

    python benchmarks/media.py [--frames 96] [--threads 2] [--rounds 3] [--json FILE]

Both encoders get the same 1080p uint8 RGB frames, preset medium, crf 17 and thread count, in turns
within one run. Without an ffmpeg program on the path that comparison is skipped and says so.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.memory import memory
from lib_anim.media.read import open_source
from lib_anim.media.write import open_sink

WIDTH, HEIGHT, CRF = 1920, 1080, 17


def make_frames(count: int) -> list[np.ndarray]:
    """A window that pans over smooth noise with fine grain: neither trivial nor hopeless to encode."""
    random = np.random.default_rng(0)
    coarse = random.integers(20, 235, (HEIGHT // 40 + 8, WIDTH // 40 + 8, 3)).astype(np.float32)
    wide = np.kron(coarse, np.ones((40, 40, 1), np.float32))
    for axis in (0, 1):
        for _ in range(3):
            wide = (wide + np.roll(wide, 13, axis) + np.roll(wide, -13, axis)) / 3
    wide = (wide + random.normal(0, 3, wide.shape)).clip(0, 255).astype(np.uint8)
    return [np.ascontiguousarray(wide[n : n + HEIGHT, 2 * n : 2 * n + WIDTH]) for n in range(count)]


def spent(who: int) -> float:
    """Seconds of processor time so far: RUSAGE_SELF or RUSAGE_CHILDREN."""
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def ours(frames: list[np.ndarray], repeat: int, threads: int, folder: Path) -> float:
    """Frames per second of writing them with `open_sink`."""
    begin = time.perf_counter()
    with open_sink(
        folder / "ours.mp4",
        width=WIDTH,
        height=HEIGHT,
        rate=24,
        quality=CRF,
        options={"preset": "medium", "threads": str(threads)},
    ) as sink:
        for _ in range(repeat):
            for frame in frames:
                sink.write(frame)
    return repeat * len(frames) / (time.perf_counter() - begin)


def program(raw: Path, count: int, repeat: int, threads: int, folder: Path) -> float:
    """Frames per second of the ffmpeg program for the same frames from a file of raw RGB."""
    command = ["ffmpeg", "-y", "-v", "error", "-nostdin", "-stream_loop", str(repeat - 1)]
    command += [
        "-f",
        "rawvideo",
        "-pixel_format",
        "rgb24",
        "-video_size",
        f"{WIDTH}x{HEIGHT}",
        "-framerate",
        "24",
    ]
    command += ["-i", str(raw), "-c:v", "libx264", "-preset", "medium", "-crf", str(CRF)]
    command += ["-pix_fmt", "yuv420p", "-threads", str(threads), "-movflags", "faststart"]
    begin = time.perf_counter()
    subprocess.run([*command, str(folder / "program.mp4")], check=True)
    return repeat * count / (time.perf_counter() - begin)


def compare(count: int, threads: int, rounds: int, folder: Path) -> dict[str, Any]:
    """Both in turns: frame rates, the ratio of their medians, and processor time (ours, the program's)."""
    distinct = min(count, 32)
    repeat = max(1, count // distinct)
    frames = make_frames(distinct)
    raw = folder / "frames.rgb"
    with raw.open("wb") as file:
        for frame in frames:
            file.write(frame.tobytes())
    here: list[float] = []
    there: list[float] = []
    at = spent(resource.RUSAGE_SELF), spent(resource.RUSAGE_CHILDREN)
    for _ in range(rounds):
        there.append(program(raw, distinct, repeat, threads, folder))
        here.append(ours(frames, repeat, threads, folder))
    processor = [spent(resource.RUSAGE_SELF) - at[0], spent(resource.RUSAGE_CHILDREN) - at[1]]
    raw.unlink()
    return {
        "frames": distinct * repeat,
        "threads": threads,
        "ours_fps": [round(v, 2) for v in here],
        "ffmpeg_fps": [round(v, 2) for v in there],
        "ratio": round(statistics.median(here) / statistics.median(there), 3),
        "processor_seconds_per_frame": [round(s / rounds / distinct / repeat, 4) for s in processor],
    }


def peak(frames: int) -> float:
    """MiB of peak memory of a fresh process that writes and reads that many small frames."""
    command = [sys.executable, __file__, "--child", str(frames)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def child(frames: int) -> None:
    """Write and read small frames, then print this process's peak memory in MiB."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "small.mp4"
        with open_sink(path, width=64, height=64, rate=24, options={"preset": "ultrafast"}) as sink:
            for number in range(frames):
                sink.write(np.full((64, 64, 3), number % 251, np.uint8))
        with open_source(path, rate=30) as source:
            seen = sum(1 for _ in source)
        assert seen == round(frames * 30 / 24)
    print(memory("VmHWM"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=96)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child is not None:
        child(given.child)
        return
    few, many = peak(100), peak(10_000)
    found: dict[str, Any] = {
        "memory_mib": {"100": round(few), "10000": round(many), "more": round(many - few)}
    }
    if shutil.which("ffmpeg") is None:
        print("No ffmpeg program on the path: the comparison of frame rates is skipped.")
    else:
        with tempfile.TemporaryDirectory() as folder:
            found["h264_1080p_medium"] = compare(given.frames, given.threads, given.rounds, Path(folder))
    text = json.dumps(found, indent=2)
    print(text)
    if given.json:
        given.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
