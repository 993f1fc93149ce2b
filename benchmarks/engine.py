"""What a step costs beside the bare network, and what a film's frame costs; prints one line per figure.

Run from the repository's root: python benchmarks/engine.py [CHECKPOINT] [--size 128] [--steps 12]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from diffusers import EulerDiscreteScheduler

from lib_anim.engines.checker import CheckerEngine
from lib_anim.engines.contract.requests import StillRequest
from lib_anim.engines.diffusion.engine import DiffusersEngine, open_engine


def milliseconds(rounds: int, *works: Callable[[], object]) -> list[float]:
    """The least time of each of `works`, done in turn so that all meet the same disturbances.

    This process' own CPU time; on a card wall time. One round before warms up.
    """
    card = torch.cuda.is_available()
    clock = time.perf_counter if card else time.process_time
    times: list[list[float]] = [[] for _ in works]
    for round_ in range(rounds + 1):
        for work, taken in zip(works, times, strict=True):
            start = clock()
            work()
            if card:
                torch.cuda.synchronize()
            if round_:
                taken.append(clock() - start)
    return [min(taken) * 1000 for taken in times]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", nargs="?", type=Path, default=Path("demo/flipbook-demo.safetensors"))
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    checker = CheckerEngine()
    board = StillRequest(prompt="bench", width=256, height=256, seed=1)
    print(f"checker, 256 px: {milliseconds(50, lambda: checker.still(board))[0]:.2f} ms")

    engine = open_engine(options.checkpoint)
    assert isinstance(engine, DiffusersEngine)
    request = StillRequest(
        prompt="bench", width=options.size, height=options.size, seed=1, steps=options.steps, sampler="Euler"
    )
    picture = engine.still(request)
    again = replace(request, init=picture, denoising=0.5)

    painter = engine._painter(None)
    codec = painter.codec(None)
    device, dtype = codec.vae.device, painter.unet.dtype
    side = options.size // codec.factor
    latents = torch.randn(2, 4, side, side, device=device, dtype=dtype)
    context = torch.randn(2, 77, painter.checkpoint.unet.context, device=device, dtype=dtype)
    times = torch.full((2,), 500.0, device=device)

    def bare() -> None:
        with torch.inference_mode():
            for _ in range(options.steps):
                painter.unet(latents, times, encoder_hidden_states=context, return_dict=False)

    def decode() -> None:
        with torch.inference_mode():
            codec.decode(latents[:1].float())

    whole, film, network, decoding = milliseconds(
        options.rounds, lambda: engine.still(request), lambda: engine.still(again), bare, decode
    )
    print(f"txt2img, {options.size} px, {options.steps} steps: {whole:.0f} ms")
    print(f"img2img, denoising 0.5: {film:.0f} ms")
    print(f"network alone: {network / options.steps:.1f} ms a step; decoding {decoding:.0f} ms")
    shares = sorted(step_share(engine, request) for _ in range(options.rounds))
    print(f"a step beside the network inside it: {shares[len(shares) // 2]:.4f} times (median)")
    print(f"a frame of one step beyond its networks: {beyond_networks(engine, request):.2f} ms")
    beside = sorted(bare_share(engine, request, options.rounds))
    print(
        f"a step beside the bare network and scheduler: {beside[len(beside) // 2]:.3f} times "
        f"(median, {beside[0]:.3f} … {beside[-1]:.3f})"
    )


def step_share(engine: DiffusersEngine, request: StillRequest) -> float:
    """From the first step's end to the last's: all time by the time inside the network, in one run.

    Two runs, one after the other, would differ by more than what is measured when anything else runs.
    """
    unet = engine._painter(None).unet
    former = unet.forward
    card = torch.cuda.is_available()
    clock = time.perf_counter if card else time.process_time
    inside, ends = 0.0, []

    def timed(*given: Any, **named: Any) -> Any:
        nonlocal inside
        start = clock()
        result = former(*given, **named)
        if card:
            torch.cuda.synchronize()
        inside += clock() - start
        return result

    unet.forward = timed
    try:
        engine.still(request, lambda done, _: ends.append((clock(), inside)))
    finally:
        unet.forward = former
    (first, before), (last, after) = ends[0], ends[-1]
    return (last - first) / (after - before)


def beyond_networks(engine: DiffusersEngine, request: StillRequest) -> float:
    """Milliseconds of a frame of one step when the networks answer at once; its texts are known."""
    painter = engine._painter(None)
    unet, vae = painter.unet, painter.codec(None).vae
    former = unet.forward, vae.decode
    pixels = torch.zeros(1, 3, request.height, request.width, device=painter.device)
    unet.forward = lambda x, *given, **named: (x[:, : painter.checkpoint.unet.out_channels] * 0.1,)
    vae.decode = lambda latents, **named: (pixels + latents.mean(),)
    try:
        (each,) = milliseconds(100, lambda: engine.still(replace(request, steps=1)))
    finally:
        unet.forward, vae.decode = former
    return each


def bare_share(engine: DiffusersEngine, request: StillRequest, rounds: int) -> list[float]:
    """A step of the engine by one of the same network under diffusers' scheduler alone, round by round.

    Both guide by the same scale with both prompts in one pass; the texts are encoded and on the device
    before. In turn, step for step, so that both meet the same disturbances.
    """
    painter = engine._painter(None)
    unet, device, dtype = painter.unet, painter.device, painter.unet.dtype
    side = request.width // painter.codec(None).factor
    context = torch.randn(2, 77, painter.checkpoint.unet.context, device=device, dtype=dtype)
    scheduler = EulerDiscreteScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    card = torch.cuda.is_available()
    clock = time.perf_counter if card else time.process_time

    def now() -> float:
        if card:
            torch.cuda.synchronize()
        return clock()

    def steps() -> Iterator[float]:
        scheduler.set_timesteps(request.steps, device=device)
        noise = torch.randn(1, unet.config.in_channels, side, side, device=device)
        latents = noise * scheduler.init_noise_sigma
        for t in scheduler.timesteps:
            start = now()
            both = scheduler.scale_model_input(torch.cat([latents] * 2), t).to(dtype)
            away, towards = unet(both, t, encoder_hidden_states=context, return_dict=False)[0].chunk(2)
            noise = away + request.cfg_scale * (towards - away)
            latents = scheduler.step(noise, t, latents, return_dict=False)[0]
            yield now() - start

    def round_() -> float:
        bare = steps()
        ours: list[float] = []
        theirs = [next(bare)]
        start = [now()]

        def stepped(done: int, total: int) -> None:
            ours.append(now() - start[0])
            if done < total:
                theirs.append(next(bare))
            start[0] = now()

        engine.still(request, stepped)
        # The engine's first step has its preparations in it.
        return sum(ours[1:]) / sum(theirs[1:])

    return [round_() for _ in range(rounds)]


if __name__ == "__main__":
    main()
