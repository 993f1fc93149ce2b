"""Measures the checkpoint on combinations that training never drew: what pictures show, how objects move.

Season, place, object and its side of painted pictures are read by classifiers that were trained on drawings
alone; neither they nor the checkpoint saw a held-out combination. Beside them stand chance and a baseline
that knows nothing but a colour histogram. The way that a clip's object moves is measured by optical flow.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from training import pictures
from training.captions import POSITION_WORDS, plain_caption
from training.direction import way
from training.export import MOTION_NAME
from training.loading import Painter, load
from training.moving_clips import clip_sheet, held_out_clips, painted_clips
from training.networks import Widths
from training.painting import paint
from training.readers import BINS, SEED, Features, accuracy, fit, histogram, pixels, reader
from training.sampling import sample
from training.scenes import OBJECTS, PLACES, POSITIONS, SEASONS, Scene, colours_in, held_out_combinations
from training.stages import write_json
from training.train import CHECKPOINT_FOLDER

DRAWINGS, HELD_OUT_DRAWINGS = 3000, 300
ON_SHEET = 8


@dataclass(frozen=True)
class Fact:
    """Something to be read from a picture: its names, and the classifier that reads it."""

    name: str
    names: tuple[str, ...]
    widths: tuple[int, ...]
    epochs: int

    def of(self, scenes: list[Scene]) -> torch.Tensor:
        """Class numbers, -1 where the scene has no such thing."""
        said = [
            {"season": s.season, "place": s.place, "object": s.obj, "side": s.position}[self.name]
            for s in scenes
        ]
        return torch.tensor([self.names.index(name) if name else -1 for name in said])


FACTS = (
    Fact("season", SEASONS, (24, 48, 64), 8),
    Fact("place", PLACES, (24, 48, 64), 8),
    Fact("object", OBJECTS, (32, 64, 96), 16),
    Fact("side", tuple(POSITIONS), (32, 64, 96), 16),
)


def prompts(count: int) -> tuple[list[str], list[Scene]]:
    """`count` prompts over the held-out combinations in turn, each with the facts it names.

    Colours and sides take turns, too.
    """
    combinations, sides = held_out_combinations(), tuple(POSITIONS)
    texts, named = [], []
    for n in range(count):
        place, season, obj = combinations[n % len(combinations)]
        shown = colours_in(season)
        colour = shown[n % len(shown)] if obj else ""
        side = sides[n % len(sides)] if obj else ""
        plain = plain_caption(place, season, obj, colour)
        texts.append(f"{plain} {POSITION_WORDS[side]}" if side else plain)
        named.append(Scene(place, season, "clear", "day", n, obj, colour, side))
    return texts, named


def painted(painter: Painter, texts: list[str], guidance: float) -> np.ndarray:
    """One picture per prompt, Euler a, 20 steps."""
    networks = (painter.unet, painter.text, painter.vae, painter.tokenizer)
    parts = [
        sample(*networks, texts[first : first + 8], 1000 + first, guidance=guidance)
        for first in range(0, len(texts), 8)
    ]
    return np.concatenate(parts)


@dataclass(frozen=True)
class Group:
    """Pictures (N, H, W, 3) and what is to be seen in each."""

    shown: np.ndarray
    scenes: list[Scene]


def drawn(count: int, seed: int, held_out: bool = False) -> Group:
    """`count` drawings."""
    scenes = pictures.scenes(count, seed, held_out)
    return Group(np.stack([paint(scene) for scene in scenes]), scenes)


def read(fact: Fact, learnt: Group, groups: dict[str, Group]) -> dict[str, float]:
    """How much of a fact classifier and histogram read from each group after learning it from `learnt`."""
    torch.manual_seed(SEED)
    readers: tuple[tuple[str, Features, nn.Module, int, float], ...] = (
        ("classifier", pixels, reader(len(fact.names), fact.widths), fact.epochs, 3e-3),
        ("histogram", histogram, nn.Linear(BINS**3, len(fact.names)), 60, 3e-2),
    )
    figures = {f"{fact.name}_chance": 1 / len(fact.names)}
    wanted = fact.of(learnt.scenes)
    for label, features, model, epochs, rate in readers:
        fit(model, features(learnt.shown)[wanted >= 0], wanted[wanted >= 0], epochs, rate)
        for subject, group in groups.items():
            truth = fact.of(group.scenes)
            there = truth >= 0
            figures[f"{fact.name}_{label}_{subject}"] = accuracy(
                model, features(group.shown)[there], truth[there]
            )
    return figures


def main() -> None:
    """Print and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT_FOLDER)
    parser.add_argument("--out", type=Path, required=True, help="JSON file of the figures")
    parser.add_argument("--count", type=int, default=96, help="painted pictures")
    parser.add_argument("--guidance", type=float, default=5.0)
    parser.add_argument("--clips", type=int, default=len(held_out_clips()), help="painted clips")
    parser.add_argument("--steps", type=int, default=20, help="of a clip")
    parser.add_argument("--sheet", type=Path, help="PNG file of the first clips")
    asked = parser.parse_args()
    figures: dict[str, float] = {"painted": asked.count, "guidance": asked.guidance}
    if asked.count:
        texts, named = prompts(asked.count)
        made = Group(painted(load(asked.checkpoint, Widths()), texts, asked.guidance), named)
        learnt = drawn(DRAWINGS, SEED)
        groups = {"drawings": drawn(HELD_OUT_DRAWINGS, SEED + 1, held_out=True), "painted": made}
        for fact in FACTS:
            figures |= read(fact, learnt, groups)
    if (asked.checkpoint / f"{MOTION_NAME}.safetensors").exists() and asked.clips:
        figures |= clip_figures(asked.checkpoint, asked.clips, asked.steps, asked.guidance, asked.sheet)
    figures = {name: round(value, 3) for name, value in figures.items()}
    write_json(asked.out, figures)
    print(figures)


def clip_figures(
    folder: Path, count: int, steps: int, guidance: float, sheet: Path | None
) -> dict[str, float]:
    """Share of clips whose object moves as the prompt says; the first clips go onto a sheet."""
    wanted = held_out_clips()[:count]
    right, shown = 0, []
    for asked, clip in zip(wanted, painted_clips(folder, wanted, SEED, steps, guidance), strict=True):
        found = way(clip)
        right += found == asked.way
        print(f"{asked.prompt}: {found or 'nothing moves'}", flush=True)
        shown.append(clip)
        if sheet is not None and len(shown) in (ON_SHEET, len(wanted)):
            whole = Image.fromarray(clip_sheet(shown[:ON_SHEET]))
            whole.quantize(256, dither=Image.Dither.NONE).save(sheet, optimize=True)
    share = right / len(wanted)
    return {"clips": len(wanted), "clip_steps": steps, "direction_chance": 0.5, "direction": share}


if __name__ == "__main__":
    main()
