"""mov2mov's and img2img batch's parameters under their own names."""

from __future__ import annotations

import json

import pytest

from lib_anim.actions.settings_files import load_settings
from lib_anim.errors import FlipbookError
from lib_anim.kinds.restyle.mov2mov import RENAMED, SAME, from_mov2mov, is_mov2mov, keys_table, known_keys
from lib_anim.kinds.restyle.settings import Restyle
from lib_anim.settings.base import specs

MOV2MOV = {
    "prompt": "a castle, oil",
    "negative_prompt": "fog",
    "prompt_styles": [],
    "mov_file": "dance.mp4",
    "steps": 30,
    "sampler_name": "DPM++ 2M Karras",
    "cfg_scale": 6.5,
    "image_cfg_scale": 1.5,
    "denoising_strength": 0.55,
    "selected_scale_tab": 0,
    "height": 768,
    "width": 512,
    "scale_by": 1.0,
    "resize_mode": 1,
    "override_settings_texts": [],
    "noise_multiplier": 0.9,
    "movie_frames": 24,
    "max_frames": -1,
    "enable_movie_editor": False,
    "eb_weight": 4.0,
    "seed": 77,
}
BATCH = {
    "img2img_batch_input_dir": "frames",
    "img2img_batch_output_dir": "",
    "img2img_batch_inpaint_mask_dir": "masks",
    "img2img_batch_use_png_info": True,
    "img2img_batch_png_info_props": ["Prompt", "Seed"],
    "img2img_batch_png_info_dir": "told",
    "prompt": "a castle",
    "mask_blur": 8,
    "inpainting_fill": 2,
    "inpaint_full_res": True,
    "inpaint_full_res_padding": 64,
    "inpainting_mask_invert": 1,
    "sampler_name": "Euler",
    "scheduler": "Karras",
    "restore_faces": False,
    "tiling": True,
    "eta": 0.5,
    "subseed": 9,
    "subseed_strength": 0.25,
    "override_settings": {
        "sd_model_checkpoint": "anime",
        "sd_vae": "Automatic",
        "CLIP_stop_at_last_layers": 2,
    },
    "alwayson_scripts": {
        "ControlNet": {"args": [{"model": "canny", "weight": 0.5, "control_mode": 2}]},
        "ADetailer": {"args": [True, {"ad_model": "face"}]},
    },
}


def test_mov2movs_parameters_become_settings():
    settings, warnings = from_mov2mov(MOV2MOV)
    assert warnings == ()
    assert {name: getattr(settings, name) for name in ("prompts", "negative", "video", "fps", "frames")} == {
        "prompts": "a castle, oil",
        "negative": "fog",
        "video": "dance.mp4",
        "fps": 24,
        "frames": 0,
    }
    assert (settings.width, settings.height, settings.resize_mode) == (512, 768, "Crop and resize")
    assert (settings.sampler, settings.scheduler, settings.steps) == ("DPM++ 2M", "Karras", "0:(30)")
    assert (settings.denoising, settings.cfg_scale, settings.noise_multiplier) == (
        *("0:(0.55)", "0:(6.5)"),
        "0:(0.9)",
    )
    assert (settings.seed, settings.seed_behavior) == (77, "fixed")


def test_img2img_batchs_parameters_become_settings():
    settings, warnings = from_mov2mov(BATCH)
    assert warnings == ()
    assert (settings.video, settings.mask, settings.png_info_dir) == ("frames", "masks", "told")
    assert settings.png_info == ("Prompt", "Seed")
    assert (settings.mask_blur, settings.mask_fill, settings.mask_only) == ("0:(8)", "latent noise", True)
    assert (settings.mask_padding, settings.mask_invert, settings.tiling) == ("0:(64)", True, True)
    assert (settings.checkpoint, settings.vae, settings.clip_skip) == ("anime", "", "0:(2)")
    assert (settings.subseed, settings.subseed_strength, settings.eta) == ("0:(9)", "0:(0.25)", "0:(0.5)")
    assert settings.scripts == {"ADetailer": [True, {"ad_model": "face"}]}
    (unit,) = settings.units
    assert (unit.model, unit.weight, unit.control_mode) == (
        "canny",
        "0:(0.5)",
        "ControlNet is more important",
    )


def test_what_is_missing_has_mov2movs_defaults():
    settings, _ = from_mov2mov({"mov_file": "v.mp4"})
    assert (settings.width, settings.height, settings.denoising) == (512, 512, "0:(0.75)")
    assert (settings.cfg_scale, settings.resize_mode, settings.fps) == ("0:(7)", "Just resize", None)


def test_resize_by_takes_the_videos_size():
    settings, _ = from_mov2mov({**MOV2MOV, "selected_scale_tab": 1, "scale_by": 1.5})
    assert (settings.width, settings.height, settings.scale) == (0, 0, 1.5)


def test_their_numbers_may_be_schedules():
    settings, _ = from_mov2mov({**MOV2MOV, "denoising_strength": "0:(0.3), 50%:(0.7)"})
    assert settings.denoising == "0:(0.3), 50%:(0.7)"


def test_png_info_that_is_off_is_off():
    settings, _ = from_mov2mov({**BATCH, "img2img_batch_use_png_info": False})
    assert (settings.png_info, settings.png_info_dir) == ((), "")


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"resize_mode": 3}, "resize_mode", "latent upscale"),
        ({"resize_mode": 7}, "resize_mode", "0 to 2"),
        ({"inpainting_fill": 9}, "inpainting_fill", "0 to 3"),
        ({"enable_movie_editor": True}, "enable_movie_editor", "EbSynth"),
        ({"override_settings_texts": ["Clip skip: 2"]}, "override_settings_texts", "override_settings"),
        ({"override_settings": {"eta_ddim": 1}}, "override_settings eta_ddim", "a film knows"),
        ({"refiner_checkpoint": "r"}, "refiner_checkpoint", "refiner"),
        ({"batch_size": 2}, "batch_size", "a film has one"),
        ({"n_iter": 3}, "n_iter", "a film has one"),
        ({"img2img_batch_upload": ["a.png"]}, "img2img_batch_upload", "folder"),
        ({"movie_frames": 0}, "movie_frames", "a frame rate"),
        ({"width": 500}, "width", "a multiple of 8"),
        ({"alwayson_scripts": {"ControlNet": {"args": [{"modell": "x"}]}}}, "units 0 modell", "model"),
    ],
)
def test_what_cannot_be_done_is_refused_under_its_own_key(changes, field, words):
    with pytest.raises(FlipbookError) as caught:
        from_mov2mov({**MOV2MOV, **changes})
    (problem,) = caught.value.problems
    assert problem.field == field
    assert words in problem.message


def test_every_problem_is_told_at_once():
    with pytest.raises(FlipbookError) as caught:
        from_mov2mov({**MOV2MOV, "resize_mode": 3, "n_iter": 3, "movie_frames": 0})
    assert {p.field for p in caught.value.problems} == {"resize_mode", "n_iter", "movie_frames"}


@pytest.mark.parametrize("key", ["prompt_styles", "styles"])
def test_styles_are_taken_over_by_name(key):
    others = {name: value for name, value in MOV2MOV.items() if name != "prompt_styles"}
    settings, warnings = from_mov2mov({**others, key: ["anime", "night, rain"]})
    assert settings.styles == ("anime", "night, rain")
    assert warnings == from_mov2mov(MOV2MOV)[1]


def test_unknown_keys_are_kept_and_told():
    settings, warnings = from_mov2mov({**MOV2MOV, "denoise_strength": 0.5})
    assert settings.extra == {"denoise_strength": 0.5}
    assert 'the nearest is "denoising_strength"' in warnings[0]


def test_what_has_no_effect_is_said():
    _, warnings = from_mov2mov({**BATCH, "img2img_batch_output_dir": "out", "image_cfg_scale": 2})
    assert [warning.split(":")[0] for warning in warnings] == ["img2img_batch_output_dir", "image_cfg_scale"]


def test_files_are_told_apart():
    assert is_mov2mov(MOV2MOV)
    assert is_mov2mov(BATCH)
    assert not is_mov2mov({"max_frames": 120, "strength_schedule": "0:(0.6)"})
    assert not is_mov2mov({"kind": "keyframed"})


def test_a_file_is_loaded_with_changes_in_both_languages(tmp_path):
    (tmp_path / "dance.mp4").touch()
    path = tmp_path / "m.json"
    path.write_text(json.dumps({**MOV2MOV, "selected_scale_tab": 1}), "utf-8")
    changes = {"denoising_strength": 0.2, "seed_behavior": "iter", "width": 256, "max_frames": 5}
    settings = load_settings(path, changes).settings
    assert isinstance(settings, Restyle)
    assert (settings.denoising, settings.seed_behavior, settings.width, settings.frames) == (
        *("0:(0.2)", "iter"),
        *(256, 5),
    )
    assert settings.video == str(tmp_path / "dance.mp4")
    with pytest.raises(FlipbookError, match="no setting"):
        load_settings(path, {"sead": 3})


def test_the_tables_name_settings_that_exist():
    assert {*SAME, *RENAMED.values()} <= set(specs(Restyle))
    assert {key for key, _ in keys_table()} <= known_keys()
