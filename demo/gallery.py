"""Paints the contact sheets of docs/guide/gallery.md: `python -m demo.gallery --out docs/guide/gallery`."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import skimage
from PIL import Image

from demo.moving import rolling
from lib_anim.actions.execute import Callbacks, execute, render_spec
from lib_anim.actions.settings_files import Loaded, settings_from
from lib_anim.app.engines import open_engine
from lib_anim.app.progress import ProgressBar
from lib_anim.engines.contract.engine import Engine
from lib_anim.jobs.run.runner import Result
from lib_anim.media.pictures import read_picture, write_picture
from lib_anim.media.read import open_source
from lib_anim.media.sheet import contact_sheet
from lib_anim.media.write import open_sink

SHOWN = 8
FILM: dict[str, Any] = {
    "kind": "keyframed",
    "frames": 16,
    "fps": 8,
    "width": 128,
    "height": 128,
    "seed": 3,
    "steps": 20,
    "cfg_scale": 5,
    "prompts": {"0": "spring meadow with blossoming trees, sunny day"},
    "strength": 0.5,
    "noise": 0.02,
    "sharpen_amount": 0,
    "color_coherence": "None",
}
SEASONS = {
    "0": "spring meadow with blossoming trees, sunny day",
    "15": "winter meadow, bare trees, white snow",
}
SHEETS: dict[str, list[dict[str, Any]]] = {
    "2d": [{"zoom": 1.03, "angle": "0:(0), 15:(3)"}],
    "interpolation": [
        {"mode": "Interpolation", "prompts": SEASONS, "prompt_blend": "slerp", "seed_behavior": "fixed"}
    ],
    "video-input": [
        {
            "mode": "Video Input",
            "video": "slide.mp4",
            "strength": 0.45,
            "prompts": {"0": "autumn lake, orange trees"},
        }
    ],
    "cadence": [{"zoom": 1.04, "cadence": 1}, {"zoom": 1.04, "cadence": 3}],
    "borders": [
        {"translation_x": 8, "strength": 1, "noise": 0, "border": "wrap"},
        {"translation_x": 8, "strength": 1, "noise": 0, "border": "reflect"},
    ],
    "noise-mask": [
        {
            "noise": 0.9,
            "noise_type": "uniform",
            "strength": 1,
            "noise_mask_expression": "[left.png]",
            "frames": 8,
        }
    ],
}
"""Sheet → the films whose frames it shows, one under the other."""

RESTYLED: dict[str, Any] = {
    "kind": "restyle",
    "video_every": 5,
    "seed": 3,
    "steps": 20,
    "cfg_scale": 5,
    "prompts": "winter meadow, bare trees, white snow, red ball --neg night, rain",
}
RESTYLES: list[dict[str, Any]] = [{"denoising": 0.4}, {"denoising": "0:(0), max_f:(0.6)"}]
"""What the sheet of restyling shows below its source."""


def prepare(folder: Path) -> None:
    """The files that the sheets take in: a film that slides over a photograph, and half a mask."""
    photograph = read_picture(Path(skimage.__file__).parent / "data" / "coffee.png")[..., :3]
    with open_sink(folder / "slide.mp4", width=256, height=256, rate=8) as sink:
        for frame in range(16):
            sink.write(np.ascontiguousarray(photograph[80:336, 40 + 10 * frame : 296 + 10 * frame]))
    mask = np.zeros((128, 128, 3), np.uint8)
    mask[:, :64] = 255
    write_picture(folder / "left.png", mask)


def rendered(settings: Loaded, engine: Engine, runs: Path) -> Result:
    """A film of the demo checkpoint."""
    with ProgressBar() as bar:
        callbacks = Callbacks(hear=bar.hear)
        return execute(render_spec(settings, "demo"), lambda name: engine, runs, callbacks)


def restyle_sheet(out: Path, folder: Path, engine: Engine) -> None:
    """A film of a rolling ball above, restyled below."""
    video = rolling(out=folder / "rolling.mp4")
    with open_source(video, every=RESTYLED["video_every"]) as source:
        rows, shown = [source[index] for index in range(SHOWN)], list(range(SHOWN))
    for change in RESTYLES:
        settings = settings_from({**RESTYLED, **change, "video": str(video)}, {})
        result = rendered(settings, engine, folder / "runs")
        rows += [read_picture(result.run / "frames" / f"{index:06d}.png") for index in shown]
    labels = [str(index) for index in shown] * (len(RESTYLES) + 1)
    sheet = Image.fromarray(contact_sheet(rows, columns=SHOWN, labels=labels))
    # 256 colours: three rows of painted noise would take half a megabyte.
    sheet.quantize(256, dither=Image.Dither.NONE).save(out / "restyle.png", optimize=True)


def main() -> None:
    """Paint every sheet, or the one that is named, into a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", choices=[*SHEETS, "restyle"])
    options = parser.parse_args()
    out = options.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    engine = open_engine("demo")
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        prepare(folder)
        if options.only in (None, "restyle"):
            restyle_sheet(out, folder, engine)
        for name, changes in SHEETS.items():
            if options.only not in (None, name):
                continue
            rows, labels = [], []
            for change in changes:
                settings = {**FILM, **change}
                if "video" in settings:
                    settings["video"] = str(folder / settings["video"])
                if "noise_mask_expression" in settings:
                    settings["noise_mask_expression"] = f"[{folder / 'left.png'}]"
                result = rendered(settings_from(settings, {}), engine, folder / "runs")
                shown = [round(i * (result.frames - 1) / (SHOWN - 1)) for i in range(SHOWN)]
                rows += [read_picture(result.run / "frames" / f"{index:06d}.png") for index in shown]
                labels += [str(index) for index in shown]
            write_picture(out / f"{name}.png", contact_sheet(rows, columns=SHOWN, labels=labels))


if __name__ == "__main__":
    main()
