"""Memory of restyling does not grow with the film: 10,000 frames with masks stay under a fixed ceiling."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

CEILING = 420
"""MiB of the whole process, with Python, NumPy, OpenCV and PyAV (some 330)."""


def peak(frames: int) -> float:
    """MiB of peak memory of a process that restyles that many small frames with a mask for each."""
    command = [sys.executable, str(ROOT / "benchmarks" / "restyle.py"), "--child", str(frames)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="reads memory from /proc")
def test_a_thousand_frames_need_hardly_more_memory_than_a_hundred() -> None:
    # Numbers, prompts and names are kept for every frame: some 2 KB.
    assert peak(1000) - peak(100) < 12


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(sys.platform != "linux", reason="reads memory from /proc")
def test_ten_thousand_frames_stay_under_the_ceiling() -> None:
    assert peak(10_000) < CEILING
