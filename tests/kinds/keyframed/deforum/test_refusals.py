"""Everything that is not built is refused by its key, in one sentence, together with all the rest."""

from __future__ import annotations

import pytest

from lib_anim.errors import FlipbookError
from lib_anim.kinds.keyframed.deforum.importer import from_deforum
from lib_anim.kinds.keyframed.deforum.refusals import REFUSALS

SMALL = {"animation_mode": "2D", "max_frames": 8, "prompts": {"0": "a pier"}}

COLOR_VIDEO = {"color_coherence": "Video Input", "video_init_path": "a.mp4"}
MASK_VIDEO = {"use_mask_video": True, "video_mask_path": "mask.mp4"}

SWITCHED_ON = {
    "animation_mode": {"animation_mode": "3D"},
    "motion_preview_mode": {"motion_preview_mode": True},
    "resume_from_timestring": {"resume_from_timestring": True},
    "init_image": {"use_init": True, "init_image": "https://example.org/a.png"},
    "video_init_path": {"animation_mode": "Video Input", "video_init_path": "https://example.org/a.mp4"},
    "mask_file": {"use_mask": True, "mask_file": "https://deforum.github.io/a1/M1.jpg"},
    "video_mask_path": {"use_mask_video": True, "video_mask_path": "http://example.org/a.mp4"},
    "use_noise_mask": {"use_noise_mask": True},
    "extract_nth_frame": {**MASK_VIDEO, "extract_nth_frame": 2},
    "extract_from_frame": {
        "color_coherence": "Video Input",
        "video_init_path": "a.mp4",
        "extract_from_frame": 5,
    },
    "extract_to_frame": {**MASK_VIDEO, "extract_to_frame": 90},
    "use_looper": {"use_looper": True},
    "parseq_manifest": {"parseq_manifest": '{"rendered_frames": []}'},
    "cn_{i}_enabled": {"cn_4_enabled": True},
    "hybrid_composite": {"hybrid_composite": "After Generation"},
    "hybrid_motion": {"hybrid_motion": "Optical Flow"},
    "hybrid_generate_inputframes": {"hybrid_generate_inputframes": True},
    "hybrid_generate_human_masks": {"hybrid_generate_human_masks": "PNGs"},
    "hybrid_use_init_image": {"hybrid_use_init_image": True},
    "optical_flow_cadence": {"optical_flow_cadence": "RAFT", "diffusion_cadence": 3},
    "optical_flow_redo_generation": {"optical_flow_redo_generation": "DIS Fine"},
    "diffusion_redo": {"diffusion_redo": "2"},
    "color_coherence_image_path": {
        "color_coherence": "Image",
        "color_coherence_image_path": "http://example.org/a.png",
    },
    "restore_faces": {"restore_faces": True},
    "tiling": {"tiling": True},
    "seed_resize_from_w": {"seed_resize_from_w": 512, "seed_resize_from_h": 512},
    "save_depth_maps": {"save_depth_maps": True},
    "soundtrack_path": {"add_soundtrack": "File", "soundtrack_path": "https://example.org/a.mp3"},
    "make_gif": {"make_gif": True},
    "r_upscale_video": {"r_upscale_video": True},
    "frame_interpolation_engine": {"frame_interpolation_engine": "FILM"},
    "keyframe_distribution": {"keyframe_distribution": "Keyframes Only"},
    "shake_name": {"shake_name": "INVESTIGATION"},
    "freeu_enabled": {"freeu_enabled": True},
    "kohya_hrfix_enabled": {"kohya_hrfix_enabled": True},
}

NOT_ON = {
    "video_init_path": {"video_init_path": "https://deforum.github.io/a1/V1.mp4"},
    "mask_file": {"mask_file": "https://deforum.github.io/a1/M1.jpg"},
    "mask_schedule": {"mask_schedule": '0:("!{video_mask}")'},
    "extract_nth_frame": {"extract_nth_frame": 3},
    "optical_flow_cadence": {"optical_flow_cadence": "RAFT", "diffusion_cadence": 1},
    "init_image": {"use_init": False, "init_image": "https://deforum.github.io/a1/I1.png"},
    "soundtrack_path": {"soundtrack_path": "https://deforum.github.io/a1/A1.mp3"},
    "color_coherence_image_path": {"color_coherence_image_path": "http://example.org/a.png"},
    "seed_resize_from_w": {"seed_resize_from_w": 512},
    "parseq_manifest": {"parseq_manifest": None},
    "diffusion_redo": {"diffusion_redo": "0"},
    "cn_{i}_enabled": {"cn_4_enabled": False, "cn_4_weight": "0:(1)"},
}


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.key)
def test_switched_on_is_refused_by_its_key(refusal) -> None:
    with pytest.raises(FlipbookError) as caught:
        from_deforum({**SMALL, **SWITCHED_ON[refusal.key]})
    (problem,) = caught.value.problems
    assert problem.field == refusal.key.replace("{i}", "4")
    assert refusal.feature in problem.sentence
    assert refusal.way in problem.sentence
    assert "\n" not in problem.sentence


@pytest.mark.parametrize("key", NOT_ON)
def test_switched_off_is_kept(key: str) -> None:
    settings, _ = from_deforum({**SMALL, **NOT_ON[key]})
    kept = settings.extra.get("deforum", {})
    for name, value in NOT_ON[key].items():
        if value is not None and name != "diffusion_cadence":
            assert str(kept[name]) == str(value)


def test_a_plain_file_is_not_refused() -> None:
    settings, _ = from_deforum(SMALL)
    assert settings.frames == 8


@pytest.mark.parametrize("mode", ["3D", "None", "Wan Video", "2D ", "interpolation"])
def test_modes(mode: str) -> None:
    if mode in ("2D ", "interpolation"):
        assert from_deforum({**SMALL, "animation_mode": mode})[0].mode == {"2D ": "2D"}.get(
            mode, "Interpolation"
        )
        return
    with pytest.raises(FlipbookError) as caught:
        from_deforum({**SMALL, "animation_mode": mode})
    assert [p.field for p in caught.value.problems] == ["animation_mode"]
    assert mode in str(caught.value)


def test_all_refusals_come_at_once_and_under_the_files_own_keys() -> None:
    with pytest.raises(FlipbookError) as caught:
        from_deforum(
            {
                **SMALL,
                "animation_mode": "3D",
                "controlnet_enabled": True,
                "hybrid_video_motion": "Affine",
                "scale": "x",
            }
        )
    fields = {problem.field for problem in caught.value.problems}
    assert fields == {"animation_mode", "controlnet_enabled", "hybrid_video_motion", "scale"}
