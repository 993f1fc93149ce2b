"""Each migration by itself, on the smallest file that needs it."""

from __future__ import annotations

import pytest

from lib_anim.kinds.keyframed.deforum.migrations import MIGRATIONS, migrate

CASES = {
    "null_is_default": ({"init_image": None, "zoom": "0:(1)"}, {"zoom": "0:(1)"}),
    "animation_prompts": (
        {"animation_prompts": {"0": "a"}, "prompts": ["still"]},
        {"prompts": {"0": "a"}},
    ),
    "prompts_as_text": ({"prompts": '{"0": "a", "9": "b"}'}, {"prompts": {"0": "a", "9": "b"}}),
    "notebook_negative_prompts": (
        {"prompts": {"0": "spring", "20": "winter"}, "neg_prompts": {"0": "people", "25": "text"}},
        {"prompts": {"0": "spring --neg people", "20": "winter --neg people", "25": "winter --neg text"}},
    ),
    "sizes_by_name": ({"width": 640, "height": 384}, {"W": 640, "H": 384}),
    "notebook_scale": ({"scale": 7.5}, {"cfg_scale_schedule": "0:(7.5)"}),
    "notebook_camera": (
        {"near_plane": 200, "far_plane": 10000, "fov": 40},
        {"near_schedule": "0:(200)", "far_schedule": "0:(10000)", "fov_schedule": "0:(40)"},
    ),
    "ddim_eta": (
        {"ddim_eta": 0.3},
        {"ddim_eta_schedule": "0:(0.3)", "enable_ddim_eta_scheduling": True},
    ),
    "seed_extras": (
        {"seed_enable_extras": True, "subseed": 5, "subseed_strength": 0.25},
        {
            "enable_subseed_scheduling": True,
            "subseed_schedule": "0:(5)",
            "subseed_strength_schedule": "0:(0.25)",
        },
    ),
    "notebook_sampler_switch": (
        {"enable_schedule_samplers": True},
        {"enable_sampler_scheduling": True},
    ),
    "sampler_name": (
        {"sampler_name": "dpmpp_2m_sde_gpu", "scheduler": "karras"},
        {"sampler": "DPM++ 2M SDE", "scheduler": "karras"},
    ),
    "sampler_by_number": ({"sampler": 16}, {"sampler": "DPM++ SDE Karras"}),
    "notebook_samplers": (
        {"sampler": "euler_ancestral", "sampler_schedule": "0:('euler'),10:('dpm2_ancestral')"},
        {"sampler": "Euler a", "sampler_schedule": "0:('Euler'),10:('DPM2 a')"},
    ),
    "fill_by_number": ({"fill": 2}, {"fill": "latent noise"}),
    "match_frame_0": ({"color_coherence": "Match Frame 0 HSV"}, {"color_coherence": "HSV"}),
    "histogram_matching": ({"histogram_matching": True}, {}),
    "flip_2d_perspective": ({"flip_2d_perspective": True}, {"enable_perspective_flip": True}),
    "skip_video_for_run_all": ({"skip_video_for_run_all": True}, {"skip_video_creation": True}),
    "hybrid_video_names": (
        {"hybrid_video_motion": "Affine", "hybrid_video_comp_mask_type": "Blend"},
        {"hybrid_motion": "Affine", "hybrid_comp_mask_type": "Blend"},
    ),
    "hybrid_composite_flag": ({"hybrid_composite": True}, {"hybrid_composite": "Normal"}),
    "flow_flags": (
        {"optical_flow_cadence": True, "optical_flow_redo_generation": False},
        {"optical_flow_cadence": "DIS Fine", "optical_flow_redo_generation": "None"},
    ),
    "use_zoe_depth": ({"use_zoe_depth": False}, {"depth_algorithm": "Midas+AdaBins (old)"}),
    "soundtrack_flag": ({"add_soundtrack": True}, {"add_soundtrack": "File"}),
    "single_controlnet_unit": (
        {"controlnet_enabled": True, "controlnet_lowvram": True, "controlnet_weight": 0.5},
        {"cn_1_enabled": True, "cn_1_low_vram": True, "cn_1_weight": "0:(0.5)"},
    ),
    "controlnet_numbers": (
        {"cn_2_weight": 1, "cn_7_guidance_end": 0.75, "cn_2_processor_res": 64},
        {"cn_2_weight": "0:(1)", "cn_7_guidance_end": "0:(0.75)", "cn_2_processor_res": 64},
    ),
    "numbers_as_schedules": ({"zoom": 1.02}, {"zoom": "0:(1.02)"}),
    "controlnet_resize_modes": (
        {"cn_1_resize_mode": "Envelope (Outer Fit)", "cn_4_resize_mode": "Scale to Fit (Inner Fit)"},
        {
            "cn_1_resize_mode": "Outer Fit (Shrink to Fit)",
            "cn_4_resize_mode": "Inner Fit (Scale to Fit)",
        },
    ),
    "init_mask_name": (
        {"mask_schedule": '0:("!{init_mask}")', "noise_mask_schedule": '0:("{init_mask}|<hair>")'},
        {"mask_schedule": '0:("!{video_mask}")', "noise_mask_schedule": '0:("{video_mask}|<hair>")'},
    ),
    "guided_image_leftovers": ({"imageStrength": 0.75, "imagesToKeyframe": "{}"}, {}),
    "no_seed": ({"seed": ""}, {"seed": -1}),
    "numbers_as_text": (
        {
            "diffusion_cadence": "2",
            "perlin_persistence": "0.25",
            "tiling": "False",
        },
        {"diffusion_cadence": 2, "perlin_persistence": 0.25, "tiling": False},
    ),
    "flags_as_numbers": (
        {"use_init": 1, "tiling": 0, "frame_interpolation_engine": False},
        {"use_init": True, "tiling": False, "frame_interpolation_engine": "None"},
    ),
    "legacy_colormatch_absent": ({"zoom": "0:(1)"}, {"zoom": "0:(1)", "legacy_colormatch": True}),
}


@pytest.mark.parametrize("name", MIGRATIONS)
def test_a_migration_turns_the_old_form_into_the_present_one(name: str) -> None:
    old, present = CASES[name]
    given = dict(old)
    file = migrate(old)
    assert name in file.applied
    expected = {"legacy_colormatch": True, **present}
    assert file.values == expected
    assert {key: type(value) for key, value in file.values.items()} == {
        key: type(value) for key, value in expected.items()
    }
    assert old == given, "the user's object was altered"


def test_every_case_is_of_a_migration() -> None:
    assert set(CASES) == set(MIGRATIONS)


@pytest.mark.parametrize("name", MIGRATIONS)
def test_a_migrated_file_needs_no_migration(name: str) -> None:
    values = migrate(CASES[name][0]).values
    assert migrate(values).applied == []


def test_a_present_key_wins_over_its_former_name() -> None:
    file = migrate({"width": 640, "W": 512, "flip_2d_perspective": True, "enable_perspective_flip": False})
    assert file.values["W"] == 512
    assert file.values["enable_perspective_flip"] is False
    assert "width" not in file.values


def test_problems_can_name_the_key_as_the_file_has_it() -> None:
    file = migrate({"controlnet_enabled": True, "scale": 7, "W": 512})
    assert file.origin("cn_1_enabled") == "controlnet_enabled"
    assert file.origin("cfg_scale_schedule") == "scale"
    assert file.origin("W") == "W"


def test_what_is_lost_is_said() -> None:
    assert migrate({"histogram_matching": False}).warnings == []
    assert "histogram_matching" in migrate({"histogram_matching": True}).warnings[0]
    assert migrate({"ddim_eta": 0.0}).values.get("enable_ddim_eta_scheduling") is None
