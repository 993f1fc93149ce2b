"""The noise schedule of a motion module, in the place of the checkpoint's, for one sampling."""

from __future__ import annotations

from typing import Any

import torch
from modules import sd_models

from lib_anim.models.motion.facts import Betas
from lib_anim.motion.betas import alphas_cumprod


class Alphas:
    """A handle on a host model's `alphas_cumprod`: built without effect, put on, taken off by identity."""

    def __init__(self, betas: Betas) -> None:
        self._table = alphas_cumprod(betas)
        self._worn: tuple[Any, Any, Any, Any, torch.Tensor] | None = None

    def attach(self, model: Any, p: Any) -> None:
        """Give `model` the module's table; the host's "zero terminal SNR" and "downcast alphas" act on it.

        The host makes the table that samplers read from `alphas_cumprod_original` at every batch, so both
        are set.
        """
        self.detach()
        # Made by the host when it first overrides a schedule; the checkpoint's table before that.
        original = getattr(model, "alphas_cumprod_original", model.alphas_cumprod)
        own = self._table.to(original.device, original.dtype)
        self._worn = (model, model.sd_checkpoint_info, model.alphas_cumprod, original, own)
        model.alphas_cumprod_original = own
        sd_models.apply_alpha_schedule_override(model, p)

    def detach(self) -> None:
        """Give the model its own back.

        A checkpoint loaded into the same model meanwhile has brought its own table along: it stays.
        """
        if self._worn is None:
            return
        model, checkpoint, table, original, own = self._worn
        self._worn = None
        if model.alphas_cumprod_original is own and model.sd_checkpoint_info is checkpoint:
            model.alphas_cumprod_original = original
            model.alphas_cumprod = table
