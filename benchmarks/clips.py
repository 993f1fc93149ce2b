"""Peak memory of clips on the embedded engine, by length: `benchmarks/clips.py [CHECKPOINT] [--size 128]`.

One process paints a short clip to warm up, then clips of 32 and 128 frames into run folders, films included,
and says what the process held at most during each (Linux's VmHWM, reset before each). Without a checkpoint a
random one of SD 1.x topology is made, with a random motion module.
"""

from __future__ import annotations

import argparse
import gc
import tempfile
from pathlib import Path

from benchmarks.memory import forget_peak, memory
from lib_anim.engines.contract.engine import Engine
from lib_anim.engines.diffusion.engine import open_engine
from lib_anim.jobs.run.runner import render
from lib_anim.jobs.run.start import start
from lib_anim.kinds.clip.settings import Clip
from lib_anim.kinds.registry import CLIP


def random_checkpoint(folder: Path) -> Path:
    """A narrow checkpoint and an AnimateDiff v3 module, random, in `folder`."""
    from safetensors.torch import save_file

    from tests.models.random_checkpoint import write_sd1
    from tests.motion.conftest import WIDTHS, native

    (folder / "animatediff").mkdir()
    save_file(native(WIDTHS, 32, mid=False), folder / "animatediff" / "v3.safetensors")
    return write_sd1(folder / "narrow.safetensors")


def peak(engine: Engine, frames: int, size: int, folder: Path) -> float:
    """MiB that the process holds at most while a clip of one step becomes a film."""
    settings = Clip(
        width=size,
        height=size,
        frames=frames,
        steps=1,
        seed=1,
        prompts=f"0: a ball in spring\n{frames - 1}: a ball in winter",
        formats=("MP4", "GIF"),
    )
    gc.collect()
    forget_peak()
    run, plan = start(CLIP, settings, engine, "benchmark", folder, 0)
    render(CLIP, plan, engine, run)
    return memory("VmHWM")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", nargs="?", type=Path)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--frames", type=int, nargs="+", default=[32, 128])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        engine = open_engine(options.checkpoint or random_checkpoint(folder), device="cpu")
        peak(engine, 17, options.size, folder)
        for frames in options.frames:
            print(f"{frames} {peak(engine, frames, options.size, folder):.1f}", flush=True)
        engine.close()


if __name__ == "__main__":
    main()
