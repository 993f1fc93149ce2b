"""Map tensor names of every motion module layout to the native one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from lib_anim.models.table import Table

Layout = Literal["native", "diffusers", "HotShot-XL's own"]

WRAPPERS = ("module.", "unet.", "model.diffusion_model.", "motion_module.")
"""Beginnings that training scripts and exports put in front of every name."""

UNNAMED = ("down_blocks.", "mid_block.", "up_blocks.")
"""Beginnings in files that hold the UNet's layers alone, such as AnimateDiff's v3 adapter."""

_BLOCK = r"(?:down_blocks\.\d+|up_blocks\.\d+|mid_block)\.motion_modules\.\d+"
_SITE = re.compile(rf"({_BLOCK})\.temporal_transformer\.(.+)")

_OF_DIFFUSERS = (
    (".attn1.", ".attention_blocks.0."),
    (".attn2.", ".attention_blocks.1."),
    (".norm1.", ".norms.0."),
    (".norm2.", ".norms.1."),
    (".norm3.", ".ff_norm."),
)


def layout_of(keys: Iterable[str]) -> Layout | None:
    """The layout of a file's names; None when no name is a temporal layer's."""
    keys = tuple(keys)
    if any(".temporal_attentions." in key for key in keys):
        return "HotShot-XL's own"
    if any(".motion_modules." in key and ".temporal_transformer." in key for key in keys):
        return "native"
    if any(".motion_modules." in key and ".transformer_blocks." in key for key in keys):
        return "diffusers"
    return None


def native_names(key: str) -> tuple[str, ...]:
    """The native names of the tensor `key`: none for what is not a temporal layer's.

    Two for diffusers' position table, which serves both attention blocks.
    """
    key = unwrapped(key)
    key = key.replace(".temporal_attentions.", ".motion_modules.").replace("positional_encoding", "pe")
    found = re.fullmatch(rf"({_BLOCK})\.(.+)", key)
    if found is None:
        return ()
    site, rest = found.groups()
    rest = "." + rest.removeprefix("temporal_transformer.")
    for theirs, ours in _OF_DIFFUSERS:
        rest = rest.replace(theirs, ours)
    stem = f"{site}.temporal_transformer"
    shared = re.fullmatch(r"(\.transformer_blocks\.\d+)\.pos_embed\.pe", rest)
    if shared is not None:
        return tuple(f"{stem}{shared[1]}.attention_blocks.{i}.pos_encoder.pe" for i in (0, 1))
    return (stem + rest,)


def unwrapped(key: str) -> str:
    """`key` without what training scripts put in front of it."""
    while prefix := next((w for w in WRAPPERS if key.startswith(w)), ""):
        key = key[len(prefix) :]
    return key


def site_of(native: str) -> tuple[str, str]:
    """(`down_blocks.0.motion_modules.1`, rest of the name behind `temporal_transformer.`)."""
    found = _SITE.fullmatch(native)
    assert found is not None, native
    return found[1], found[2]


_LORA_PARTS = (
    ("_lora.down.weight", "down"),
    ("_lora.up.weight", "up"),
    (".lora.down.weight", "down"),
    (".lora.up.weight", "up"),
    (".lora_down.weight", "down"),
    (".lora_up.weight", "up"),
    (".lora_A.weight", "down"),
    (".lora_B.weight", "up"),
    (".lora_A.default.weight", "down"),
    (".lora_B.default.weight", "up"),
    (".alpha", "alpha"),
)
"""Endings of a LoRA's names: AnimateDiff's and old diffusers', diffusers', kohya's, peft's."""


def is_motion_lora(table: Table) -> bool:
    """Whether a file is a LoRA of temporal layers."""
    return any(
        ("motion_modules" in key or "temporal" in key) and lora_part(key)[1] in ("down", "up")
        for key in table.shapes
    )


def lora_part(key: str) -> tuple[str, str | None]:
    """(layer, `down`, `up` or `alpha`); None for the part when the name is none of a LoRA's."""
    for ending, part in _LORA_PARTS:
        if key.endswith(ending):
            return key[: -len(ending)], part
    return key, None


def motion_layer(stem: str) -> str | None:
    """A LoRA's layer as the native name of its weight with underscores for dots; None for other layers."""
    flat = unwrapped(stem).replace("processor.", "").replace(".", "_").removeprefix("lora_unet_")
    flat = flat.replace("temporal_attentions_", "motion_modules_")
    found = re.fullmatch(
        r"(down_blocks_\d+|up_blocks_\d+|mid_block)_motion_modules_(\d+)_(?:temporal_transformer_)?(.+)", flat
    )
    if found is None:
        return None
    rest = re.sub(r"_attn([12])_", lambda m: f"_attention_blocks_{int(m[1]) - 1}_", found[3])
    rest = rest + "_0" if rest.endswith("to_out") else rest
    return f"{found[1]}_motion_modules_{found[2]}_temporal_transformer_{rest}"
