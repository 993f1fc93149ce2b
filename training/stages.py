"""What every training stage shares: learning-rate curve, resumable state on disk, a log of figures."""

from __future__ import annotations

import json
import math
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from training.muon import optimisers


@dataclass(frozen=True)
class Plan:
    """How long and how fast one stage trains."""

    steps: int
    batch: int
    peak: float
    """Highest learning rate, reached after the warm-up; a cosine brings it down to a fiftieth."""
    seed: int
    warmup: int = 100
    save_every: int = 200
    hold: int | None = None
    """Step until which the rate stays at its peak; the cosine begins there. None: right after the warm-up."""


def learning_rate(plan: Plan, step: int) -> float:
    """Linear warm-up, the peak for as long as it is held, then a cosine to peak / 50 at the last step."""
    if step < plan.warmup:
        return plan.peak * (step + 1) / plan.warmup
    falls = plan.warmup if plan.hold is None else plan.hold
    t = (step - falls) / max(1, plan.steps - falls)
    return plan.peak * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, max(0.0, t)))))


class Stage:
    """Networks and optimiser of one stage, written to and read back from one file.

    Everything random in a step follows from (seed, step), so the file needs no generator state: a run that
    was stopped and resumed ends with the same weights as one that was not.
    """

    def __init__(self, name: str, work: Path, plan: Plan, modules: dict[str, nn.Module]) -> None:
        self.plan = plan
        self.modules = modules
        self.path = work / f"{name}.pt"
        self.log_path = work / f"{name}.jsonl"
        self.parameters = [p for m in modules.values() for p in m.parameters() if p.requires_grad]
        self.optimisers = optimisers(modules.values(), plan.peak)
        self.step = 0
        self.seconds = 0.0
        work.mkdir(parents=True, exist_ok=True)

    def resume(self) -> None:
        """Take up the saved state, if there is one."""
        if not self.path.exists():
            return
        state = torch.load(self.path, map_location="cpu", weights_only=True)
        for name, module in self.modules.items():
            module.load_state_dict(state["modules"][name])
        for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        self.step, self.seconds = int(state["step"]), float(state["seconds"])

    def save(self) -> None:
        """Write the state beside the old one, then put it in its place."""
        state = {
            "modules": {name: module.state_dict() for name, module in self.modules.items()},
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "step": self.step,
            "seconds": self.seconds,
        }
        partial = self.path.with_suffix(".partial")
        torch.save(state, partial)
        os.replace(partial, self.path)

    def descend(self, loss: torch.Tensor) -> None:
        """One optimiser step with the gradient's norm held to 1."""
        for optimiser in self.optimisers:
            optimiser.zero_grad(set_to_none=True)
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(self.plan, self.step)
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        for optimiser in self.optimisers:
            optimiser.step()
        self.step += 1

    def log(self, **figures: float) -> None:
        """Add one line of figures to the stage's log and print it."""
        line = {"step": self.step, "seconds": round(self.seconds, 1)}
        line |= {name: round(float(value), 5) for name, value in figures.items()}
        with self.log_path.open("a") as log:
            log.write(json.dumps(line) + "\n")
        print(self.path.stem, line, flush=True)


@dataclass
class Average:
    """Running mean of a figure, or an array of them, between two log lines, and the seconds they took."""

    total: Any = 0.0
    count: int = 0
    since: float = field(default_factory=time.monotonic)

    def add(self, value: Any) -> None:
        self.total = self.total + value
        self.count += 1

    def take(self) -> tuple[Any, float]:
        """The mean and the seconds since the last call; starts anew."""
        now = time.monotonic()
        mean, spent = self.total / max(1, self.count), now - self.since
        self.total, self.count, self.since = 0.0, 0, now
        return mean, spent


def generator(seed: int, step: int) -> torch.Generator:
    """The torch generator of one step."""
    return torch.Generator().manual_seed(seed * 1_000_003 + step)


def write_json(path: Path, content: Any) -> None:
    """Indented JSON with a final newline."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
