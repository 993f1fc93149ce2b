"""Training on stills and clips: AnimateDiff's layout, the readers' sums, resuming to the same weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import CLIPTokenizer

from lib_anim.models.motion.facts import Betas, motion_facts
from lib_anim.models.motion.reader import read_motion_module
from lib_anim.models.table import read_table
from lib_anim.motion.plan import ClipPlan
from lib_anim.motion.session import ClipSession
from lib_anim.motion.sites import sites_of_diffusers
from training.bearings import Bearings
from training.clips import FRAMES, clips, opposed_clips
from training.export import write_checkpoint, write_motion
from training.loading import Painter, load
from training.networks import Widths, build_text_model, build_unet, build_vae
from training.stages import Plan
from training.temporal import Motion, build_motion
from training.tokenizer import build_tokenizer
from training.train_moving import (
    Moving,
    chosen_ends,
    chosen_frames,
    clip_loss,
    opposed_captions,
    take_over,
    train_moving,
)
from training.train_unet import networks

TINY = Widths(unet=(32, 32, 32, 32), vae=(32, 32, 32, 32), heads=4, context=32, text_layers=1, text_heads=2)
MOVING = Moving(side=64, scenes=3, scene_seed=1, stills=2, clips=2, clip_seed=2, frames=4, pairs=1, first=1)
PLAN = Plan(steps=3, batch=2, peak=1e-3, seed=5, warmup=1, save_every=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checkpoint")
    count = build_tokenizer(path / "tokenizer", TINY)
    torch.manual_seed(0)
    networks = (build_unet(TINY), build_vae(TINY), build_text_model(TINY, count))
    write_checkpoint(path, TINY, *(n.half().state_dict() for n in networks), {"seed": 0})
    return path


@pytest.fixture
def painter(folder: Path) -> Painter:
    return load(folder, TINY)


def loud(seed: int = 3) -> Motion:
    """A module whose layers are heard: their last projection is not zero."""
    motion = build_motion(TINY, seed)
    for name, value in motion.named_parameters():
        if "proj_out" in name:
            torch.nn.init.normal_(value, std=0.2)
    return motion


def test_the_file_is_animatediffs_version_three(tmp_path: Path) -> None:
    path = write_motion(tmp_path, loud().state_dict(), {"seed": 3})
    facts = motion_facts(read_table(path))
    assert (facts.version, facts.base, facts.positions, facts.has_mid) == ("v3", "sd1", 32, False)
    assert facts.widths == TINY.unet
    assert len(facts.sites) == 20
    assert facts.betas == Betas("linear", 0.00085, 0.012)


def test_what_trains_is_what_clips_are_painted_with(tmp_path: Path, painter: Painter) -> None:
    motion = loud()
    motion.load_state_dict({k: v.half().float() for k, v in motion.state_dict().items()})
    module = read_motion_module(write_motion(tmp_path, motion.state_dict(), {}))
    x, context = torch.randn(6, 4, 8, 8), torch.randn(6, 77, TINY.context)
    t = torch.full((6,), 400)
    with torch.no_grad():
        bare = painter.unet(x, t, context).sample
        with motion.moving(painter.unet, torch.arange(6)):
            ours = painter.unet(x, t, context).sample
        session = ClipSession(module, ClipPlan(frames=6, context=16))
        with session.installed(sites_of_diffusers(painter.unet)):
            theirs = session.denoise(
                x, 0, lambda rows: painter.unet(rows.of(x), rows.of(t), rows.of(context)).sample
            )
        again = painter.unet(x, t, context).sample
    assert (ours - theirs).abs().max() < 1e-4 * ours.abs().max()
    assert (ours - bare).abs().max() > 0.01 * bare.abs().max()
    assert torch.equal(again, bare)


def test_an_untrained_module_changes_nothing(painter: Painter) -> None:
    x, context, t = torch.randn(4, 4, 8, 8), torch.randn(4, 77, TINY.context), torch.tensor([9, 9, 9, 9])
    with torch.no_grad():
        bare = painter.unet(x, t, context).sample
        with build_motion(TINY, 1).moving(painter.unet, torch.arange(4)):
            assert torch.equal(painter.unet(x, t, context).sample, bare)


@pytest.mark.parametrize("count", [2, 4, 8, 16])
def test_chosen_frames_are_in_order_and_evenly_spread(count: int) -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        at = chosen_frames(count, rng)
        assert len(at) == count
        assert len(set(np.diff(at))) == 1
        assert at[0] >= 0
        assert at[-1] < FRAMES


def test_ends_are_far_apart() -> None:
    rng = np.random.default_rng(0)
    drawn = np.stack([chosen_ends(rng) for _ in range(80)])
    assert set(drawn[:, 0]) == set(range(5))
    assert set(drawn[:, 1]) == set(range(FRAMES - 5, FRAMES))


@pytest.mark.parametrize("plain", [True, False])
def test_captions_of_opposed_clips_differ_in_the_way_alone(plain: bool) -> None:
    texts = opposed_captions(opposed_clips(30, 4), np.random.default_rng(2), plain)
    said = 0
    for frames, there, back in zip(clips(30, 4), texts[::2], texts[1::2], strict=True):
        ways = (frames[0].motion, {"left": "right", "right": "left"}[frames[0].motion])
        assert there.replace(f"moving {ways[0]}", f"moving {ways[1]}") == back
        said += there != back
    assert said == 30 if plain else 15 < said < 30


def test_the_clips_loss_reaches_module_unet_and_readouts(painter: Painter) -> None:
    modules = {"motion": loud(), "unet": painter.unet, "bearings": Bearings(painter.unet)}
    context, noise = torch.randn(2, 77, TINY.context), torch.Generator().manual_seed(1)
    # At half the size the deepest level is one place, whose norm of one value a group passes nothing back.
    latents, marks = torch.randn(8, 4, 16, 16), torch.rand(8, 1, 16, 16)
    clip_loss(modules, context, latents, marks, torch.arange(4), noise, early=0.5).backward()
    for name in ("motion", "bearings"):
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in modules[name].parameters()), name
    assert painter.unet.conv_in.weight.grad.abs().sum() > 0


def test_a_stopped_training_ends_with_the_weights_of_an_unbroken_one(tmp_path: Path, folder: Path) -> None:
    def train(name: str, stop: int | None = None, module: Path | None = None) -> dict[str, torch.nn.Module]:
        painter = load(folder, TINY)
        return train_moving(
            tmp_path / name, PLAN, MOVING, TINY, painter, painter.tokenizer, "cpu", stop=stop, module=module
        )

    whole = train("whole")
    for stop in (1, 2):
        train("parts", stop)
    parts, begin = train("parts"), train("none", 0)
    averaged = {f"{name}{kind}" for name in ("unet", "text", "motion") for kind in ("", "_average")}
    assert set(whole) == averaged | {"bearings"}
    for name, module in whole.items():
        state, resumed, first = (m.state_dict() for m in (module, parts[name], begin[name]))
        assert all(torch.equal(value, resumed[key]) for key, value in state.items()), name
        assert any(not torch.equal(value, first[key]) for key, value in state.items()), name
    finished = write_motion(tmp_path, whole["motion"].state_dict(), {})
    onward = train("onward", 0, module=finished)["motion"].state_dict()
    trained = whole["motion"].state_dict()
    assert all(torch.equal(value.half().float(), onward[key]) for key, value in trained.items())


def test_it_begins_with_the_checkpoints_weights(tmp_path: Path, folder: Path, painter: Painter) -> None:
    begun = train_moving(tmp_path, PLAN, MOVING, TINY, painter, painter.tokenizer, "cpu", stop=0)
    given = load(folder, TINY)
    for name, network in (("unet", given.unet), ("text", given.text)):
        for ours in (begun[name], begun[f"{name}_average"]):
            state = ours.state_dict()
            assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())


def test_words_that_a_checkpoint_did_not_know_start_fresh(tmp_path: Path) -> None:
    build_tokenizer(tmp_path / "new", TINY)
    tokenizer = CLIPTokenizer.from_pretrained(tmp_path / "new")
    ours = tokenizer.get_vocab()
    old = {word: n for n, word in enumerate(w for w in ours if w != "moving</w>")}
    shutil.copytree(tmp_path / "new", tmp_path / "tokenizer")
    (tmp_path / "tokenizer" / "vocab.json").write_text(json.dumps(old))
    merges = (tmp_path / "tokenizer" / "merges.txt").read_text().splitlines()
    kept = [line for line in merges if "".join(line.split(" ")) != "moving</w>"]
    (tmp_path / "tokenizer" / "merges.txt").write_text("\n".join(kept) + "\n")
    torch.manual_seed(0)
    parts = (build_unet(TINY), build_vae(TINY), build_text_model(TINY, len(old)))
    write_checkpoint(tmp_path, TINY, *(part.half().state_dict() for part in parts), {})
    modules = networks(TINY, len(tokenizer), 1, "cpu")
    fresh = modules["text"].state_dict()
    key = next(k for k in fresh if k.endswith("token_embedding.weight"))
    before = fresh[key].clone()
    take_over(modules, load(tmp_path, TINY), tokenizer)
    after, theirs = modules["text"].state_dict()[key], parts[2].float().state_dict()[key]
    assert torch.equal(after[ours["moving</w>"]], before[ours["moving</w>"]])
    assert torch.equal(after[ours["winter</w>"]], theirs[old["winter</w>"]])
