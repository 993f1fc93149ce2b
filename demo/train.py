"""Trains the demo checkpoint: `python -m demo.train all --work DIR`; every stage resumes where it stopped."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL
from torch import nn
from transformers import CLIPTokenizer

from demo import pictures, scenes
from demo.export import write_checkpoint
from demo.latents import fold_scale
from demo.networks import Widths, build_vae
from demo.speed import float_norms, sleep
from demo.tokenizer import build_tokenizer
from demo.train_unet import Course, networks, train_unet
from demo.train_vae import train_decoder, train_vae, vae_figures
from demo.training import Plan, write_json

HERE = Path(__file__).resolve().parent
VAE_PLAN = Plan(steps=1600, batch=4, peak=2.5e-4, seed=7, warmup=60, save_every=100)
DECODER_PLAN = Plan(steps=800, batch=2, peak=2e-4, seed=9, warmup=40, save_every=50)
COURSES = (
    Course(side=64, scenes=4000, steps=400, batch=32, seed=11),
    Course(side=128, scenes=2400, steps=1100, batch=16, seed=12),
)
UNET_PLAN = Plan(steps=sum(c.steps for c in COURSES), batch=32, peak=1.5e-3, seed=8, warmup=50, save_every=50)
FOLD_SEED, FOLD_COUNT = 21, 96


def folded_vae(work: Path, widths: Widths, device: str) -> AutoencoderKL:
    """The trained VAE, its latents' scale folded in once, with the finer decoder if there is one."""
    path = work / "vae-folded.pt"
    vae = build_vae(widths)
    if path.exists():
        vae.load_state_dict(torch.load(path, weights_only=True))
    else:
        vae.load_state_dict(torch.load(work / "vae.pt", weights_only=True)["modules"]["vae"])
        fold_scale(vae, pictures.drawings(FOLD_COUNT, FOLD_SEED), "cpu")
        torch.save(vae.state_dict(), path)
    finer = work / "decoder.pt"
    if finer.exists():
        halves = torch.load(finer, map_location="cpu", weights_only=True)["modules"]
        vae.decoder.load_state_dict(halves["decoder"])
        vae.post_quant_conv.load_state_dict(halves["post_quant_conv"])
    vae = vae.to(device, memory_format=torch.channels_last).eval()
    float_norms(vae)
    sleep(vae)
    return vae


def load_averages(work: Path, widths: Widths, vocabulary: int) -> tuple[dict[str, nn.Module], int]:
    """The networks of the UNet stage as last saved, and the step."""
    modules = networks(widths, vocabulary, UNET_PLAN.seed, "cpu")
    state = torch.load(work / "unet.pt", map_location="cpu", weights_only=True)
    for name, module in modules.items():
        module.load_state_dict(state["modules"][name])
        module.eval()
    return modules, int(state["step"])


def _step(path: Path) -> int:
    """How far a stage has come; 0 where it never began."""
    return int(torch.load(path, map_location="cpu", weights_only=True)["step"]) if path.exists() else 0


def export(work: Path, folder: Path, widths: Widths) -> Path:
    """Write the checkpoint, its yaml and TRAINING.json from what has been trained so far."""
    tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
    vae = folded_vae(work, widths, "cpu")
    modules, step = load_averages(work, widths, len(tokenizer))
    record: dict[str, Any] = {
        "widths": asdict(widths),
        "vae": asdict(VAE_PLAN) | {"trained_steps": _step(work / "vae.pt")},
        "decoder": asdict(DECODER_PLAN) | {"trained_steps": _step(work / "decoder.pt")},
        "unet": asdict(UNET_PLAN) | {"trained_steps": step, "courses": [asdict(c) for c in COURSES]},
        "figures": {name: round(value, 2) for name, value in vae_figures(vae, "cpu", count=24).items()},
    }
    path = write_checkpoint(
        folder,
        widths,
        modules["unet_average"].state_dict(),
        vae.state_dict(),
        modules["text_average"].state_dict(),
        record,
    )
    write_json(folder / "TRAINING.json", record | {"held_out": scenes.held_out_combinations()})
    return path


def main() -> None:
    """Run the stages that were asked for, in order."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stage", choices=("tokenizer", "vae", "decoder", "unet", "export", "all"))
    parser.add_argument("--work", type=Path, required=True, help="folder for states, latents and logs")
    parser.add_argument("--out", type=Path, default=HERE, help="folder of the finished checkpoint")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    widths = Widths()
    asked.work.mkdir(parents=True, exist_ok=True)
    if asked.stage in ("tokenizer", "all"):
        print("tokens:", build_tokenizer(asked.out / "tokenizer", widths))
    if asked.stage in ("vae", "all"):
        train_vae(asked.work, VAE_PLAN, widths, asked.device)
    if asked.stage in ("decoder", "all"):
        train_decoder(asked.work, DECODER_PLAN, folded_vae(asked.work, widths, asked.device), asked.device)
    if asked.stage in ("unet", "all"):
        tokenizer = CLIPTokenizer.from_pretrained(asked.out / "tokenizer")
        vae = folded_vae(asked.work, widths, asked.device)
        train_unet(asked.work, UNET_PLAN, COURSES, widths, vae, tokenizer, asked.device)
    if asked.stage in ("export", "all"):
        print(export(asked.work, asked.out, widths))


if __name__ == "__main__":
    main()
