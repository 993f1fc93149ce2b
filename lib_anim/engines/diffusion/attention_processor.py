"""Runs the attention layers of diffusers' UNet through our attention function."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from lib_anim.motion.attention import Attention


class AttentionProcessor:
    """A processor for `UNet2DConditionModel.set_attn_processor`: self- and cross-attention without masks.

    Equals diffusers' `AttnProcessor2_0` for the layers of Stable Diffusion's UNets, which have neither norms
    nor a residual connection of their own.
    """

    def __init__(self, attention: Attention) -> None:
        self._attention = attention

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
    ) -> Tensor:
        """(batch, tokens, channels) → the same shape."""
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        batch, tokens, _ = hidden_states.shape
        query, key, value = (
            layer(source).view(batch, source.shape[1], attn.heads, -1).transpose(1, 2)
            for layer, source in ((attn.to_q, hidden_states), (attn.to_k, context), (attn.to_v, context))
        )
        found = self._attention(query, key, value, attn.scale)
        found = found.transpose(1, 2).reshape(batch, tokens, -1).to(query.dtype)
        linear, dropout = attn.to_out
        result: Tensor = dropout(linear(found))
        return result
