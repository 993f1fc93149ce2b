# ruff: noqa: E501 (one key, one line: tables may be wide)
"""Every key of a Deforum settings file: its default and type there, and what becomes of it here.

Names and defaults are those of the sd-webui-deforum extension of March 2024, in its own groups.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

SCHEDULE, WORDS, FLAG, WHOLE, NUMBER, CHOICE, TEXT = (
    "schedule",
    "schedule of words",
    "flag",
    "whole number",
    "number",
    "choice",
    "text",
)

IN_3D = "read in 3D only"
HYBRID = "read with hybrid video only"
GUIDED = "read with guided images only"
MASKS = "read with masks only"
VIDEO = "read with video input, hybrid video or a mask video only"
UPSCALING = "read when upscaling only"
INTERPOLATING = "read when interpolating frames only"
PARSEQ = "read with a Parseq manifest only"
CONTROLNET = "read by an enabled ControlNet unit only"


class Key(NamedTuple):
    """One key of Deforum's."""

    name: str
    default: Any
    kind: str
    field: str = ""
    """The keyframed setting that takes its value."""
    kept: str = ""
    """Why it is kept without effect where it reaches no setting and is not refused."""


# fmt: off
ROWS = (
    # DeforumArgs
    Key("W", 512, WHOLE, field="width"),
    Key("H", 512, WHOLE, field="height"),
    Key("show_info_on_ui", True, FLAG, kept="a matter of Deforum's page"),
    Key("tiling", False, FLAG),
    Key("restore_faces", False, FLAG),
    Key("seed_resize_from_w", 0, WHOLE),
    Key("seed_resize_from_h", 0, WHOLE, kept="read with seed_resize_from_w only"),
    Key("seed", -1, WHOLE, field="seed"),
    Key("sampler", "Euler a", CHOICE, field="sampler"),
    Key("steps", 25, WHOLE, field="steps"),
    Key("batch_name", "Deforum_{timestring}", TEXT, kept="a run folder names itself"),
    Key("seed_behavior", "iter", CHOICE, field="seed_behavior"),
    Key("seed_iter_N", 1, WHOLE, field="seed_iter_n"),
    Key("use_init", False, FLAG, kept="off leaves the film without init image"),
    Key("strength", 0.8, NUMBER, field="init_strength"),
    Key("strength_0_no_init", True, FLAG, kept="frame 0 of a film without init image is always painted from nothing"),
    Key("init_image", "https://deforum.github.io/a1/I1.png", TEXT, field="init_image"),
    Key("init_image_box", "", TEXT, kept="an upload of Deforum's page; it is in no file"),
    Key("use_mask", False, FLAG, kept="off leaves the film without mask"),
    Key("use_alpha_as_mask", False, FLAG, field="mask_alpha", kept=MASKS),
    Key("mask_file", "https://deforum.github.io/a1/M1.jpg", TEXT, field="mask_image", kept=MASKS),
    Key("invert_mask", False, FLAG, field="mask_invert", kept=MASKS),
    Key("mask_contrast_adjust", 1.0, NUMBER, field="mask_contrast", kept=MASKS),
    Key("mask_brightness_adjust", 1.0, NUMBER, field="mask_brightness", kept=MASKS),
    Key("overlay_mask", True, FLAG, field="mask_overlay", kept=MASKS),
    Key("mask_overlay_blur", 4, WHOLE, field="mask_blur", kept=MASKS),
    Key("fill", "original", CHOICE, field="mask_fill", kept=MASKS),
    Key("full_res_mask", True, FLAG, field="mask_only", kept=MASKS),
    Key("full_res_mask_padding", 4, WHOLE, field="mask_padding", kept=MASKS),
    Key("reroll_blank_frames", "ignore", CHOICE, field="blank_frames"),
    Key("reroll_patience", 10, NUMBER, field="blank_patience"),
    Key("motion_preview_mode", False, FLAG),
    # DeforumAnimArgs
    Key("animation_mode", "2D", CHOICE, field="mode"),
    Key("max_frames", 120, WHOLE, field="frames"),
    Key("border", "replicate", CHOICE, field="border"),
    Key("angle", "0: (0)", SCHEDULE, field="angle"),
    Key("zoom", "0: (1.0025+0.002*sin(1.25*3.14*t/30))", SCHEDULE, field="zoom"),
    Key("translation_x", "0: (0)", SCHEDULE, field="translation_x"),
    Key("translation_y", "0: (0)", SCHEDULE, field="translation_y"),
    Key("translation_z", "0: (1.75)", SCHEDULE, kept=IN_3D),
    Key("transform_center_x", "0: (0.5)", SCHEDULE, field="center_x"),
    Key("transform_center_y", "0: (0.5)", SCHEDULE, field="center_y"),
    Key("rotation_3d_x", "0: (0)", SCHEDULE, kept=IN_3D),
    Key("rotation_3d_y", "0: (0)", SCHEDULE, kept=IN_3D),
    Key("rotation_3d_z", "0: (0)", SCHEDULE, kept=IN_3D),
    Key("enable_perspective_flip", False, FLAG, field="perspective_flip"),
    Key("perspective_flip_theta", "0: (0)", SCHEDULE, field="flip_theta"),
    Key("perspective_flip_phi", "0: (0)", SCHEDULE, field="flip_phi"),
    Key("perspective_flip_gamma", "0: (0)", SCHEDULE, field="flip_gamma"),
    Key("perspective_flip_fv", "0: (53)", SCHEDULE, field="flip_fov"),
    Key("noise_schedule", "0: (0.065)", SCHEDULE, field="noise"),
    Key("strength_schedule", "0: (0.65)", SCHEDULE, field="strength"),
    Key("contrast_schedule", "0: (1.0)", SCHEDULE, field="contrast"),
    Key("cfg_scale_schedule", "0: (7)", SCHEDULE, field="cfg_scale"),
    Key("enable_steps_scheduling", False, FLAG, kept="chooses between steps and steps_schedule"),
    Key("steps_schedule", "0: (25)", SCHEDULE, field="steps"),
    Key("fov_schedule", "0: (70)", SCHEDULE, kept=IN_3D),
    Key("aspect_ratio_schedule", "0: (1)", SCHEDULE, kept=IN_3D),
    Key("aspect_ratio_use_old_formula", False, FLAG, kept=IN_3D),
    Key("near_schedule", "0: (200)", SCHEDULE, kept=IN_3D),
    Key("far_schedule", "0: (10000)", SCHEDULE, kept=IN_3D),
    Key("seed_schedule", '0:(s), 1:(-1), "max_f-2":(-1), "max_f-1":(s)', SCHEDULE, field="seed_schedule"),
    Key("pix2pix_img_cfg_scale_schedule", "0:(1.5)", SCHEDULE, kept="read by instruct-pix2pix checkpoints only"),
    Key("enable_subseed_scheduling", False, FLAG, kept="off leaves the subseed's strength at 0"),
    Key("subseed_schedule", "0: (1)", SCHEDULE, field="subseed"),
    Key("subseed_strength_schedule", "0: (0)", SCHEDULE, field="subseed_strength"),
    Key("enable_sampler_scheduling", False, FLAG, kept="chooses between sampler and sampler_schedule"),
    Key("sampler_schedule", '0: ("Euler a")', WORDS, field="sampler"),
    Key("use_noise_mask", False, FLAG, kept="off leaves the noise to the mask, if there is one"),
    Key("mask_schedule", '0: ("{video_mask}")', WORDS, field="mask_expression", kept=MASKS),
    Key("noise_mask_schedule", '0: ("{video_mask}")', WORDS, field="noise_mask_expression", kept=MASKS),
    Key("enable_checkpoint_scheduling", False, FLAG, kept="off leaves the engine's checkpoint"),
    Key("checkpoint_schedule", '0: ("model1.ckpt"), 100: ("model2.safetensors")', WORDS, field="checkpoint"),
    Key("enable_clipskip_scheduling", False, FLAG, kept="off leaves clip skip at 1"),
    Key("clipskip_schedule", "0: (2)", SCHEDULE, field="clip_skip"),
    Key("enable_noise_multiplier_scheduling", True, FLAG, kept="off leaves the multiplier at 1"),
    Key("noise_multiplier_schedule", "0: (1.05)", SCHEDULE, field="noise_multiplier"),
    Key("resume_from_timestring", False, FLAG),
    Key("resume_timestring", "20230129210106", TEXT, kept="read when resuming only"),
    Key("enable_ddim_eta_scheduling", False, FLAG, kept="off leaves eta to the sampler"),
    Key("ddim_eta_schedule", "0: (0)", SCHEDULE, field="eta"),
    Key("enable_ancestral_eta_scheduling", False, FLAG, kept="off leaves eta to the sampler"),
    Key("ancestral_eta_schedule", "0: (1)", SCHEDULE, field="eta"),
    Key("amount_schedule", "0: (0.1)", SCHEDULE, field="sharpen_amount"),
    Key("kernel_schedule", "0: (5)", SCHEDULE, field="sharpen_kernel"),
    Key("sigma_schedule", "0: (1)", SCHEDULE, field="sharpen_sigma"),
    Key("threshold_schedule", "0: (0)", SCHEDULE, field="sharpen_threshold"),
    Key("color_coherence", "LAB", CHOICE, field="color_coherence"),
    Key("color_coherence_image_path", "", TEXT, field="color_reference"),
    Key("color_coherence_video_every_N_frames", 1, WHOLE, field="color_video_every", kept='read with color_coherence "Video Input" only'),
    Key("color_force_grayscale", False, FLAG, field="grayscale"),
    Key("legacy_colormatch", False, FLAG, kept="colours are matched before and after painting"),
    Key("diffusion_cadence", 2, WHOLE, field="cadence"),
    Key("optical_flow_cadence", "None", CHOICE),
    Key("cadence_flow_factor_schedule", "0: (1)", SCHEDULE, kept="read with flow between frames only"),
    Key("optical_flow_redo_generation", "None", CHOICE),
    Key("redo_flow_factor_schedule", "0: (1)", SCHEDULE, kept="read with flow redo only"),
    Key("diffusion_redo", 0, WHOLE),
    Key("noise_type", "perlin", CHOICE, field="noise_type"),
    Key("perlin_w", 8, NUMBER, kept="noise has 8 cells across; Deforum writes this key to no file"),
    Key("perlin_h", 8, NUMBER, kept="noise has 8 cells down; Deforum writes this key to no file"),
    Key("perlin_octaves", 4, WHOLE, field="perlin_octaves"),
    Key("perlin_persistence", 0.5, NUMBER, field="perlin_persistence"),
    Key("use_depth_warping", True, FLAG, kept=IN_3D),
    Key("depth_algorithm", "Midas-3-Hybrid", CHOICE, kept=IN_3D),
    Key("midas_weight", 0.2, NUMBER, kept=IN_3D),
    Key("padding_mode", "border", CHOICE, kept=IN_3D),
    Key("sampling_mode", "bicubic", CHOICE, kept=IN_3D),
    Key("save_depth_maps", False, FLAG),
    Key("video_init_path", "https://deforum.github.io/a1/V1.mp4", TEXT, field="video", kept=VIDEO),
    Key("extract_nth_frame", 1, WHOLE, field="video_every", kept=VIDEO),
    Key("extract_from_frame", 0, WHOLE, field="video_start", kept=VIDEO),
    Key("extract_to_frame", -1, WHOLE, field="video_stop", kept=VIDEO),
    Key("overwrite_extracted_frames", False, FLAG, kept=VIDEO),
    Key("use_mask_video", False, FLAG, kept="chooses between mask_file and video_mask_path"),
    Key("video_mask_path", "https://deforum.github.io/a1/VM1.mp4", TEXT, field="mask_video", kept=MASKS),
    Key("hybrid_comp_alpha_schedule", "0:(0.5)", SCHEDULE, kept=HYBRID),
    Key("hybrid_comp_mask_blend_alpha_schedule", "0:(0.5)", SCHEDULE, kept=HYBRID),
    Key("hybrid_comp_mask_contrast_schedule", "0:(1)", SCHEDULE, kept=HYBRID),
    Key("hybrid_comp_mask_auto_contrast_cutoff_high_schedule", "0:(100)", SCHEDULE, kept=HYBRID),
    Key("hybrid_comp_mask_auto_contrast_cutoff_low_schedule", "0:(0)", SCHEDULE, kept=HYBRID),
    Key("hybrid_flow_factor_schedule", "0:(1)", SCHEDULE, kept=HYBRID),
    Key("hybrid_generate_inputframes", False, FLAG, kept=HYBRID),
    Key("hybrid_generate_human_masks", "None", CHOICE, kept=HYBRID),
    Key("hybrid_use_first_frame_as_init_image", True, FLAG, kept=HYBRID),
    Key("hybrid_motion", "None", CHOICE, kept=HYBRID),
    Key("hybrid_motion_use_prev_img", False, FLAG, kept=HYBRID),
    Key("hybrid_flow_consistency", False, FLAG, kept=HYBRID),
    Key("hybrid_consistency_blur", 2, WHOLE, kept=HYBRID),
    Key("hybrid_flow_method", "RAFT", CHOICE, kept=HYBRID),
    Key("hybrid_composite", "None", CHOICE, kept=HYBRID),
    Key("hybrid_use_init_image", False, FLAG, kept=HYBRID),
    Key("hybrid_comp_mask_type", "None", CHOICE, kept=HYBRID),
    Key("hybrid_comp_mask_inverse", False, FLAG, kept=HYBRID),
    Key("hybrid_comp_mask_equalize", "None", CHOICE, kept=HYBRID),
    Key("hybrid_comp_mask_auto_contrast", False, FLAG, kept=HYBRID),
    Key("hybrid_comp_save_extra_frames", False, FLAG, kept=HYBRID),
    # LoopArgs
    Key("use_looper", False, FLAG),
    Key("init_images", "{}", TEXT, kept=GUIDED),
    Key("image_strength_schedule", "0:(0.75)", SCHEDULE, kept=GUIDED),
    Key("blendFactorMax", "0:(0.35)", SCHEDULE, kept=GUIDED),
    Key("blendFactorSlope", "0:(0.25)", SCHEDULE, kept=GUIDED),
    Key("tweening_frames_schedule", "0:(20)", SCHEDULE, kept=GUIDED),
    Key("color_correction_factor", "0:(0.075)", SCHEDULE, kept=GUIDED),
    # ParseqArgs
    Key("parseq_manifest", "", TEXT),
    Key("parseq_use_deltas", True, FLAG, kept=PARSEQ),
    Key("parseq_non_schedule_overrides", True, FLAG, kept=PARSEQ),
    # DeforumOutputArgs
    Key("skip_video_creation", False, FLAG, kept="the frames are kept and the film is written too"),
    Key("fps", 15, NUMBER, field="fps"),
    Key("make_gif", False, FLAG),
    Key("delete_imgs", False, FLAG, kept="the frames stay in the run folder"),
    Key("delete_input_frames", False, FLAG, kept="no frames are extracted into files"),
    Key("image_path", "C:/SD/20230124234916_%09d.png", TEXT, kept="read by a tool of Deforum's page only"),
    Key("add_soundtrack", "None", CHOICE, kept="chooses whether soundtrack_path is used"),
    Key("soundtrack_path", "https://deforum.github.io/a1/A1.mp3", TEXT, field="soundtrack"),
    Key("r_upscale_video", False, FLAG),
    Key("r_upscale_factor", "x2", CHOICE, kept=UPSCALING),
    Key("r_upscale_model", "realesr-animevideov3", CHOICE, kept=UPSCALING),
    Key("r_upscale_keep_imgs", True, FLAG, kept=UPSCALING),
    Key("store_frames_in_ram", False, FLAG, kept="frames are written as they are painted"),
    Key("frame_interpolation_engine", "None", CHOICE, kept=INTERPOLATING),
    Key("frame_interpolation_x_amount", 2, WHOLE, kept=INTERPOLATING),
    Key("frame_interpolation_slow_mo_enabled", False, FLAG, kept=INTERPOLATING),
    Key("frame_interpolation_slow_mo_amount", 2, WHOLE, kept=INTERPOLATING),
    Key("frame_interpolation_keep_imgs", False, FLAG, kept=INTERPOLATING),
    Key("frame_interpolation_use_upscaled", False, FLAG, kept=INTERPOLATING),
    # Prompts are at the top level of the file, next to the groups.
    Key("prompts", {}, TEXT, field="prompts"),
    Key("animation_prompts_positive", "", TEXT, field="positive"),
    Key("animation_prompts_negative", "", TEXT, field="negative"),
)

UNIT_ROWS = (
    Key("enabled", False, FLAG, kept=CONTROLNET),
    Key("overwrite_frames", True, FLAG, kept=CONTROLNET),
    Key("vid_path", "", TEXT, kept=CONTROLNET),
    Key("mask_vid_path", "", TEXT, kept=CONTROLNET),
    Key("low_vram", False, FLAG, kept=CONTROLNET),
    Key("pixel_perfect", False, FLAG, kept=CONTROLNET),
    Key("module", "none", CHOICE, kept=CONTROLNET),
    Key("model", "None", CHOICE, kept=CONTROLNET),
    Key("weight", "0:(1)", SCHEDULE, kept=CONTROLNET),
    Key("guidance_start", "0:(0.0)", SCHEDULE, kept=CONTROLNET),
    Key("guidance_end", "0:(1.0)", SCHEDULE, kept=CONTROLNET),
    Key("processor_res", 64, WHOLE, kept=CONTROLNET),
    Key("threshold_a", 64, NUMBER, kept=CONTROLNET),
    Key("threshold_b", 64, NUMBER, kept=CONTROLNET),
    Key("resize_mode", "Inner Fit (Scale to Fit)", CHOICE, kept=CONTROLNET),
    Key("control_mode", "Balanced", CHOICE, kept=CONTROLNET),
    Key("loopback_mode", False, FLAG, kept=CONTROLNET),
)
"""What follows `cn_1_`, `cn_2_` … in a file."""

WRITTEN_BY_RUNS = (
    Key("positive_prompts", "", TEXT, kept="a finished run has merged it into its prompts"),
    Key("negative_prompts", "", TEXT, kept="a finished run has merged it into its prompts"),
    Key("sd_model_name", "", TEXT, kept="the run's page chooses the checkpoint"),
    Key("sd_model_hash", "", TEXT, kept="the run's page chooses the checkpoint"),
    Key("deforum_git_commit_id", "", TEXT, kept="says which Deforum wrote the file"),
)

FREEU = (("b1", 1.3), ("b2", 1.4), ("s1", 0.9), ("s2", 0.2))

FORGE_ROWS = (
    Key("scheduler", "Automatic", CHOICE, field="scheduler"),
    Key("enable_scheduler_scheduling", False, FLAG, kept="chooses between scheduler and scheduler_schedule"),
    Key("scheduler_schedule", '0: ("Automatic")', WORDS, field="scheduler"),
    Key("distilled_cfg_scale_schedule", "0: (3.5)", SCHEDULE, kept="read by Flux checkpoints only"),
    Key("keyframe_strength_schedule", "0: (0.50)", SCHEDULE, kept="read with keyframe distribution only"),
    Key("keyframe_distribution", "Off", CHOICE),
    Key("shake_name", "None", CHOICE),
    Key("shake_intensity", 1.0, NUMBER, kept="read with a camera shake only"),
    Key("shake_speed", 1.0, NUMBER, kept="read with a camera shake only"),
    Key("freeu_enabled", False, FLAG),
    *(Key(f"freeu_{part}", f"0:({value})", SCHEDULE, kept="read with FreeU only") for part, value in FREEU),
    Key("kohya_hrfix_enabled", False, FLAG),
)
"""What sd-forge-deforum adds."""
# fmt: on

FORMER = (
    *("save_settings", "save_samples", "save_sample_per_step", "show_sample_per_step", "display_samples"),
    *(
        "filename_format",
        "n_batch",
        "n_samples",
        "make_grid",
        "grid_rows",
        "outdir",
        "timestring",
        "precision",
    ),
    *("C", "f", "from_img2img_instead_of_link", "init_sample", "output_format", "use_manual_settings"),
    *("render_steps", "max_video_frames", "path_name_modifier", "mp4_path", "ffmpeg_mode", "ffmpeg_outdir"),
    *("ffmpeg_location", "ffmpeg_crf", "ffmpeg_preset", "hybrid_use_video_as_mse_image"),
)
"""Keys of earlier Deforums that never reached the pictures, or that its page has since taken over."""
FORMER_ROWS = tuple(Key(name, None, TEXT, kept="Deforum dropped it") for name in FORMER)

SAMPLERS_BY_NUMBER = (
    "Euler a",
    "Euler",
    "LMS",
    "Heun",
    "DPM2",
    "DPM2 a",
    "DPM++ 2S a",
    "DPM++ 2M",
    "DPM++ SDE",
    "DPM fast",
    "DPM adaptive",
    "LMS Karras",
    "DPM2 Karras",
    "DPM2 a Karras",
    "DPM++ 2S a Karras",
    "DPM++ 2M Karras",
    "DPM++ SDE Karras",
    "DDIM",
    "UniPC",
)
"""The WebUI's img2img samplers in the order of early 2023, when files held their numbers."""

NOTEBOOK_SAMPLERS = {
    "euler_ancestral": "Euler a",
    "euler": "Euler",
    "klms": "LMS",
    "heun": "Heun",
    "dpm2": "DPM2",
    "dpm2_ancestral": "DPM2 a",
    "dpmpp_2s_a": "DPM++ 2S a",
    "dpmpp_2m": "DPM++ 2M",
    "dpmpp_sde": "DPM++ SDE",
    "dpmpp_2m_sde": "DPM++ 2M SDE",
    "dpmpp_2m_sde_gpu": "DPM++ 2M SDE",
    "dpmpp_3m_sde": "DPM++ 3M SDE",
    "dpmpp_3m_sde_gpu": "DPM++ 3M SDE",
    "uni_pc": "UniPC",
    "dpm_fast": "DPM fast",
    "dpm_adaptive": "DPM adaptive",
    "ddim": "DDIM",
    "plms": "PLMS",
}

FILLS = ("fill", "original", "latent noise", "latent nothing")

KEYS = {key.name: key for key in (*ROWS, *WRITTEN_BY_RUNS, *FORGE_ROWS, *FORMER_ROWS)}
UNIT_KEYS = {key.name: key for key in UNIT_ROWS}
_UNIT = re.compile(r"cn_([1-9]\d*)_(\w+)")


def key_of(name: str) -> Key | None:
    """The row of a key, `cn_{i}_*` included; None for a name that is not Deforum's."""
    unit = _UNIT.fullmatch(name)
    return UNIT_KEYS.get(unit[2]) if unit else KEYS.get(name)


def default_of(name: str) -> Any:
    """Deforum's default of a key that exists."""
    key = key_of(name)
    if key is None:
        raise KeyError(name)
    return key.default
