"""Detect what a weights file is by its tensor names."""

from __future__ import annotations

from collections.abc import Callable, Iterable

UNET = "model.diffusion_model."
"""Beginning of a UNet's names in the original layout."""

LORA = (
    ".lora_down.weight",
    ".lora_up.weight",
    ".lora.down.weight",
    ".lora_A.",
    ".lora_B.",
    "_lora.down.weight",
)
LYCORIS = (".hada_w1_", ".lokr_w1", ".oft_blocks", ".oft_diag", ".on_input")
"""Parts of the names of a LoRA and its kin."""

_SIGNS: tuple[tuple[str, Callable[[str], bool]], ...] = (
    ("a Stable Diffusion 3 model", lambda k: "joint_blocks." in k),
    ("a Flux model", lambda k: "double_blocks." in k),
    ("a Stable Video Diffusion model", lambda k: ".time_stack." in k or ".time_mix_blocks." in k),
    ("a LoRA", lambda k: any(part in k for part in (*LORA, *LYCORIS))),
    ("a ControlNet", lambda k: "input_hint_block" in k or "controlnet_cond_embedding" in k),
    ("a T2I-Adapter", lambda k: k.startswith("adapter.body.")),
    ("an IP-Adapter", lambda k: k.startswith(("ip_adapter.", "image_proj."))),
    ("a motion module", lambda k: "motion_modules." in k or "temporal_transformer" in k),
    ("an SDXL checkpoint", lambda k: k.startswith("conditioner.embedders.1.model.")),
    ("an SDXL refiner", lambda k: k.startswith("conditioner.embedders.0.model.")),
    ("a Stable Diffusion 2.x checkpoint", lambda k: k.startswith("cond_stage_model.model.")),
    ("a Stable Diffusion 1.x checkpoint", lambda k: k.startswith("cond_stage_model.transformer.")),
    ("a UNet without a text encoder", lambda k: k.startswith(UNET)),
    ("a UNet by itself in diffusers' layout", lambda k: k.startswith("down_blocks.")),
    ("a VAE", lambda k: "decoder.conv_in." in k),
    ("a text encoder by itself", lambda k: k.startswith(("text_model.encoder.", "transformer.resblocks."))),
    ("a textual inversion", lambda k: k in ("emb_params", "clip_l", "clip_g", "string_to_param")),
    ("an upscaler", lambda k: k.startswith(("model.0.weight", "conv_first.weight", "params_ema"))),
)


def detect(names: Iterable[str]) -> str | None:
    """What a file with these names is, such as `a Flux model`; None when they belong to nothing known."""
    names = tuple(names)
    return next((what for what, sign in _SIGNS if any(sign(name) for name in names)), None)
