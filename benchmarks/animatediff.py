"""Denoises the same clip with the same random weights here and in diffusers' AnimateDiffPipeline.

Prints, for each, the time per step and how far memory rises above the loaded weights while sampling; each
side runs in a process of its own, one after the other. Run from the repository's root:

    python benchmarks/animatediff.py [--size 256] [--frames 16] [--steps 2] [--widths 64 128 256 256]

On a card: SD 1.5's widths, 512 × 512, 16 frames, 25 steps, float16. Elsewhere smaller, in float32.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.memory import forget_peak, memory

CARD = torch.cuda.is_available()
TEXT = 768


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--size", type=int, default=512 if CARD else 256)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--steps", type=int, default=25 if CARD else 2)
    parser.add_argument(
        "--widths", type=int, nargs="+", default=[320, 640, 1280, 1280] if CARD else [64, 128, 256, 256]
    )
    parser.add_argument("--side", choices=["flipbook", "diffusers"], help="run one side only, print JSON")
    return parser.parse_args()


class Peak:
    """The most memory that was in use since the start, above what was in use then; bytes."""

    def __init__(self) -> None:
        if CARD:
            torch.cuda.reset_peak_memory_stats()
            self._before = torch.cuda.memory_allocated()
        else:
            forget_peak()
            self._before = memory("VmRSS") * 2**20

    def above(self) -> float:
        return (torch.cuda.max_memory_allocated() if CARD else memory("VmHWM") * 2**20) - self._before


def networks(widths: list[int]) -> tuple[Any, Any]:
    """A UNet of SD 1.5's topology and a motion adapter of v3's, random, the same for every process."""
    from diffusers import MotionAdapter, UNet2DConditionModel

    torch.manual_seed(7)
    down = ("CrossAttnDownBlock2D",) * (len(widths) - 1) + ("DownBlock2D",)
    up = ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * (len(widths) - 1)
    unet = UNet2DConditionModel(
        block_out_channels=tuple(widths),
        down_block_types=down,
        up_block_types=up,
        cross_attention_dim=TEXT,
        attention_head_dim=8,
    )
    adapter = MotionAdapter(block_out_channels=tuple(widths), use_motion_mid_block=False)
    for name, value in adapter.named_parameters():
        if "proj_out" in name:
            torch.nn.init.normal_(value, std=0.02)
    device, dtype = ("cuda", torch.float16) if CARD else ("cpu", torch.float32)
    return unet.to(device, dtype).eval(), adapter.to(device, dtype).eval()


def inputs(given: argparse.Namespace) -> tuple[Tensor, Tensor, Tensor]:
    """Noise (frames, 4, h, w), a prompt's and a negative's embeddings (1, 77, TEXT)."""
    torch.manual_seed(1)
    side = given.size // 8
    made = torch.randn(given.frames, 4, side, side), torch.randn(1, 77, TEXT), torch.randn(1, 77, TEXT)
    device, dtype = ("cuda", torch.float16) if CARD else ("cpu", torch.float32)
    x, positive, negative = (value.to(device, dtype) for value in made)
    return x, positive, negative


def scheduler() -> Any:
    from diffusers import DDIMScheduler

    return DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="linear", clip_sample=False, steps_offset=1
    )


def flipbook(steps: int, unet: Any, session: Any, x: Tensor, text: Tensor) -> Tensor:
    """The loop that the pipeline runs: DDIM under guidance, prompt and negative in one batch."""
    plan = scheduler()
    plan.set_timesteps(steps)
    for number, moment in enumerate(plan.timesteps):
        both = x.repeat(2, 1, 1, 1)

        def inner(rows: Any, both: Tensor = both, moment: Tensor = moment) -> Tensor:
            seen = rows.of(both), moment
            return unet(*seen, encoder_hidden_states=rows.of(text), return_dict=False)[0]

        away, towards = session.denoise(both, number, inner).chunk(2)
        x = plan.step(away + 7.5 * (towards - away), moment, x, return_dict=False)[0]
    return x


def ours(given: argparse.Namespace) -> dict[str, float]:
    import tempfile

    from lib_anim.models.motion.reader import read_motion_module
    from lib_anim.motion.plan import ClipPlan
    from lib_anim.motion.session import ClipSession
    from lib_anim.motion.sites import sites_of_diffusers

    unet, adapter = networks(given.widths)
    with tempfile.TemporaryDirectory() as folder:
        adapter.save_pretrained(folder)
        module = read_motion_module(Path(folder) / "diffusion_pytorch_model.safetensors")
    del adapter
    session = ClipSession(module, ClipPlan(frames=given.frames))
    x, positive, negative = inputs(given)
    text = torch.cat([negative.expand(given.frames, -1, -1), positive.expand(given.frames, -1, -1)])
    with torch.inference_mode(), session.installed(sites_of_diffusers(unet)):
        return measured(lambda steps: flipbook(steps, unet, session, x, text), given.steps)


def theirs(given: argparse.Namespace) -> dict[str, float]:
    from diffusers import AnimateDiffPipeline, AutoencoderKL

    unet, adapter = networks(given.widths)
    vae = AutoencoderKL(block_out_channels=(32, 32, 32, 32), down_block_types=("DownEncoderBlock2D",) * 4,
                        up_block_types=("UpDecoderBlock2D",) * 4)  # fmt: skip
    pipe = AnimateDiffPipeline(
        vae=vae, text_encoder=None, tokenizer=None, unet=unet, motion_adapter=adapter, scheduler=scheduler()
    )
    pipe.set_progress_bar_config(disable=True)
    x, positive, negative = inputs(given)

    def run(steps: int) -> Tensor:
        return pipe(
            prompt_embeds=positive,
            negative_prompt_embeds=negative,
            latents=x.transpose(0, 1)[None].contiguous(),
            num_frames=given.frames,
            width=given.size,
            height=given.size,
            num_inference_steps=steps,
            guidance_scale=7.5,
            output_type="latent",
        ).frames

    return measured(run, given.steps)


def measured(run: Any, steps: int) -> dict[str, float]:
    """Seconds a step (processor time off a card), memory above the weights; after one step to warm up."""
    run(1)
    clock = time.perf_counter if CARD else time.process_time
    peak, start = Peak(), clock()
    run(steps)
    if CARD:
        torch.cuda.synchronize()
    return {"seconds": (clock() - start) / steps, "bytes": peak.above()}


def main() -> None:
    given = options()
    if given.side:
        print(json.dumps(ours(given) if given.side == "flipbook" else theirs(given)))
        return
    where = torch.cuda.get_device_name() if CARD else "CPU, float32"
    print(f"{given.frames} frames, {given.size} px, widths {given.widths}, {given.steps} steps, {where}")
    found = {}
    for side in ("diffusers", "flipbook"):
        command = [sys.executable, *sys.argv, "--side", side]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found[side] = json.loads(done.stdout.splitlines()[-1])
        print(f"{side}: {found[side]['seconds']:.2f} s a step, {found[side]['bytes'] / 2**20:.0f} MiB")
    speed = found["diffusers"]["seconds"] / found["flipbook"]["seconds"]
    memory = found["flipbook"]["bytes"] / found["diffusers"]["bytes"]
    print(f"flipbook beside diffusers: {speed:.2f} times the speed, {memory:.2f} times the memory")


if __name__ == "__main__":
    main()
