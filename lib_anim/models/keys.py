"""Tensor name patterns that identify kinds of weights files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

DOWNS = (
    ".lora_down.weight",
    ".lora_A.weight",
    ".lora.down.weight",
    ".lora_linear_layer.down.weight",
    "_lora.down.weight",
    ".hada_w1_b",
)
"""Endings of tensors that lead into a LoRA's narrow middle: kohya's, peft's, diffusers' (two), AnimateDiff's,
LoHa's."""

KRONECKER = (".lokr_w1", ".lokr_w1_a")
"""Endings of a LoKr's first factor, of which each layer has one."""


OTHERS = (".diff", ".w_norm", ".on_input", ".a1.weight", ".oft_blocks", ".oft_diag")
"""Endings of what each layer has one of in LyCORIS' kinds without a narrow middle, or with two (GLoRA)."""


def is_lora(keys: Iterable[str]) -> bool:
    """Whether names are those of a LoRA or its kin in kohya's or diffusers' naming."""
    return any(key.endswith((*DOWNS, *KRONECKER, *OTHERS)) for key in keys)


def inversion_keys(shapes: Mapping[str, tuple[int, ...]]) -> tuple[str, ...]:
    """Names of the tensors that hold a textual inversion's vectors, per text model; empty for other files.

    SDXL files hold `clip_l` and `clip_g`, the WebUI's `emb_params`, diffusers' one named like the word.
    """
    names = tuple(shapes)
    if set(names) >= {"clip_l", "clip_g"}:
        names = ("clip_l", "clip_g")
    elif "emb_params" in names:
        names = ("emb_params",)
    elif len(names) != 1 or not shapes[names[0]] or shapes[names[0]][-1] < 32:
        return ()
    vectors = all(1 <= len(shapes[name]) <= 2 and all(shapes[name]) for name in names)
    return names if vectors else ()
