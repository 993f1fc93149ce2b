from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from lib_anim.app.cli import main
from lib_anim.media.probe import probe
from lib_anim.media.read import open_source

FILM = {
    "kind": "keyframed",
    "width": 64,
    "height": 64,
    "frames": 5,
    "fps": 10,
    "seed": 3,
    "prompts": {"0": "a"},
}


@pytest.fixture
def settings(tmp_path):
    def write(**changes) -> str:
        path = tmp_path / "settings.json"
        path.write_text(json.dumps({**FILM, **changes}), "utf-8")
        return str(path)

    return write


def run(capsys, *arguments: str) -> tuple[int, dict, str]:
    """(exit code, last line of standard output as JSON, standard error)."""
    code = main([*arguments, "--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out.splitlines()[-1]), err


def test_render_prints_absolute_paths(capsys, settings, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, facts, _ = run(capsys, "render", settings(), "--engine", "checker", "--out", "films")
    assert code == 0
    assert set(facts) == {"film", "run", "frames", "warnings"}
    assert facts["frames"] == 5
    assert facts["warnings"] == []
    assert Path(facts["film"]).is_absolute()
    assert Path(facts["film"]).is_file()
    assert Path(facts["run"]).parent == tmp_path / "films"


def test_set_replaces_settings_json_or_text(capsys, settings, tmp_path):
    changes = ["--set", "frames=3", "--set", 'prompts={"0": "b"}', "--set", "zoom=0:(1.1)"]
    code, facts, _ = run(
        capsys, "render", settings(), "--engine", "checker", "--out", str(tmp_path), *changes
    )
    assert code == 0
    assert facts["frames"] == 3
    manifest = json.loads((Path(facts["run"]) / "run.json").read_text())
    assert manifest["settings"]["prompts"] == {"0": "b"}
    assert manifest["settings"]["zoom"] == "0:(1.1)"


def test_resume_finishes_a_run(capsys, settings, tmp_path):
    _, facts, _ = run(capsys, "render", settings(), "--engine", "checker", "--out", str(tmp_path))
    frame = Path(facts["run"]) / "frames" / "000003.png"
    before = frame.read_bytes()
    frame.unlink()
    code, again, _ = run(capsys, "resume", facts["run"])
    assert code == 0
    assert again["frames"] == 5
    assert any("frame 3 is missing" in sentence for sentence in again["warnings"])
    assert frame.read_bytes() == before


def test_rerender_makes_some_frames_anew(capsys, settings, tmp_path):
    _, facts, _ = run(capsys, "render", settings(), "--engine", "checker", "--out", str(tmp_path))
    frames = [Path(facts["run"]) / "frames" / f"{index:06d}.png" for index in range(5)]
    before = [frame.read_bytes() for frame in frames]
    part = ["rerender", facts["run"], "--from", "2", "--to", "3"]
    code, again, err = run(capsys, *part, "--set", "prompts=b")
    assert code == 0
    assert again["run"] == facts["run"]
    (sentence,) = again["warnings"]
    assert "between 1 and 2, and between 3 and 4" in sentence
    assert sentence in err
    same = [frame.read_bytes() == was for frame, was in zip(frames, before, strict=True)]
    assert same == [True, True, False, False, True]
    code, wrong, _ = run(capsys, *part, "--set", "promts=b")
    assert code == 2
    assert '"prompts"' in wrong["errors"][0]["message"]


@pytest.mark.parametrize(
    ("flags", "frames", "size"),
    [(["--every", "2"], 3, (128, 128)), (["--half"], 5, (64, 64)), (["--only", "3"], 1, (128, 128))],
)
def test_a_look_before_the_long_run(capsys, settings, tmp_path, flags, frames, size):
    file = settings(width=128, height=128, mode="Interpolation")
    code, facts, err = run(capsys, "render", file, "--engine", "checker", "--out", str(tmp_path), *flags)
    assert code == 0
    assert facts["frames"] == frames
    assert f"{frames} pictures to paint for {frames} frames, at most" in err
    film = probe(Path(facts["film"]))
    assert (film.frames, (film.width, film.height)) == (frames, size)


@pytest.mark.parametrize(
    ("text", "flags", "expected"),
    [
        ("0:(0), 4:(8)", [], [0, 2, 4, 6, 8]),
        ("0:(s % 100)", ["--seed", "1234"], [34] * 5),
        ("0:(sec)", ["--fps", "2"], [0, 0.5, 1, 1.5, 2]),
        ("0:(beat)", ["--fps", "2", "--bpm", "60"], [0, 0.5, 1, 1.5, 2]),
        ("0:(w / h)", ["--width", "768", "--height", "512"], [1.5] * 5),
        ('0:("a"), 3:("b")', [], ["a", "a", "a", "b", "b"]),
    ],
)
def test_schedule(capsys, text, flags, expected):
    code, facts, _ = run(capsys, "schedule", text, "--frames", "5", *flags)
    assert code == 0
    assert facts["values"] == (expected if isinstance(expected[0], str) else pytest.approx(expected))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"0": "one --neg no", "2": "two"}', [("one", "no"), ("one", "no"), ("two", "")]),
        ("0: one\n2: two", [("one", ""), ("one", ""), ("two", "")]),
        (json.dumps({**FILM, "prompts": {"0": "x"}, "positive": "fine"}), [("fine x", "")] * 3),
        (json.dumps({"max_frames": 9, "prompts": {"0": "d --neg e"}}), [("d", "e")] * 3),
    ],
)
def test_prompts(capsys, tmp_path, content, expected):
    file = tmp_path / "prompts.txt"
    file.write_text(content, "utf-8")
    code, facts, _ = run(capsys, "prompts", str(file), "--frames", "3")
    assert code == 0
    assert [(f["positive"], f["negative"]) for f in facts["frames"]] == expected


def test_a_wrong_schedule_is_a_sentence_with_a_caret_and_exit_code_2(capsys):
    code, facts, err = run(capsys, "schedule", "0:(1), 30:(foo(t))", "--frames", "5")
    assert code == 2
    (error,) = facts["errors"]
    assert (error["field"], error["key"], error["column"]) == ("schedule", "30", 12)
    assert error["message"] in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["render", "nowhere.json"],
        ["render"],
        ["frobnicate"],
        ["resume", "nowhere"],
        ["schedule", "0:(1)", "--frames", "0"],
        ["schedule", "0:(1)", "--frames", "many"],
        ["schedule", "0:(1)", "--frames", "5", "--fps", "fast"],
        ["schedule", "0:(1)", "--frames", "5", "--width", "-1"],
        ["prompts", "nowhere.txt", "--frames", "5"],
        ["preview", "nowhere.json", "--out", "film.mp4"],
        ["schema", "nothing"],
        ["inspect", "nowhere.mp4"],
        ["assemble", "nowhere", "--out", "film.mp4"],
    ],
)
def test_what_the_user_got_wrong_is_a_sentence_and_exit_code_2(capsys, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    code, facts, err = run(capsys, *arguments)
    assert code == 2
    assert facts["errors"]
    assert all(set(error) == {"code", "field", "key", "column", "message"} for error in facts["errors"])
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"frames": 0}, "frames"),
        ({"width": 65}, "width"),
        ({"zoom": "0:(1"}, "zoom"),
        ({"strength": "0:(2)"}, "strength"),
        ({"init_image": "missing.png"}, "init_image"),
        ({"sampler": "Nothing"}, "sampler"),
        ({"kind": "nothing"}, "kind"),
    ],
)
def test_wrong_settings_name_their_field_and_write_nothing(capsys, settings, tmp_path, changes, field):
    out = tmp_path / "films"
    code, facts, _ = run(capsys, "render", settings(**changes), "--engine", "checker", "--out", str(out))
    assert code == 2
    assert [error["field"] for error in facts["errors"]] == [field]
    assert not out.exists()


def test_all_problems_of_a_file_come_at_once(capsys, settings, tmp_path):
    file = settings(frames=-1, zoom="0:(1", cfg_scale=[1])
    _, facts, _ = run(capsys, "render", file, "--engine", "checker", "--out", str(tmp_path / "o"))
    assert {error["field"] for error in facts["errors"]} == {"frames", "zoom", "cfg_scale"}


def test_broken_json_names_line_and_column(capsys, tmp_path):
    file = tmp_path / "broken.json"
    file.write_text('{"kind": "keyframed",\n "frames": }', "utf-8")
    code, facts, err = run(capsys, "render", str(file), "--engine", "checker")
    assert code == 2
    assert "line 2" in facts["errors"][0]["message"]
    assert "^" in err


def test_an_unknown_setting_is_named_with_its_neighbour(capsys, settings, tmp_path):
    code, facts, _ = run(capsys, "render", settings(), "--engine", "checker", "--set", "zom=2")
    assert code == 2
    assert 'the nearest is "zoom"' in facts["errors"][0]["message"]


def test_an_unknown_key_of_a_file_is_kept_and_said(capsys, settings, tmp_path):
    code, facts, _ = run(
        capsys, "render", settings(zom=2), "--engine", "checker", "--out", str(tmp_path / "o")
    )
    assert code == 0
    assert 'the nearest is "zoom"' in facts["warnings"][0]
    assert json.loads((Path(facts["run"]) / "run.json").read_text())["settings"]["zom"] == 2


def test_a_deforum_file_renders(capsys, tmp_path):
    file = tmp_path / "deforum.txt"
    deforum = {
        "W": 64,
        "H": 64,
        "max_frames": 4,
        "animation_mode": "2D",
        "seed": 1,
        "zoom": "0: (1.02)",
        "prompts": {"0": "a --neg b"},
        "sampler": "Euler a",
        "diffusion_cadence": 2,
    }
    file.write_text(json.dumps(deforum), "utf-8")
    code, facts, _ = run(capsys, "render", str(file), "--engine", "checker", "--out", str(tmp_path / "o"))
    assert code == 0
    assert facts["frames"] == 4


def test_relative_paths_start_at_the_settings_file(capsys, settings, tmp_path, monkeypatch):
    from lib_anim.media.pictures import write_picture

    write_picture(tmp_path / "init.png", np.full((64, 64, 3), 200, np.uint8))
    file = settings(init_image="init.png", init_strength=1, frames=1)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    code, facts, _ = run(capsys, "render", file, "--engine", "checker", "--out", "o")
    assert code == 0
    with open_source(facts["film"]) as source:
        assert abs(source[0].mean() - 200) < 3


def test_preview_shows_the_motion_quickly(capsys, settings, tmp_path):
    film = tmp_path / "preview.mp4"
    begun = time.process_time()
    code, facts, _ = run(capsys, "preview", settings(frames=240, zoom=1.02, angle=1), "--out", str(film))
    assert code == 0
    assert time.process_time() - begun < 10
    assert facts["film"] == str(film)
    facts = probe(film)
    assert (facts.frames, facts.width) == (240, 256)


def test_preview_moves_as_the_schedule_says(capsys, settings, tmp_path):
    from lib_anim.imaging.metrics import mean_motion

    film = tmp_path / "preview.mp4"
    # 512 pixels wide shown at 256: 4 pixels a frame are 2 in the preview.
    file = settings(frames=6, width=512, height=512, translation_x=4, translation_y=-2)
    run(capsys, "preview", file, "--out", str(film))
    with open_source(film) as source:
        a, b = (source[i].astype(np.float32) / np.float32(255) for i in (2, 3))
    assert mean_motion(a, b) == pytest.approx((2, -1), abs=0.5)


def test_schema_and_inspect(capsys, settings):
    main(["schema", "keyframed"])
    schema = json.loads(capsys.readouterr().out)
    assert schema["properties"]["width"]["multipleOf"] == 8
    code, facts, _ = run(capsys, "inspect", settings(angle=3))
    assert code == 0
    assert facts["kind"] == "settings"
    assert facts["changed"]["angle"] == "0:(3)"


def test_inspect_a_film_tells_its_settings(capsys, settings, tmp_path):
    _, made, _ = run(capsys, "render", settings(), "--engine", "checker", "--out", str(tmp_path / "o"))
    code, facts, _ = run(capsys, "inspect", made["film"])
    assert code == 0
    assert facts["kind"] == "video"
    assert (facts["width"], facts["height"], facts["rate"], facts["frames"]) == (64, 64, "10", 5)
    assert facts["duration"] == pytest.approx(0.5)
    assert facts["audio"] is False
    assert facts["settings"]["seed"] == 3


def test_assemble_from_the_command_line(capsys, settings, tmp_path):
    _, made, _ = run(capsys, "render", settings(), "--engine", "checker", "--out", str(tmp_path / "o"))
    film = tmp_path / "back.mp4"
    code, facts, _ = run(capsys, "assemble", made["run"], "--out", str(film), "--fps", "5", "--reverse")
    assert code == 0
    assert facts["frames"] == 5
    assert probe(film).rate == 5


def test_the_module_runs_as_a_program():
    done = subprocess.run(
        [sys.executable, "-m", "lib_anim", "schedule", "0:(t)", "--frames", "3", "--json"],
        capture_output=True,
        text=True,
        cwd=Path(__file__).resolve().parents[2],
        check=True,
    )
    assert json.loads(done.stdout.splitlines()[-1]) == {"values": [0, 1, 2]}


def test_parts_come_from_other_files_and_set_goes_over_them(capsys, settings, tmp_path):
    other = tmp_path / "other.json"
    other.write_text(json.dumps({**FILM, "zoom": 1.5, "angle": 7, "prompts": {"0": "other"}, "fps": 20}))
    code, facts, _ = run(
        capsys,
        "render",
        settings(zoom=1.1),
        *("--engine", "checker", "--out", str(tmp_path / "o")),
        *("--part", f"motion={other}", "--set", "angle=2"),
    )
    assert code == 0
    made = json.loads((Path(facts["run"]) / "run.json").read_text())["settings"]
    assert (made["zoom"], made["angle"], made["prompts"], made["fps"]) == ("0:(1.5)", "0:(2)", {"0": "a"}, 10)


@pytest.mark.parametrize("part", ["motion", "sound=x.json", "motion=nowhere.json"])
def test_a_wrong_part_is_a_sentence(capsys, settings, part):
    code, facts, _ = run(capsys, "render", settings(), "--engine", "checker", "--part", part)
    assert code == 2
    assert facts["errors"]


def test_deforums_own_key_means_deforums(capsys, tmp_path):
    """`strength` is Deforum's strength of the init image; Flipbook's is `strength_schedule` there."""
    file = tmp_path / "deforum.txt"
    file.write_text(json.dumps({"max_frames": 2, "W": 64, "H": 64, "seed": 1, "prompts": {"0": "a"}}))
    changes = ["--set", "strength=0.4", "--set", "zoom=0:(1)", "--set", "frames=3"]
    code, facts, _ = run(
        capsys, "render", str(file), "--engine", "checker", "--out", str(tmp_path / "o"), *changes
    )
    assert code == 0
    made = json.loads((Path(facts["run"]) / "run.json").read_text())["settings"]
    assert (made["strength"], made["zoom"], made["frames"]) == ("0: (0.65)", "0:(1)", 3)


def test_a_film_is_made_again_from_the_film(capsys, settings, tmp_path):
    _, made, _ = run(capsys, "render", settings(), "--engine", "checker", "--out", str(tmp_path / "first"))
    film = str(tmp_path / "far" / "a film.mp4")
    Path(film).parent.mkdir()
    Path(made["film"]).rename(film)
    code, again, _ = run(capsys, "render", film, "--engine", "checker", "--out", str(tmp_path / "o"))
    assert code == 0
    frames = [sorted(Path(facts["run"]).glob("frames/*.png")) for facts in (made, again)]
    assert len(frames[0]) == made["frames"] == again["frames"]
    assert [one.read_bytes() for one in frames[0]] == [one.read_bytes() for one in frames[1]]
    code, facts, _ = run(capsys, "render", str(frames[0][0]), "--out", str(tmp_path))
    assert (code, facts["errors"][0]["field"]) == (2, "file")


def test_the_way_to_resume_is_one_that_can_be_typed_here(capsys, monkeypatch, settings, tmp_path):
    from contextlib import nullcontext

    from lib_anim.app import commands

    monkeypatch.setattr(commands, "_stop_on_interrupt", lambda: nullcontext(lambda: True))
    python = tmp_path / "venv" / "bin" / "python"
    monkeypatch.setattr(sys, "executable", str(python))
    for here, named in ((tmp_path, Path("venv/bin/python")), (python.parent, python)):
        here.mkdir(parents=True, exist_ok=True)
        monkeypatch.chdir(here)
        assert main(["render", settings(), "--engine", "checker", "--out", str(tmp_path / "o")]) != 0
        assert f'go on with: {named} -m lib_anim resume "' in capsys.readouterr().err


def test_the_demo_checkpoint_goes_into_a_webui(capsys, tmp_path):
    models = tmp_path / "web ui" / "models" / "Stable-diffusion"
    models.mkdir(parents=True)
    code, facts, _ = run(capsys, "demo", "--install", str(tmp_path / "web ui"))
    assert code == 0
    assert facts["checkpoint"] == str(models / "flipbook-demo.safetensors")
    import yaml

    from lib_anim.app.engines import DEMO_CHECKPOINT
    from lib_anim.models.checkpoint import read_checkpoint

    told = yaml.safe_load((models / "flipbook-demo.yaml").read_text("utf-8"))["model"]["params"]
    assert told["cond_stage_config"]["params"]["version"] == str(models / "flipbook-demo-tokenizer")
    assert read_checkpoint(Path(facts["checkpoint"])).tokenizer == models / "flipbook-demo-tokenizer"
    module = models.parent / "AnimateDiff" / "flipbook-demo-motion.safetensors"
    assert facts["motion_module"] == str(module)
    assert module.read_bytes() == (DEMO_CHECKPOINT.parent / module.name).read_bytes()


def test_what_is_no_webui_gets_nothing(capsys, tmp_path):
    code, facts, _ = run(capsys, "demo", "--install", str(tmp_path))
    assert code == 2
    assert "is not a WebUI" in facts["errors"][0]["message"]
    assert list(tmp_path.iterdir()) == []


def test_an_assembly_can_be_a_settings_file_too(capsys, settings, tmp_path):
    _, made, _ = run(capsys, "render", settings(), "--engine", "checker", "--out", str(tmp_path / "o"))
    recipe = tmp_path / "recipe.json"
    recipe.write_text(json.dumps({"kind": "assemble", "source": made["film"], "boomerang": True}))
    changes = ["--set", "format=gif", "--set", "loop=2"]
    code, facts, _ = run(capsys, "render", str(recipe), "--out", str(tmp_path / "a"), *changes)
    assert code == 0
    assert facts["frames"] == 16
    assert facts["film"].endswith("film.gif")
    manifest = json.loads((Path(facts["run"]) / "run.json").read_text())
    assert manifest["settings"]["loop"] == 2
    main(["schema", "assemble"])
    assert json.loads(capsys.readouterr().out)["properties"]["boomerang"]["type"] == "boolean"


def test_a_recipe_without_a_source_makes_no_folder(capsys, tmp_path):
    recipe = tmp_path / "recipe.json"
    recipe.write_text(json.dumps({"kind": "assemble", "source": "nowhere.mp4"}))
    code, facts, _ = run(capsys, "render", str(recipe), "--out", str(tmp_path / "a"))
    assert code == 2
    assert facts["errors"][0]["field"] == "source"
    assert not (tmp_path / "a").exists()


def test_a_run_assembles_at_its_own_rate_with_its_own_sound(capsys, settings, tmp_path):
    from lib_anim.media.sound import click_track, write_wav

    clicks = write_wav(tmp_path / "clicks.wav", click_track(120, 0.5), 48000)
    file = settings(soundtrack=str(clicks))
    _, made, _ = run(capsys, "render", file, "--engine", "checker", "--out", str(tmp_path / "o"))
    film = tmp_path / "again.mp4"
    code, facts, _ = run(capsys, "assemble", made["run"], "--out", str(film))
    assert code == 0
    assert facts["warnings"] == []
    found = probe(film)
    assert (found.frames, found.rate, found.audio) == (5, 10, True)
    for change in (["--reverse"], ["--fps", "5"]):
        _, back, _ = run(capsys, "assemble", made["run"], "--out", str(tmp_path / "back.mp4"), *change)
        assert "sound: dropped" in back["warnings"][0]


def test_inspect_tells_how_far_a_run_has_come(capsys, settings, tmp_path):
    _, made, _ = run(capsys, "render", settings(), "--engine", "checker", "--out", str(tmp_path / "o"))
    (Path(made["run"]) / "frames" / "000003.png").unlink()
    code, facts, _ = run(capsys, "inspect", made["run"])
    assert code == 0
    assert (facts["kind"], facts["of"], facts["status"]) == ("run", "keyframed", "done")
    assert (facts["frames_done"], facts["frames"], facts["settings"]["seed"]) == (3, 5, 3)


def test_missing_packages_are_a_sentence_with_the_way_out():
    done = subprocess.run(
        [sys.executable, "-S", "-m", "lib_anim", "--version"],
        capture_output=True,
        text=True,
        cwd=Path(__file__).resolve().parents[2],
    )
    assert done.returncode == 2
    assert "make setup" in done.stderr
    assert "Traceback" not in done.stderr
