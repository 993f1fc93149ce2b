"""The one command: every stage in its order, from nothing to files that paint."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path

import pytest

from lib_anim.engines.contract.requests import StillRequest
from lib_anim.engines.diffusion.engine import open_engine
from training import train
from training.export import MOTION_NAME, NAME
from training.moving_clips import Wanted, painted_clips
from training.networks import Widths
from training.stages import Plan
from training.train_moving import Moving
from training.train_unet import Course

TINY = Widths(unet=(32, 32, 32, 32), vae=(64, 64, 64, 64), heads=8, context=32, text_layers=1, text_heads=2)
ONE = Plan(steps=1, batch=1, peak=1e-3, seed=5, warmup=1, save_every=1)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every stage takes one step with networks that are narrow."""
    for plan in ("VAE_PLAN", "WHOLE_PLAN", "UNET_PLAN", "MOVING_PLAN"):
        monkeypatch.setattr(train, plan, ONE)
    monkeypatch.setattr(train, "COURSES", (Course(64, 2, 1, 2, 1),))
    monkeypatch.setattr(train, "MOVING", Moving(64, 2, 1, 2, 2, 1, 2, 1, 1))
    monkeypatch.setattr(train, "Widths", lambda: TINY)
    monkeypatch.setattr(train, "FOLD_COUNT", 2)
    for stage in ("train_vae", "train_whole"):
        monkeypatch.setattr(train, stage, partial(getattr(train, stage), pool=2))
    figures = train.vae_figures
    monkeypatch.setattr(train, "vae_figures", lambda vae, device, count: figures(vae, device, count=1))


def told(folder: Path) -> dict[str, dict[str, object]]:
    return json.loads((folder / "TRAINING.json").read_text("utf-8"))


def test_all_stages_end_in_files_that_paint_and_that_a_training_begins_with(
    short: None, tmp_path: Path
) -> None:
    work, out = tmp_path / "work", tmp_path / "out"
    out.mkdir()
    for stage in ("tokenizer", "vae", "whole", "unet", "moving", "export"):
        train.run(stage, work, out, None, "cpu")
    assert {stage: told(out)[stage]["trained_steps"] for stage in ("vae", "whole", "unet", "moving")} == (
        dict.fromkeys(("vae", "whole", "unet", "moving"), 1)
    )
    engine = open_engine(out / f"{NAME}.safetensors", device="cpu")
    picture = engine.still(StillRequest(prompt="winter", seed=1, width=64, height=64, steps=1))
    assert picture.shape == (64, 64, 3)
    (clip,) = painted_clips(out, [Wanted("a red ball moving left", "left")], seed=1, steps=1, guidance=2.0)
    assert clip.shape == (16, 128, 128, 3)

    begun = tmp_path / "begun"
    shutil.copytree(out / "tokenizer", begun / "tokenizer")
    for stage in ("moving", "export"):
        train.run(stage, tmp_path / "other", begun, out, "cpu", note="begun anew")
    record, before = told(begun), told(out)
    assert record["note"] == "begun anew"
    assert "note" not in before
    for stage in ("vae", "whole", "unet"):
        assert record[stage] == before[stage]
    # The file's halves are rounded.
    assert record["figures"] == pytest.approx(before["figures"], abs=0.05)
    assert len(str(record["moving"]["started_from_sha256"])) == 64
    assert record["moving"]["started_from"] == {"moving": before["moving"]}
    assert (begun / f"{MOTION_NAME}.safetensors").stat().st_size < 4_000_000
