"""The examples, run as a reader would run them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from lib_anim.media.probe import probe

from .serving import REPOSITORY, Server


def test_a_short_script_makes_follows_and_fetches_a_film(tmp_path: Path) -> None:
    server = Server(tmp_path / "home")
    try:
        script = REPOSITORY / "examples" / "film.py"
        command = [sys.executable, str(script), server.url, str(tmp_path / "film.mp4"), "checker"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    finally:
        server.stop()
    assert done.returncode == 0, done.stderr
    facts = probe(tmp_path / "film.mp4")
    assert (facts.frames, facts.rate, facts.width) == (24, 12, 128)
    lines = done.stdout.split("\n")
    assert lines[0] == "queued"
    assert "24 of 24" in lines
    assert lines[-2] == "done"
    code = [line for line in script.read_text().splitlines() if line.strip()]
    assert len(code) <= 25
