"""Saves the host's options for a film and applies them to each of its pictures."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from modules import shared

from lib_anim.types import AttentionBackend

ABSENT = object()

PIXEL_OPTIONS = (
    "CLIP_stop_at_last_layers", "beta_dist_alpha", "beta_dist_beta", "emphasis", "comma_padding_backtrack",
    "eta_ancestral", "eta_ddim", "eta_noise_seed_delta", "ddim_discretize",
    "always_discard_next_to_last_sigma", "sgm_noise_multiplier", "uni_pc_variant", "uni_pc_skip_type",
    "uni_pc_order", "uni_pc_lower_order_final", "sd_noise_schedule", "skip_early_cond", "s_churn", "s_tmin",
    "s_tmax", "s_noise", "s_min_uncond", "s_min_uncond_all", "sigma_min", "sigma_max", "rho",
    "randn_source", "enable_quantization", "upcast_attn", "token_merging_ratio",
    "token_merging_ratio_img2img", "pad_cond_uncond", "pad_cond_uncond_v0", "img2img_fix_steps",
    "img2img_background_color", "inpainting_mask_weight", "sdxl_crop_top", "sdxl_crop_left",
    "no_dpmpp_sde_batch_determinism", "use_old_scheduling", "use_old_emphasis_implementation",
    "use_old_karras_scheduler_sigmas", "use_downcasted_alpha_bar", "hires_fix_use_firstpass_conds",
    "sd_vae_encode_method", "sd_vae_decode_method", "auto_vae_precision", "auto_vae_precision_bfloat16",
    "face_restoration_model", "code_former_weight", "sd_vae_overrides_per_model_preferences",
   
)  # fmt: skip
"""Options that change pixels and take effect when they are read, without loading anything."""

FILM_OPTIONS: Mapping[str, Any] = {
    # Frames are composited over the original; Flipbook matches colours itself, by schedule.
    "overlay_inpaint": True,
    "img2img_color_correction": False,
    # One input picture gives one output picture.
    "return_mask": False,
    "return_mask_composite": False,
    "save_mask": False,
    "save_mask_composite": False,
    "save_init_img": False,
    "return_grid": False,
    "grid_save": False,
}
"""Options required for every picture of a film, whatever the user has set for stills."""


def current_pixel_options() -> dict[str, Any]:
    """Current values of the options in `PIXEL_OPTIONS` that this host has."""
    return {name: getattr(shared.opts, name) for name in PIXEL_OPTIONS if name in shared.opts.data_labels}


def digest(options: Mapping[str, Any]) -> str:
    """Twelve hex digits of the options' SHA-256, for an engine's fingerprint."""
    text = json.dumps(options, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@contextmanager
def applied(options: Mapping[str, Any]) -> Iterator[None]:
    """Set the host's options inside the block and restore them afterwards; absent ones are removed again.

    The host's own `override_settings` would leave keys behind that were absent before. A value is written
    into the settings file when someone saves the settings meanwhile. Loads nothing. The caller holds the
    host's queue lock.
    """
    data = shared.opts.data
    before = {name: data.get(name, ABSENT) for name in options}
    try:
        data.update(options)
        yield
    finally:
        for name, value in before.items():
            if value is ABSENT:
                data.pop(name, None)
            else:
                data[name] = value


def attention_backend() -> AttentionBackend:
    """The attention kernel that the host applied to its UNet: xformers, or PyTorch's for all others."""
    from modules import sd_hijack  # builds its table of kernels when it is imported

    return "xformers" if sd_hijack.model_hijack.optimization_method == "xformers" else "sdpa"
