"""Two hundred frames restyled by a real WebUI's own queue: memory flat, sound and length kept."""

from __future__ import annotations

import os
import time
import urllib.request
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lib_anim.media.mux import Sound
from lib_anim.media.read import open_source
from lib_anim.media.write import open_sink

pytestmark = [pytest.mark.webui, pytest.mark.slow, pytest.mark.timeout(1800)]

RATE = 25


def tone(path: Path, seconds: float) -> Path:
    """A WAV of so many seconds."""
    import wave

    beat = np.sin(np.arange(int(8000 * seconds)) * (2 * np.pi * 440 / 8000))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes((beat * 12000).astype("<i2").tobytes())
    return path


def video(path: Path, frames: int) -> Path:
    """A film with sound."""
    sound = Sound(tone(path.with_suffix(".wav"), frames / RATE))
    with open_sink(path, width=64, height=64, rate=RATE, audio=sound) as sink:
        for number in range(frames):
            sink.write(np.full((64, 64, 3), number, np.uint8))
    return path


def made(host: Any, film: Path, out: Path) -> Path:
    """The film of a job of the WebUI's queue."""
    settings = {"video": str(film), "prompts": "a house", "steps": 1, "denoising": 0.5, "seed": 3}
    status, answer = host.request("/flipbook/v1/jobs", {"kind": "restyle", "settings": settings})
    assert status == 202, answer
    (job,) = answer["ids"]
    # A film of a WebUI is over when it says so; a page asks like this, too.
    while (found := host.request(f"/flipbook/v1/jobs/{job}")[1])["status"] in ("queued", "running"):
        time.sleep(0.2)
    assert found["status"] == "done", found
    urllib.request.urlretrieve(f"{host.url}/flipbook/v1/jobs/{job}/film", out)
    return out


def test_two_hundred_frames_need_the_memory_of_twenty_and_keep_their_sound(
    clip_host: Any, tmp_path: Path, record_property: Any
) -> None:
    pid = os.environ.get("WEBUI_CLIP_PID") or getattr(getattr(clip_host, "process", None), "pid", None)
    status = Path(f"/proc/{pid}/status")
    if not status.is_file():
        pytest.skip("needs a WebUI that this test has started, on Linux")

    def peak(frames: int) -> int:
        Path(f"/proc/{pid}/clear_refs").write_text("5")
        film = made(clip_host, video(tmp_path / f"{frames}.mp4", frames), tmp_path / f"{frames}-out.mp4")
        with open_source(film) as source:
            assert source.info.frames == frames
            assert source.info.rate == Fraction(RATE)
            assert source.info.audio
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1])

    peak(20)
    short, long = peak(20), peak(200)
    record_property("highest memory with 20 and 200 frames, MiB", (short // 1024, long // 1024))
    assert long - short <= 30_000, (short, long)
