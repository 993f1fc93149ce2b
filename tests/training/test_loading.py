"""The finished checkpoint: read back from its file it paints what the trained networks paint."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from training.export import write_checkpoint
from training.latents import encode
from training.loading import load
from training.networks import Widths, build_text_model, build_unet, build_vae
from training.pictures import drawings
from training.sampling import sample, sheet
from training.tokenizer import build_tokenizer
from training.train_unet import tokens

TINY = Widths(unet=(32, 32, 32, 32), vae=(32, 32, 32, 32), heads=8, context=32, text_layers=1, text_heads=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checkpoint")
    count = build_tokenizer(path / "tokenizer", TINY)
    torch.manual_seed(0)
    networks = (build_unet(TINY), build_vae(TINY), build_text_model(TINY, count))
    write_checkpoint(path, TINY, *(n.half().state_dict() for n in networks), {"seed": 0})
    return path


def test_what_was_written_computes_the_same_when_read(folder: Path, tmp_path: Path) -> None:
    painter = load(folder, TINY)
    shutil.copytree(folder / "tokenizer", tmp_path / "tokenizer")
    parts = (painter.unet.state_dict(), painter.vae.state_dict(), painter.text.state_dict())
    write_checkpoint(tmp_path, TINY, *parts, {"seed": 0})
    again = load(tmp_path, TINY)
    ids = tokens(painter.tokenizer, ["a red ball"])
    with torch.no_grad():
        context = painter.text(ids).last_hidden_state
        assert (context - again.text(ids).last_hidden_state).abs().max() <= 1e-5
        x, t = torch.randn(1, 4, 16, 16), torch.tensor([400])
        difference = painter.unet(x, t, context).sample - again.unet(x, t, context).sample
    assert difference.abs().max() <= 1e-5


def test_pictures_follow_the_seed_and_not_the_company(folder: Path) -> None:
    painter = load(folder, TINY)

    def paint(prompts: list[str], seed: int) -> torch.Tensor:
        parts = (painter.unet, painter.text, painter.vae, painter.tokenizer)
        return torch.from_numpy(sample(*parts, prompts, seed, side=64, steps=2)).int()

    both = paint(["winter", "spring"], 5)
    assert (paint(["spring"], 6)[0] - both[1]).abs().max() <= 1
    assert (paint(["spring"], 7)[0] - both[1]).abs().max() > 1


def test_no_strength_gives_the_start_back_nearly_and_full_strength_does_not(folder: Path) -> None:
    painter = load(folder, TINY)
    parts = (painter.unet, painter.text, painter.vae, painter.tokenizer)
    start = drawings(1, 3, side=64)[0]
    with torch.no_grad():
        kept = painter.vae.decode(encode(painter.vae, start[None], "cpu") / 0.18215).sample
    kept = ((kept.clamp(-1, 1) + 1) * 127.5).permute(0, 2, 3, 1)
    gaps = [
        (torch.from_numpy(sample(*parts, ["winter"], 1, steps=20, start=start, strength=s)).float() - kept)
        .abs()
        .mean()
        for s in (0.05, 1.0)
    ]
    assert gaps[0] < gaps[1]


def test_a_sheet_has_a_gap_after_every_picture() -> None:
    pictures = drawings(3, 1, side=64)
    assert sheet([pictures, pictures], gap=2).shape == (132, 198, 3)
