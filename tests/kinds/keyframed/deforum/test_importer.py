"""What a Deforum file becomes, key by key."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from lib_anim.errors import FlipbookError
from lib_anim.kinds.keyframed.deforum.importer import from_deforum, is_deforum
from lib_anim.kinds.keyframed.deforum.keys import KEYS, ROWS
from lib_anim.kinds.keyframed.settings import Keyframed
from lib_anim.settings.base import from_json, to_json

SMALL: dict[str, Any] = {"animation_mode": "2D", "prompts": {"0": "a pier"}, "legacy_colormatch": False}


def read(**changes: Any) -> Keyframed:
    settings, warnings = from_deforum({**SMALL, **changes})
    assert warnings == ()
    return settings


def warned(**changes: Any) -> tuple[Keyframed, str]:
    settings, warnings = from_deforum({**SMALL, **changes})
    assert len(warnings) == 1, warnings
    return settings, warnings[0]


def refused(**changes: Any) -> dict[str, str]:
    with pytest.raises(FlipbookError) as caught:
        from_deforum({**SMALL, **changes})
    return {problem.field: problem.message for problem in caught.value.problems}


def kept(settings: Keyframed) -> dict[str, Any]:
    return dict(settings.extra["deforum"])


def test_missing_keys_have_deforums_defaults_not_ours() -> None:
    settings = read()
    assert settings.dialect == "deforum"
    assert (settings.frames, settings.fps, settings.width, settings.height) == (120, 15, 512, 512)
    assert settings.zoom == "0: (1.0025+0.002*sin(1.25*3.14*t/30))"
    assert settings.strength == "0: (0.65)"
    assert settings.cadence == 2
    assert settings.noise_multiplier == "0: (1.05)"
    assert settings.clip_skip == Keyframed().clip_skip
    assert settings.init_image == settings.soundtrack == settings.eta == ""


PLAIN = {
    "max_frames": ("frames", 33, 33),
    "W": ("width", 640, 640),
    "H": ("height", 384, 384),
    "seed": ("seed", 99, 99),
    "seed_behavior": ("seed_behavior", "ladder", "ladder"),
    "seed_iter_N": ("seed_iter_n", 4, 4),
    "seed_schedule": ("seed_schedule", "0:(s+1)", "0:(s+1)"),
    "fps": ("fps", 23.976, Fraction(24000, 1001)),
    "border": ("border", "wrap", "wrap"),
    "zoom": ("zoom", "0:(1.5)", "0:(1.5)"),
    "angle": ("angle", "0:(5)", "0:(5)"),
    "translation_x": ("translation_x", "0:(5)", "0:(5)"),
    "translation_y": ("translation_y", "0:(5)", "0:(5)"),
    "transform_center_x": ("center_x", "0:(0.25)", "0:(0.25)"),
    "transform_center_y": ("center_y", "0:(0.25)", "0:(0.25)"),
    "enable_perspective_flip": ("perspective_flip", True, True),
    "perspective_flip_theta": ("flip_theta", "0:(5)", "0:(5)"),
    "perspective_flip_phi": ("flip_phi", "0:(5)", "0:(5)"),
    "perspective_flip_gamma": ("flip_gamma", "0:(5)", "0:(5)"),
    "perspective_flip_fv": ("flip_fov", "0:(60)", "0:(60)"),
    "noise_schedule": ("noise", "0:(0.1)", "0:(0.1)"),
    "noise_type": ("noise_type", "uniform", "uniform"),
    "perlin_octaves": ("perlin_octaves", 5, 5),
    "perlin_persistence": ("perlin_persistence", 0.25, 0.25),
    "strength_schedule": ("strength", "0:(0.3)", "0:(0.3)"),
    "contrast_schedule": ("contrast", "0:(0.9)", "0:(0.9)"),
    "cfg_scale_schedule": ("cfg_scale", "0:(9)", "0:(9)"),
    "amount_schedule": ("sharpen_amount", "0:(0.4)", "0:(0.4)"),
    "kernel_schedule": ("sharpen_kernel", "0:(7)", "0:(7)"),
    "sigma_schedule": ("sharpen_sigma", "0:(2)", "0:(2)"),
    "threshold_schedule": ("sharpen_threshold", "0:(3)", "0:(3)"),
    "diffusion_cadence": ("cadence", 5, 5),
    "color_coherence": ("color_coherence", "HSV", "HSV"),
    "color_force_grayscale": ("grayscale", True, True),
    "reroll_patience": ("blank_patience", 4, 4),
    "steps": ("steps", 40, "0:(40)"),
    "sampler": ("sampler", "Heun", "Heun"),
    "scheduler": ("scheduler", "Karras", "Karras"),
    "prompts": ("prompts", {"0": "x", "9": "y"}, {"0": "x", "9": "y"}),
    "animation_prompts_positive": ("positive", "oil", "oil"),
    "animation_prompts_negative": ("negative", "blur", "blur"),
}


@pytest.mark.parametrize("key", PLAIN)
def test_a_key_reaches_its_setting_and_no_other(key: str) -> None:
    setting, given, expected = PLAIN[key]
    settings, before = read(**{key: given}), read()
    assert getattr(settings, setting) == expected != getattr(before, setting)
    others = {name for name, value in settings.values().items() if value != before.values()[name]}
    assert others == {setting}


SWITCHED = {
    "steps_schedule": ("enable_steps_scheduling", "steps", "0:(9)"),
    "sampler_schedule": ("enable_sampler_scheduling", "sampler", '0:("Heun")'),
    "checkpoint_schedule": ("enable_checkpoint_scheduling", "checkpoint", '0:("a.ckpt"), 9:("b (v2).ckpt")'),
    "clipskip_schedule": ("enable_clipskip_scheduling", "clip_skip", "0:(2), 9:(3)"),
    "subseed_schedule": ("enable_subseed_scheduling", "subseed", "0:(77)"),
    "subseed_strength_schedule": ("enable_subseed_scheduling", "subseed_strength", "0:(0.5)"),
    "ancestral_eta_schedule": ("enable_ancestral_eta_scheduling", "eta", "0:(0.7)"),
    "noise_multiplier_schedule": ("enable_noise_multiplier_scheduling", "noise_multiplier", "0:(1.1)"),
}


@pytest.mark.parametrize("key", SWITCHED)
def test_a_scheduled_key_counts_only_with_its_switch(key: str) -> None:
    switch, setting, text = SWITCHED[key]
    on, off = read(**{switch: True, key: text}), read(**{switch: False, key: text})
    assert getattr(on, setting) == text
    assert getattr(off, setting) != text
    assert kept(off)[key] == text
    assert key not in kept(on)


def test_the_keys_of_the_table_that_reach_a_setting_are_all_tried() -> None:
    tried = {*PLAIN, *SWITCHED, "animation_mode", "ddim_eta_schedule", "color_coherence_image_path"}
    tried |= {"init_image", "strength", "soundtrack_path", "reroll_blank_frames", "use_alpha_as_mask"}
    tried |= {
        "video_init_path",
        "video_mask_path",
        "mask_file",
        *MASKS,
        "color_coherence_video_every_N_frames",
    }
    tried |= {"extract_from_frame", "extract_to_frame", "extract_nth_frame", "full_res_mask_padding"}
    tried |= {"mask_schedule", "noise_mask_schedule", "mask_contrast_adjust", "mask_brightness_adjust"}
    assert {row.name for row in ROWS if row.field} <= tried


def test_ddim_has_an_eta_of_its_own() -> None:
    both = {"enable_ddim_eta_scheduling": True, "enable_ancestral_eta_scheduling": True}
    etas = {**both, "ddim_eta_schedule": "0:(0.1)", "ancestral_eta_schedule": "0:(0.2)"}
    assert read(**etas, sampler="DDIM").eta == "0:(0.1)"
    assert read(**etas, sampler="Euler a").eta == "0:(0.2)"
    assert read(enable_ddim_eta_scheduling=True, sampler="Euler a").eta == ""


def test_one_film_has_one_sort_of_eta() -> None:
    mixed = {"enable_sampler_scheduling": True, "sampler_schedule": '0:("DDIM"), 9:("Euler a")'}
    both = {"enable_ddim_eta_scheduling": True, "enable_ancestral_eta_scheduling": True}
    assert set(refused(**mixed, **both)) == {"enable_ddim_eta_scheduling"}


def test_sizes_are_cut_to_multiples_of_eight_with_a_warning() -> None:
    settings, warning = warned(W=515)
    assert settings.width == 512
    assert warning == "W: 515 is not a multiple of 8; 512 is used"
    assert warned(height=449)[1].startswith("height: 449")
    assert "it takes" in refused(H=32)["H"]


def test_prompts_keep_their_affixes_apart() -> None:
    settings = read(animation_prompts_positive="oil of", animation_prompts_negative="--neg blur, --neg text")
    assert (settings.positive, settings.negative) == ("oil of", " blur,  text")


def test_a_file_without_prompts_is_said() -> None:
    settings, warning = warned(prompts={})
    assert settings.prompts == {"0": ""}
    assert "without a prompt" in warning
    assert from_deforum({**SMALL, "prompts": {}, "animation_prompts_positive": "oil"})[1] == ()


def test_an_init_image_counts_only_when_it_is_used() -> None:
    off = read(use_init=False, init_image="start.png", strength=0.4)
    assert (off.init_image, off.init_strength) == ("", Keyframed().init_strength)
    assert kept(off)["init_image"] == "start.png"
    on = read(use_init=True, init_image=' "C:\\a b\\start.png"', strength=0.4)
    assert (on.init_image, on.init_strength, on.init_fit) == ("C:\\a b\\start.png", 0.4, "stretch")


def test_init_strength_is_held_with_a_warning_as_in_deforum() -> None:
    settings, warning = warned(use_init=True, init_image="a.png", strength=1.4)
    assert settings.init_strength == 1
    assert warning.startswith("strength: 1.4")


def test_a_picture_as_colour_reference() -> None:
    settings = read(color_coherence="Image", color_coherence_image_path="look.png")
    assert (settings.color_coherence, settings.color_reference) == ("LAB", "look.png")
    assert set(refused(color_coherence="Image")) == {"color_coherence_image_path"}
    assert read(color_coherence_image_path="look.png").color_reference == ""


def test_a_video_for_colours() -> None:
    settings = read(
        color_coherence="Video Input", video_init_path="look.mp4", color_coherence_video_every_N_frames=4
    )
    assert (settings.color_coherence, settings.color_video) == ("LAB", "look.mp4")
    assert settings.color_video_every == 4
    assert read(video_init_path="look.mp4").color_video == ""


def test_video_input_takes_the_videos_frames() -> None:
    on = {"animation_mode": "Video Input", "video_init_path": "in.mp4", "max_frames": 50}
    settings = read(**on)
    assert (settings.mode, settings.video, settings.frames, settings.cadence) == (
        "Video Input",
        "in.mp4",
        0,
        1,
    )
    assert (settings.video_start, settings.video_stop, settings.video_every) == (0, -1, 1)
    assert kept(settings)["max_frames"] == 50
    cut = read(**on, extract_from_frame=5, extract_to_frame=20, extract_nth_frame=4)
    # Deforum keeps frames whose own number is a multiple of 4: 8, 12, 16 and, the last being inclusive, 20.
    assert list(range(cut.video_start, cut.video_stop, cut.video_every)) == [8, 12, 16, 20]
    assert read(**on, extract_nth_frame=0).video_every == 1
    assert read(video_init_path="in.mp4").video == ""


MASKS = {
    "invert_mask": True,
    "mask_overlay_blur": 9,
    "fill": 2,
    "full_res_mask": False,
    "overlay_mask": False,
}


def test_a_mask_from_a_file() -> None:
    settings = read(use_mask=True, mask_file="mask.png", **MASKS)
    assert (settings.mask_image, settings.mask_video, settings.mask_alpha) == ("mask.png", "", False)
    assert (settings.mask_invert, settings.mask_blur, settings.mask_fill) == (True, 9, "latent noise")
    assert (settings.mask_only, settings.mask_overlay, settings.mask_noise) == (False, False, True)
    assert settings.mask_padding == 4
    adjusted = read(use_mask=True, mask_file="m.png", mask_contrast_adjust=2, mask_brightness_adjust=0.5)
    assert (adjusted.mask_contrast, adjusted.mask_brightness) == (2, 0.5)
    off = read(mask_file="mask.png", **MASKS)
    assert {name: value for name, value in off.values().items() if name.startswith("mask")} == {
        name: value for name, value in Keyframed().values().items() if name.startswith("mask")
    }


def test_a_mask_from_the_init_images_alpha_or_a_video() -> None:
    alpha = read(
        use_mask=True, use_alpha_as_mask=True, use_init=True, init_image="a.png", mask_file="mask.png"
    )
    assert (alpha.mask_alpha, alpha.mask_image) == (True, "")
    no_init = read(use_mask=True, use_alpha_as_mask=True, mask_file="mask.png")
    assert (no_init.mask_alpha, no_init.mask_image) == (False, "mask.png")
    film, warning = warned(use_mask_video=True, video_mask_path="mask.mp4")
    assert (film.mask_video, film.mask_image) == ("mask.mp4", "")
    assert warning.startswith("use_mask_video: ")
    both = {"animation_mode": "Video Input", "video_init_path": "in.mp4"}
    assert read(**both, use_mask_video=True, video_mask_path="mask.mp4").mask_video == "mask.mp4"


def test_masks_of_expressions() -> None:
    masked = {"use_mask": True, "mask_file": "mask.png"}
    text = '0:("{video_mask}"), 9:("!({video_mask}|[box.png])")'
    settings = read(**masked, mask_schedule=text)
    assert (settings.mask_expression, settings.noise_mask_expression) == (text, "")
    assert settings.mask_noise
    assert read(**masked).mask_expression == ""
    assert read(mask_schedule=text).mask_expression == ""
    apart = read(**masked, use_noise_mask=True, noise_mask_schedule=text)
    assert (apart.mask_expression, apart.noise_mask_expression, apart.mask_noise) == ("", text, False)
    alone = read(use_noise_mask=True, noise_mask_schedule='0:("[box.png]")')
    assert alone.noise_mask_expression == '0:("[box.png]")'


@pytest.mark.parametrize(
    ("theirs", "ours"), [("ignore", "keep"), ("reroll", "repaint"), ("interrupt", "stop")]
)
def test_blank_frames(theirs: str, ours: str) -> None:
    settings = read(reroll_blank_frames=theirs, reroll_patience=3.0)
    assert (settings.blank_frames, settings.blank_patience) == (ours, 3)


def test_a_word_for_blank_frames_that_deforum_lacks_is_refused() -> None:
    assert "it takes" in refused(reroll_blank_frames="pray")["reroll_blank_frames"]


def test_a_soundtrack_counts_only_when_it_is_asked_for() -> None:
    assert read(add_soundtrack="File", soundtrack_path="a.mp3").soundtrack == "a.mp3"
    assert read(add_soundtrack="None", soundtrack_path="a.mp3").soundtrack == ""
    video = read(add_soundtrack="Init Video", video_init_path="in.mp4", soundtrack_path="a.mp3")
    assert video.soundtrack == "in.mp4"
    assert 'one of "None", "File", "Init Video"' in refused(add_soundtrack="Radio")["add_soundtrack"]


def test_a_sampler_that_held_its_spacing() -> None:
    settings = read(sampler="DPM++ 2M Karras")
    assert (settings.sampler, settings.scheduler) == ("DPM++ 2M", "Karras")
    scheduled = read(enable_sampler_scheduling=True, sampler_schedule='0:("DPM2 Karras"), 9:("Euler a")')
    assert scheduled.sampler == '0:("DPM2"), 9:("Euler a")'
    assert scheduled.scheduler == '0:("Karras"), 9:("Automatic")'


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("legacy_colormatch", True),
        ("delete_imgs", True),
        ("skip_video_creation", True),
    ],
)
def test_what_is_on_without_effect_is_said(key: str, value: object) -> None:
    _, warning = warned(**{key: value})
    assert warning == f"{key}: {json.dumps(value)} has no effect; {KEYS[key].kept}"


def test_legacy_colours_matter_only_where_colours_are_matched() -> None:
    assert from_deforum({**SMALL, "legacy_colormatch": True, "color_coherence": "None"})[1] == ()


def test_a_file_that_is_older_than_a_key_is_not_said_to_have_it() -> None:
    older = {key: value for key, value in SMALL.items() if key != "legacy_colormatch"}
    (warning,) = from_deforum(older)[1]
    assert warning == (
        "the file is older than legacy_colormatch, when colours were matched before painting only; "
        "colours are matched before and after painting"
    )


def test_unknown_keys_are_kept_and_named_once() -> None:
    more = {f"wan_{number}": number for number in range(20)}
    settings, warning = warned(my_note="kept", **more)
    assert kept(settings)["my_note"] == "kept"
    assert kept(settings)["wan_19"] == 19
    assert '"my_note", "wan_0"' in warning
    assert "and 9 more" in warning


def test_saved_and_loaded_again_nothing_is_lost() -> None:
    data = {
        **SMALL,
        "fov_schedule": "0:(40)",
        "cn_3_model": "canny",
        "enable_steps_scheduling": False,
        "note": 1,
    }
    settings, _ = from_deforum(data)
    again, warnings = from_json(Keyframed, json.loads(json.dumps(to_json(settings))))
    assert again == settings
    assert warnings == ()
    assert again.dialect == "deforum"
    assert {key: kept(again)[key] for key in ("fov_schedule", "cn_3_model", "note")} == {
        "fov_schedule": "0:(40)",
        "cn_3_model": "canny",
        "note": 1,
    }


def test_problems_stand_under_the_files_own_keys_and_come_at_once() -> None:
    problems = refused(
        max_frames=-5,
        steps="many",
        strength_schedule=["0:(1)"],
        scale="x",
        tiling="maybe",
        animation_mode="3D",
    )
    expected = {"max_frames", "steps", "strength_schedule", "scale", "tiling", "animation_mode"}
    assert set(problems) == expected
    assert problems["tiling"] == '"maybe" is not allowed; it takes true or false'


def test_the_users_object_is_left_alone() -> None:
    data = {**SMALL, "histogram_matching": False, "W": 515}
    before = json.dumps(data)
    from_deforum(data)
    assert json.dumps(data) == before


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        ({"animation_mode": "2D"}, True),
        ({"max_frames": 10, "zoom": "0:(1)"}, True),
        ({"animation_prompts": {"0": "x"}}, True),
        ({"cn_1_enabled": True}, True),
        ({"kind": "keyframed", "max_frames": 3}, False),
        ({"zoom": "0:(1)", "prompts": {"0": "x"}}, False),
        ({"prompts": {"0": "x"}, "positive": "a", "negative": "b"}, False),
        ({"0": "a prompt", "30": "another"}, False),
        ({}, False),
    ],
)
def test_a_deforum_file_is_told_by_its_keys(data: dict[str, Any], answer: bool) -> None:
    assert is_deforum(data) is answer


def test_a_runs_own_file_has_its_texts_once() -> None:
    """Deforum merges the page's texts into a file that a run has merged already."""
    prompts = {"0": "oil of a robot --neg blur"}
    settings = read(prompts=prompts, positive_prompts="oil", negative_prompts="blur")
    assert (settings.prompts, settings.positive, settings.negative) == (prompts, "", "")


def test_files_of_a_batch_stand_alone() -> None:
    """In Deforum's batches a file without positive or negative texts inherits those of the file before."""
    read(animation_prompts_positive="oil", animation_prompts_negative="blur")
    assert (read().positive, read().negative) == ("", "")


def test_the_sampler_that_deforum_cannot_schedule() -> None:
    name = "DPM++ 2M SDE Heun Exponential"
    settings = read(enable_sampler_scheduling=True, sampler_schedule=f'0:("Euler a"), 9:("{name}")')
    assert settings.sampler == '0:("Euler a"), 9:("DPM++ 2M SDE Heun")'
    assert settings.scheduler == '0:("Automatic"), 9:("Exponential")'


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
OLD_KEYS = ("controlnet_weight", "neg_prompts", "scale", "ddim_eta", "use_zoe_depth", "fov", "sampler_name")
FILE_KEYS = st.sampled_from([*KEYS, *OLD_KEYS, "cn_1_weight", "cn_2_enabled", "animation_prompts"])
LIKELY = st.sampled_from(
    [True, False, 0, 1, -1, 8, "None", "0:(t)", "2D", "Video Input", "{", '{"0": "x"}', "a.png"]
)


@hypothesis_settings(max_examples=150, deadline=None)
@given(st.dictionaries(FILE_KEYS, LIKELY | JSON_VALUES, max_size=12))
def test_any_json_is_read_or_refused_in_sentences(data: dict[str, Any]) -> None:
    try:
        settings, warnings = from_deforum(data)
    except FlipbookError as error:
        for problem in error.problems:
            assert problem.field
            assert "\n" not in problem.sentence
        return
    assert from_json(Keyframed, to_json(settings))[0] == settings
    assert all(isinstance(warning, str) for warning in warnings)
