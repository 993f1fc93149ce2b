"""`make demo`: a film from a photograph and four prompts, which checks itself.

The photograph is scikit-image's `rocket.jpg` (a launch at Cape Canaveral, NASA, public domain), the sound a
generated click track, the checkpoint `demo/flipbook-demo.safetensors`.
"""

from __future__ import annotations

import argparse
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import skimage

from lib_anim.actions.assembly import assemble
from lib_anim.actions.execute import Callbacks, execute, render_spec
from lib_anim.actions.settings_files import load_settings
from lib_anim.app.engines import open_engine
from lib_anim.app.progress import ProgressBar
from lib_anim.errors import FlipbookError
from lib_anim.imaging.metrics import mean_motion
from lib_anim.jobs.run.runner import Result
from lib_anim.kinds.assemble.settings import Assemble
from lib_anim.media.probe import probe
from lib_anim.media.read import open_source
from lib_anim.media.sound import click_track, read_sound, write_wav

SETTINGS = Path(__file__).with_name("seasons.json")
PHOTOGRAPH = Path(skimage.__file__).parent / "data" / "rocket.jpg"
BPM, SECONDS, RATE = 120, 4, 48_000
PICTURE_QUALITY = 80


class DemoFailed(AssertionError):
    """The film is not what its settings promise."""


def make(out: Path) -> Result:
    """Render the demo film under `out`. Returns the run's result."""
    out.mkdir(parents=True, exist_ok=True)
    clicks = out / "clicks.wav"
    write_wav(clicks, click_track(BPM, SECONDS, RATE), RATE)
    loaded = load_settings(SETTINGS, {"init_image": str(PHOTOGRAPH), "soundtrack": str(clicks)})
    with ProgressBar() as bar:
        return execute(render_spec(loaded, "demo"), open_engine, out, Callbacks(hear=bar.hear))


def check(film: Path) -> list[str]:
    """What the film shows, in sentences. Raises DemoFailed for the first that is not so."""
    loaded = load_settings(SETTINGS)
    frames, rate = loaded.settings.values()["frames"], loaded.settings.values()["fps"]
    facts = probe(film)
    require(facts.frames == frames, f"{facts.frames} frames instead of {frames}")
    require(abs(facts.duration - frames / rate) < 1e-6, f"lasts {facts.duration} s")
    with open_source(film) as source:
        pictures = [frame.copy() for frame in source]
    changes = [float(np.abs(a.astype(int) - b).mean()) for a, b in pairwise(pictures)]
    require(min(changes) > 0.5, f"two neighbouring frames differ by {min(changes):.2f} of 255 only")
    half = frames // 2
    right, left = across(pictures[:half]), across(pictures[half + 1 :])
    require(right > 0, f"the camera's first half moves {right:+.2f} px a frame; the schedule says right")
    require(left < 0, f"the camera's second half moves {left:+.2f} px a frame; the schedule says left")
    late = max_click_error(film)
    require(late <= 1 / float(rate), f"a click is {late:.3f} s from its beat")
    return [
        f"{facts.frames} frames, {facts.duration:g} s at {rate} frames/s",
        f"neighbouring frames differ by {min(changes):.1f} to {max(changes):.1f} of 255",
        f"the picture moves {right:+.2f} px a frame, then {left:+.2f}; the schedule says +1.5, then -1.5",
        f"clicks lie within {late * 1000:.0f} ms of their beats",
    ]


def across(pictures: list[np.ndarray]) -> float:
    """Mean motion to the right, pixels a frame: the median over neighbouring frames of the mean flow."""
    floats = [picture.astype(np.float32) / np.float32(255) for picture in pictures]
    return float(np.median([mean_motion(a, b)[0] for a, b in pairwise(floats)]))


def max_click_error(film: Path) -> float:
    """Seconds between the beats and the loud onsets of the film's sound, at most."""
    sound = np.abs(read_sound(film, RATE)).max(axis=1)
    loud = np.flatnonzero(sound > 0.5 * sound.max())
    onsets = loud[np.flatnonzero(np.diff(loud, prepend=-RATE) > RATE // 10)] / RATE
    beats = np.arange(0, SECONDS, 60 / BPM)
    require(len(onsets) == len(beats), f"{len(onsets)} clicks instead of {len(beats)}")
    return float(np.abs(onsets - beats).max())


def require(true: bool, sentence: str) -> None:
    """Raise DemoFailed with the sentence unless it is so."""
    if not true:
        raise DemoFailed(sentence)


def moving_picture(film: Path, picture: Path) -> None:
    """Write a film as an animated WebP that repeats for ever."""
    settings = Assemble(source=str(film), format="webp", sound="none", quality=PICTURE_QUALITY)
    assemble(settings, picture, lambda event: None)


def main() -> int:
    """Render and check the film; print its paths."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out"))
    parser.add_argument(
        "--picture", type=Path, help="also write the film as an animated WebP, as in the README"
    )
    options = parser.parse_args()
    begun = time.monotonic()
    try:
        result = make(options.out)
        if result.film is None:
            raise DemoFailed("no film was made")
        for fact in check(result.film):
            print(f"  {fact}")
    except (FlipbookError, DemoFailed) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    if options.picture is not None:
        moving_picture(result.film, options.picture)
    print(f"rendered in {time.monotonic() - begun:.0f} s")
    print(f"film   {result.film}\nsheet  {result.sheet}\nrun    {result.run}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
