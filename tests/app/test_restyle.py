"""Restyled films from the command line: from settings, and from mov2mov's parameters."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lib_anim.app.cli import main
from lib_anim.media.pictures import read_text
from lib_anim.media.probe import probe
from lib_anim.media.sound import click_track, write_wav
from lib_anim.media.write import open_sink


@pytest.fixture
def video(tmp_path) -> Path:
    sound = write_wav(tmp_path / "clicks.wav", click_track(120, 1.0))
    with open_sink(tmp_path / "v.mp4", width=96, height=64, rate=12, audio=sound) as sink:
        for number in range(12):
            sink.write(np.full((64, 96, 3), 20 * number, np.uint8))
    return tmp_path / "v.mp4"


def run(capsys, *arguments: str) -> tuple[int, dict, str]:
    code = main([*arguments, "--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out.splitlines()[-1]), err


def write(folder: Path, data: dict) -> str:
    path = folder / "settings.json"
    path.write_text(json.dumps(data), "utf-8")
    return str(path)


def test_a_settings_file_becomes_a_film_with_sound(capsys, video, tmp_path):
    file = write(tmp_path, {"kind": "restyle", "video": "v.mp4", "prompts": {"0": "a", "6": "b"}, "seed": 3})
    out = str(tmp_path / "films")
    code, facts, _ = run(capsys, "render", file, "--engine", "checker", "--out", out, "--set", "steps=4")
    assert code == 0
    assert facts["frames"] == 12
    film = probe(facts["film"])
    assert (film.frames, film.rate, film.width, film.height) == (12, 12, 96, 64)
    assert film.audio
    text = read_text(Path(facts["run"]) / "frames" / "000007.png")
    assert (text["prompt"], text["steps"]) == ("b", "4.0")


def test_mov2movs_parameters_become_the_same_film(capsys, video, tmp_path):
    parameters = {
        "mov_file": "v.mp4",
        "prompt": "a",
        "steps": 4,
        "sampler_name": "Euler a",
        "denoising_strength": 0.4,
        "width": 96,
        "height": 64,
        "movie_frames": 12,
        "max_frames": -1,
        "seed": 3,
    }
    settings = {"kind": "restyle", "video": "v.mp4", "prompts": "a", "steps": 4, "denoising": 0.4, "seed": 3}
    runs = []
    for data in (parameters, settings):
        file, out = write(tmp_path, data), str(tmp_path / "films")
        code, facts, err = run(capsys, "render", file, "--engine", "checker", "--out", out)
        assert code == 0, err
        runs.append([path.read_bytes() for path in sorted((Path(facts["run"]) / "frames").iterdir())])
    assert runs[0] == runs[1]


def test_one_frame_is_redone(capsys, video, tmp_path):
    file = write(tmp_path, {"kind": "restyle", "video": "v.mp4", "prompts": "a", "seed": 3, "steps": 4})
    _, facts, _ = run(capsys, "render", file, "--engine", "checker", "--out", str(tmp_path / "films"))
    frames = sorted((Path(facts["run"]) / "frames").iterdir())
    before = [path.read_bytes() for path in frames]
    code, _, _ = run(capsys, "rerender", facts["run"], "--from", "5", "--to", "5", "--set", "seed=9")
    assert code == 0
    assert [path.read_bytes() == old for path, old in zip(frames, before, strict=True)] == [
        number != 5 for number in range(12)
    ]


def test_trials(capsys, video, tmp_path):
    file, out = write(tmp_path, {"kind": "restyle", "video": "v.mp4", "seed": 3}), str(tmp_path / "films")
    common = ("render", file, "--engine", "checker", "--out", out)
    _, facts, _ = run(capsys, *common, "--every", "3")
    assert (facts["frames"], probe(facts["film"]).rate) == (4, 4)
    _, facts, _ = run(capsys, *common, "--only", "7")
    assert read_text(Path(facts["run"]) / "frames" / "000000.png")["frame"] == "7"


def test_prompts_are_shown(capsys, video, tmp_path):
    file = write(tmp_path, {"kind": "restyle", "video": "v.mp4", "prompts": {"0": "a", "2": "b"}})
    _, facts, _ = run(capsys, "prompts", file, "--frames", "3")
    assert [frame["positive"] for frame in facts["frames"]] == ["a", "a", "b"]


def test_mistakes_are_told_together(capsys, video, tmp_path):
    file = write(tmp_path, {"mov_file": "v.mp4", "resize_mode": 3, "movie_frames": 0, "n_iter": 3})
    code, facts, _ = run(capsys, "render", file, "--engine", "checker", "--out", str(tmp_path / "films"))
    assert code == 2
    assert {error["field"] for error in facts["errors"]} == {"resize_mode", "movie_frames", "n_iter"}
    assert not (tmp_path / "films").exists()
