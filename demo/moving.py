"""Draws a small film to try things on, a ball that rolls by: `python -m demo.moving --out FILM`."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from lib_anim.media.sound import click_track, write_wav
from lib_anim.media.write import open_sink
from training.painting import paint
from training.scenes import Scene

FRAMES, RATE = 36, 12


def rolling(frames: int = FRAMES, rate: int = RATE, out: Path = Path("rolling.mp4")) -> Path:
    """Write the film, 128 × 128, with a click every half second."""
    with tempfile.TemporaryDirectory() as folder:
        clicks = write_wav(Path(folder) / "clicks.wav", click_track(120, frames / rate))
        with open_sink(out, width=128, height=128, rate=rate, audio=clicks) as sink:
            for frame in range(frames):
                x = 0.1 + 0.8 * frame / (frames - 1)
                scene = Scene("meadow", "spring", "clear", "day", 7, "ball", "red", "", x)
                sink.write(paint(scene))
    return out


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    print(rolling(out=parser.parse_args().out))
