"""Clip session: applies one clip's motion module, windows and factors around any denoiser."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache

import torch
from torch import Tensor

from lib_anim.errors import FlipbookError, Problem
from lib_anim.models.motion.motion_lora import MotionLora, with_lora
from lib_anim.models.motion.reader import MotionModule
from lib_anim.motion.attention import Attention, sdpa
from lib_anim.motion.dials import FactorReader
from lib_anim.motion.fit import refuse_misfit
from lib_anim.motion.fusion import shares
from lib_anim.motion.handles import Handles
from lib_anim.motion.plan import ClipPlan
from lib_anim.motion.rows import Rows
from lib_anim.motion.sites import Sites
from lib_anim.motion.transformer import PIECE, PIECES, TemporalTransformer, View
from lib_anim.motion.windows import Window, views, windows

Warn = Callable[[str], None]
Inner = Callable[[Rows], Tensor]
"""Runs the network on some rows of the batch and returns their result, in their order."""


class ClipSession:
    """Motion module, windows and factors of one clip. Creating it changes nothing; for one clip at a time.

    The number of groups is always rows // frames, taken from the tensor that arrives: prompts and negatives
    may be in one batch, in batches of their own, or absent at some steps.
    """

    def __init__(
        self,
        module: MotionModule,
        plan: ClipPlan,
        loras: Sequence[tuple[MotionLora, float]] = (),
        *,
        lean: bool = False,
        attention: Attention = sdpa,
        warn: Warn = lambda sentence: None,
    ) -> None:
        """`loras`: motion LoRAs with their weights. Raises FlipbookError when the plan's context
        is longer than the module supports, or no layer of a LoRA fits.

        `lean` keeps the motion layers' weights in main memory and copies each to the device while it runs, as
        the WebUI's --lowvram does with the UNet's. `warn` is called with one sentence for each fallback.
        """
        facts = module.facts
        if min(plan.context, plan.frames) > facts.positions:
            raise FlipbookError(
                Problem(
                    f"{plan.context} frames are more than {facts.title} supports ({facts.name} has "
                    f"{facts.positions} positions); use at most {facts.positions}",
                    field="context",
                    code="motion_module.context_too_long",
                )
            )
        for lora, weight in loras:
            module, unmatched = with_lora(module, lora, weight)
            if unmatched:
                warn(_unmatched(lora, unmatched, module))
        self.module = module
        self.plan = plan
        self._lean = lean
        self._warn = warn
        self._layers = {
            site: TemporalTransformer(weights, facts.positions, attention)
            for site, weights in module.weights.items()
        }
        self._scale = FactorReader(plan.scale, plan.frames)
        self._effect = FactorReader(plan.effect, plan.frames)
        self._handles = Handles()
        self._window: Window = tuple(range(plan.frames))
        self._halved = False
        """Whether memory ran out: smaller pieces and one group per call since then."""
        self._rows = lru_cache(maxsize=512)(Rows)
        self._shares = lru_cache(maxsize=512)(self._share_tensors)
        self._views = lru_cache(maxsize=8)(self._view_tensors)

    @property
    def window(self) -> Window:
        """The frames of the running network call; the whole clip outside of one."""
        return self._window

    @contextmanager
    def installed(self, sites: Sites) -> Iterator[ClipSession]:
        """Attaches the motion layers to the UNet at `sites` and detaches them again, also after an error.

        Raises FlipbookError when the module does not fit the UNet; then nothing has been changed.
        """
        self.move(sites)
        try:
            yield self
        finally:
            self._handles.detach()

    def move(self, sites: Sites) -> None:
        """Detaches the layers and attaches them to another UNet, when a refiner takes over."""
        facts = self.module.facts
        refuse_misfit(facts, sites)
        self._handles.detach()
        dtype = _dtype_of(sites)
        for layer in self._layers.values():
            layer.to(layer.device, dtype)
        places = tuple(site for site in sites.blocks if site.key in self._layers)
        across = facts.norms_across_frames
        self._handles.attach(
            sites, places, self._moved, self._fold if across else None, self._unfold if across else None
        )

    @property
    def sites(self) -> Sites | None:
        """Where the layers are attached; None while they are detached."""
        return self._handles.sites

    def windows(self, step: int) -> tuple[Window, ...]:
        """The windows of `step` (from 0), in the order in which they are run."""
        return windows(self.plan, step)

    def denoise(self, x: Tensor, step: int, inner: Inner) -> Tensor:
        """The network's result for the batch `x`, window by window, fused.

        `x` (groups · frames, C, h, w), frames running fastest, is used for its shape, dtype and device
        only; `inner` runs the network on the rows it is given (`rows.of(x)` cuts a tensor) and may be
        called again for the same rows when memory runs out. Results for a frame in several windows are
        averaged by the plan's fusion; this is valid for predictions of noise and of clean latents. Raises
        FlipbookError when the number of rows is not a multiple of the clip's frames.
        """
        count = self.plan.frames
        groups = self._groups(len(x), count)
        found = windows(self.plan, step)
        if len(found) == 1 and found[0] == tuple(range(count)):
            return self._pass(found[0], groups, x, inner)
        total: Tensor | None = None
        weights = self._shares(found, groups, x.device)
        for window, share in zip(found, weights, strict=True):
            result = self._pass(window, groups, x, inner)
            rows = self._rows(window, count, 0, groups, len(x), x.device)
            if total is None:
                total = torch.zeros((len(x), *result.shape[1:]), dtype=torch.float32, device=result.device)
            total.index_add_(0, rows.index, result.float() * share)
        assert total is not None
        return total.to(result.dtype)

    def _pass(self, window: Window, groups: int, x: Tensor, inner: Inner) -> Tensor:
        """One window; when memory runs out, once more with smaller pieces and one group per call."""
        if not self._halved:
            try:
                return self._run(window, 0, groups, groups, x, inner)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
            self._halved = True
            self._warn(
                "Memory ran out; motion attention continues in pieces half as large, with one prompt at a "
                "time."
            )
            if x.device.type == "cuda":
                torch.cuda.empty_cache()
        parts = [self._run(window, g, g + 1, groups, x, inner) for g in range(groups)]
        return parts[0] if groups == 1 else torch.cat(parts)

    def _run(self, window: Window, first: int, last: int, groups: int, x: Tensor, inner: Inner) -> Tensor:
        before = self._window
        self._window = window
        try:
            return inner(self._rows(window, self.plan.frames, first, last, len(x), x.device))
        finally:
            self._window = before

    def _share_tensors(
        self, found: tuple[Window, ...], groups: int, device: torch.device
    ) -> tuple[Tensor, ...]:
        plan = self.plan
        parts = shares(found, plan.frames, plan.fusion, plan.shared, plan.closed_loop == "A")
        return tuple(torch.tensor(part, device=device).repeat(groups).view(-1, 1, 1, 1) for part in parts)

    def _moved(self, site: str, x: Tensor) -> Tensor:
        """A layer's output with its motion layer's change: what the hooks call."""
        frames = len(self._window)
        self._groups(len(x), frames)
        effect = self._effect.at(site, self._window, x)
        if isinstance(effect, float) and effect == 0.0:
            return x
        layer = self._layers[site]
        if layer.device != x.device:
            layer = layer.on_device(x.device)
            if not self._lean:
                self._layers[site] = layer
        piece = PIECES.get(x.device.type, PIECE) >> self._halved
        seen = self._views(x.device, x.dtype) if frames == self.plan.frames else ()
        return layer(x, frames, self._scale.at(site, self._window, x), effect, piece, seen)

    def _view_tensors(self, device: torch.device, dtype: torch.dtype) -> tuple[View, ...]:
        plan = self.plan
        found = views(plan)
        parts = shares(found, plan.frames, plan.fusion, plan.shared, plan.closed_loop == "A")
        return tuple(
            (window, torch.tensor(part, device=device, dtype=dtype)[:, None])
            for window, part in zip(found, parts, strict=True)
        )

    def _fold(self, x: Tensor) -> Tensor:
        """(groups·frames, C, h, w) to (groups, C, frames·h, w): a norm then covers all frames."""
        frames = len(self._window)
        groups = self._groups(len(x), frames)
        _, channels, height, width = x.shape
        parts = x.view(groups, frames, channels, height, width).transpose(1, 2)
        return parts.reshape(groups, channels, frames * height, width)

    def _unfold(self, x: Tensor) -> Tensor:
        frames = len(self._window)
        groups, channels, height, width = x.shape
        parts = x.view(groups, channels, frames, height // frames, width).transpose(1, 2)
        return parts.reshape(groups * frames, channels, height // frames, width)

    def _groups(self, rows: int, frames: int) -> int:
        groups, rest = divmod(rows, frames)
        if rest or not groups:
            raise FlipbookError(
                Problem(
                    f"the network was given {rows} pictures, not a multiple of the {frames} frames that are "
                    "denoised together; pass whole groups of frames",
                    code="batch.not_a_multiple",
                )
            )
        return groups


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether torch ran out of memory; not every allocator has its own error type."""
    known = getattr(torch, "OutOfMemoryError", torch.cuda.OutOfMemoryError)
    text = str(error)
    return isinstance(error, known) or "out of memory" in text or "can't allocate memory" in text


def _unmatched(lora: MotionLora, names: Sequence[str], module: MotionModule) -> str:
    shown = ", ".join(names[:4]) + (" …" if len(names) > 4 else "")
    count = len(lora.changes) + len(lora.strangers)
    return (
        f'{len(names)} of {count} layers of the motion LoRA "{lora.name}" do not exist in '
        f"{module.facts.name} and are left out: {shown}."
    )


def _dtype_of(sites: Sites) -> torch.dtype:
    """The UNet's compute dtype; 8-bit weights are computed with in float16."""
    weights: Sequence[torch.Tensor] = [p for p in sites.blocks[0].layer.parameters() if p.is_floating_point()]
    dtype = weights[0].dtype if weights else torch.float32
    return torch.float16 if dtype.itemsize == 1 else dtype
