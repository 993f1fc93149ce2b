"""How kinds of files are told apart by their tensors' names alone."""

from __future__ import annotations

from collections.abc import Iterable

from lib_anim.models.header import Header

DOWNS = (".lora_down.weight", ".lora_A.weight", ".lora.down.weight", "_lora.down.weight")
"""Endings of tensors that lead into a LoRA's narrow middle: kohya's, peft's, diffusers', AnimateDiff's."""


def is_lora(keys: Iterable[str]) -> bool:
    """Whether names are those of a LoRA in kohya's or diffusers' naming."""
    return any(key.endswith(DOWNS) for key in keys)


def inversion_keys(header: Header) -> tuple[str, ...]:
    """Names of the tensors that hold a textual inversion's vectors, per text model; empty for other files.

    SDXL files hold `clip_l` and `clip_g`, the WebUI's `emb_params`, diffusers' one named like the word.
    """
    names = tuple(header.tensors)
    if set(names) >= {"clip_l", "clip_g"}:
        return ("clip_l", "clip_g")
    if "emb_params" in names:
        return ("emb_params",)
    if len(names) == 1 and 1 <= len(header.shape(names[0])) <= 2 and header.shape(names[0])[-1] >= 32:
        return names
    return ()
