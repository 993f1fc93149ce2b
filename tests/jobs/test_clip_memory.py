"""A clip's memory is flat in its length, but for its latents."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc tells the peak of a stretch of work")
def test_128_frames_need_no_more_than_32() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "clips.py"), "--size", "64"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    said = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    peaks = {int(line.split()[0]): float(line.split()[1]) for line in said.splitlines()}
    assert peaks[128] - peaks[32] < 30
