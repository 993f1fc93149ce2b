"""Train the demo checkpoint: `python -m training.train all --work DIR`. Every stage resumes."""

from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL
from transformers import CLIPTokenizer

from training import pictures, scenes
from training.export import MOTION_NAME, NAME, write_checkpoint, write_motion
from training.latents import fold_scale
from training.loading import Painter, load
from training.networks import Widths, build_vae
from training.speed import float_norms, sleep
from training.stages import Plan, write_json
from training.tokenizer import build_tokenizer
from training.train_moving import Moving, train_moving
from training.train_unet import Course, networks, train_unet
from training.train_vae import train_vae, train_whole, vae_figures

CHECKPOINT_FOLDER = Path(__file__).resolve().parents[1] / "demo"
"""The folder of the finished checkpoint."""
VAE_PLAN = Plan(steps=1600, batch=4, peak=2.5e-4, seed=7, warmup=60, save_every=100)
WHOLE_PLAN = Plan(steps=2000, batch=4, peak=3e-4, seed=3, warmup=20, save_every=50, hold=1200)
COURSES = (
    Course(side=64, scenes=4000, steps=400, batch=32, seed=11),
    Course(side=128, scenes=2400, steps=1100, batch=16, seed=12),
)
UNET_PLAN = Plan(steps=sum(c.steps for c in COURSES), batch=32, peak=1.5e-3, seed=8, warmup=50, save_every=50)
MOVING = Moving(
    side=128, scenes=4000, scene_seed=22, stills=8, clips=160, clip_seed=51, frames=8, pairs=5, first=400
)
MOVING_PLAN = Plan(steps=2500, batch=8, peak=1.2e-3, seed=19, warmup=20, save_every=50, hold=1400)
FOLD_SEED, FOLD_COUNT = 21, 96


def folded_vae(work: Path, widths: Widths, device: str, start: Path | None = None) -> AutoencoderKL:
    """The VAE as far as it is trained, its latents' scale folded in.

    Where none was trained, it is that of the finished checkpoint in `start`.
    """
    vae = build_vae(widths)
    trained = next((path for name in ("whole", "vae") if (path := work / f"{name}.pt").exists()), None)
    if trained is not None:
        vae.load_state_dict(torch.load(trained, map_location="cpu", weights_only=True)["modules"]["vae"])
        fold_scale(vae, pictures.drawings(FOLD_COUNT, FOLD_SEED), "cpu")
    elif start is not None:
        vae.load_state_dict(load(start, widths).vae.state_dict())
    else:
        raise FileNotFoundError(f"{work} has no trained VAE; run the stage vae, or name a --start")
    vae = vae.to(device, memory_format=torch.channels_last).eval()
    float_norms(vae)
    sleep(vae)
    return vae


def finished_unet(work: Path, widths: Widths, tokenizer: CLIPTokenizer) -> Painter:
    """The networks of the UNet stage as last saved, with the trained VAE."""
    modules = networks(widths, len(tokenizer), UNET_PLAN.seed, "cpu")
    state = torch.load(work / "unet.pt", map_location="cpu", weights_only=True)
    for name, module in modules.items():
        module.load_state_dict(state["modules"][name])
    return Painter(
        modules["unet_average"], folded_vae(work, widths, "cpu"), modules["text_average"], tokenizer
    )


def _step(path: Path) -> int:
    """How far a stage has come; 0 where it never began."""
    return int(torch.load(path, map_location="cpu", weights_only=True)["step"]) if path.exists() else 0


def plan_of(name: str, plan: Plan, work: Path, start: Path | None) -> dict[str, Any]:
    """What is recorded of the VAE's stages: the plan and how far it came, or what the start's record says."""
    if start is not None and not (work / f"{name}.pt").exists():
        told: dict[str, Any] = json.loads((start / "TRAINING.json").read_text("utf-8"))[name]
        return told
    return asdict(plan) | {"trained_steps": _step(work / f"{name}.pt")}


def export(
    work: Path, folder: Path, widths: Widths, start: Path | None = None, note: str = ""
) -> tuple[Path, Path]:
    """Write checkpoint, yaml, motion module and TRAINING.json from what has been trained so far.

    `note` says what the plans do not: where a training went another way than they say.
    """
    vae = folded_vae(work, widths, "cpu", start)
    state = torch.load(work / "moving.pt", map_location="cpu", weights_only=True)
    unet, text, motion = (state["modules"][f"{name}_average"] for name in ("unet", "text", "motion"))
    courses = {"courses": [asdict(course) for course in COURSES]}
    record: dict[str, Any] = {
        "widths": asdict(widths),
        "vae": plan_of("vae", VAE_PLAN, work, start),
        "whole": plan_of("whole", WHOLE_PLAN, work, start),
        "unet": plan_of("unet", UNET_PLAN, work, start) | courses,
        "moving": asdict(MOVING_PLAN) | {"trained_steps": int(state["step"])} | asdict(MOVING),
        "figures": {name: round(value, 2) for name, value in vae_figures(vae, "cpu", count=24).items()},
    }
    if start is not None:
        digest = hashlib.sha256((start / f"{NAME}.safetensors").read_bytes()).hexdigest()
        told = json.loads((start / "TRAINING.json").read_text("utf-8"))
        record["moving"]["started_from_sha256"] = digest
        record["moving"]["started_from"] = {key: told[key] for key in ("moving", "note") if key in told}
    if note:
        record["note"] = note
    write_json(folder / "TRAINING.json", record | {"held_out": scenes.held_out_combinations()})
    return (
        write_checkpoint(folder, widths, unet, vae.state_dict(), text, record),
        write_motion(folder, motion, {"moving": record["moving"]}),
    )


def main() -> None:
    """Run the stages that were asked for, in order."""
    parser = argparse.ArgumentParser(description=__doc__)
    stages = ("tokenizer", "vae", "whole", "unet", "moving", "export", "all")
    parser.add_argument("stage", choices=stages)
    parser.add_argument("--work", type=Path, required=True, help="folder for states, latents and logs")
    parser.add_argument(
        "--out", type=Path, default=CHECKPOINT_FOLDER, help="folder of the finished checkpoint"
    )
    parser.add_argument(
        "--start", type=Path, help="folder of a finished checkpoint that `moving` begins with"
    )
    parser.add_argument("--note", default="", help="what `export` writes into the record beside the plans")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    for stage in stages[:-1] if asked.stage == "all" else (asked.stage,):
        run(stage, asked.work, asked.out, asked.start, asked.device, asked.note)


def run(stage: str, work: Path, out: Path, start: Path | None, device: str, note: str = "") -> None:
    """One stage, from where it stopped."""
    work.mkdir(parents=True, exist_ok=True)
    widths = Widths()
    if stage == "tokenizer":
        print("tokens:", build_tokenizer(out / "tokenizer", widths))
    elif stage == "vae":
        train_vae(work, VAE_PLAN, widths, device)
    elif stage == "whole":
        vae = folded_vae(work, widths, device, start)
        train_whole(work, WHOLE_PLAN, vae.requires_grad_(True), device)
    elif stage == "unet":
        tokenizer = CLIPTokenizer.from_pretrained(out / "tokenizer")
        train_unet(work, UNET_PLAN, COURSES, widths, folded_vae(work, widths, device), tokenizer, device)
    elif stage == "moving":
        tokenizer = CLIPTokenizer.from_pretrained(out / "tokenizer")
        if start is None:
            painter = finished_unet(work, widths, tokenizer)
        else:
            painter = replace(load(start, widths), vae=folded_vae(work, widths, device, start))
        older = None if start is None else start / f"{MOTION_NAME}.safetensors"
        module = older if older is not None and older.exists() else None
        train_moving(work, MOVING_PLAN, MOVING, widths, painter, tokenizer, device, module=module)
    else:
        for path in export(work, out, widths, start, note):
            print(path)


if __name__ == "__main__":
    main()
