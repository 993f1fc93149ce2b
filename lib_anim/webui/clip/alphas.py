"""Applies a motion module's noise schedule to the host's model for one sampling."""

from __future__ import annotations

from typing import Any

import torch
from modules import sd_models

from lib_anim.models.motion.facts import Betas
from lib_anim.motion.betas import alphas_cumprod


class AlphaSchedulePatch:
    """Replaces a host model's `alphas_cumprod` by a motion module's between `attach` and `detach`."""

    def __init__(self, betas: Betas) -> None:
        self._table = alphas_cumprod(betas)
        self._attached: tuple[Any, Any, Any, Any, torch.Tensor] | None = None

    def attach(self, model: Any, p: Any) -> None:
        """Set the module's table on `model` and apply the host's "zero terminal SNR" and "downcast alphas".

        The host computes the samplers' table from `alphas_cumprod_original` at every batch, so both are set.
        """
        self.detach()
        # The host creates the attribute when it first overrides a schedule.
        original = getattr(model, "alphas_cumprod_original", model.alphas_cumprod)
        own = self._table.to(original.device, original.dtype)
        self._attached = (model, model.sd_checkpoint_info, model.alphas_cumprod, original, own)
        model.alphas_cumprod_original = own
        sd_models.apply_alpha_schedule_override(model, p)

    def detach(self) -> None:
        """Restore the model's own table.

        A checkpoint that was loaded into the same model meanwhile has set its own table, which is kept.
        """
        if self._attached is None:
            return
        model, checkpoint, table, original, own = self._attached
        self._attached = None
        if model.alphas_cumprod_original is own and model.sd_checkpoint_info is checkpoint:
            model.alphas_cumprod_original = original
            model.alphas_cumprod = table
