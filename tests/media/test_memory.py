"""Memory does not grow with the number of frames."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def peak(frames: int) -> float:
    """MiB of peak memory of a process that writes and reads that many small frames."""
    command = [sys.executable, str(ROOT / "benchmarks" / "media.py"), "--child", str(frames)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="reads memory from /proc")
@pytest.mark.parametrize("many", [1500, pytest.param(10_000, marks=pytest.mark.slow)])
def test_many_small_frames_need_no_more_memory_than_few(many: int) -> None:
    assert peak(many) - peak(100) < 100 * many / 10_000
