"""Per-frame init pictures and masks of a clip in img2img, from a video or masks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from PIL import Image, ImageOps

from lib_anim.webui.clip.task import Pictures

SET_PER_FRAME = ("init_images", "image_mask", "batch_size", "inpaint_full_res")
"""Attributes of a request that are set per frame for the host's `init`."""

LISTS = ("overlay_images", "color_corrections")
"""Attributes that `init` creates as lists with one entry per picture."""


class ClipPictures:
    """Runs the host's `init` once per frame, each with its own picture and mask.

    One picture is in memory at a time, in addition to what the host keeps (latents, overlays of masked
    pictures).
    """

    def __init__(self, source: Pictures, denoised: int) -> None:
        self._source = source
        self._denoised = denoised
        self._overlays: list[tuple[Any, Any]] = []

    def attach(self, p: Any) -> None:
        """Wrap the request's `init` so that it prepares all frames; before the host starts."""
        if not hasattr(p, "init_images") or not (self._source.video or self._source.masks):
            return
        if self._source.video:
            # Scripts that read the request's picture before `init`, such as ControlNet, get the first frame.
            p.init_images = [Image.fromarray(self._source.frame(0))]
        if self._source.masks:
            p.image_mask = self._source.mask(0)
        p.init = self._by_frame(p, p.init)

    def overlay(self, p: Any, number: int) -> tuple[Any, Any]:
        """(`paste_to`, `mask_for_overlay`) of a frame, as the host has them for one picture."""
        if self._overlays:
            return self._overlays[number]
        return p.paste_to, getattr(p, "mask_for_overlay", None)

    def _by_frame(self, p: Any, original: Callable[..., None]) -> Callable[..., None]:
        def init(prompts: Any, seeds: Any, subseeds: Any) -> None:
            given = {name: getattr(p, name) for name in SET_PER_FRAME}
            listed = {name: getattr(p, name) for name in LISTS}
            self._overlays = []
            made: dict[str, list[Any]] = {}
            for number in range(self._denoised):
                for name, value in (*given.items(), *listed.items()):
                    setattr(p, name, value)
                self._prepare(p, given, number)
                # The host's VAE samples from torch's global generator, whose state is arbitrary here.
                torch.manual_seed(seeds[number])
                original(prompts[number:], seeds[number:], subseeds[number:])
                for name in ("init_latent", "image_conditioning", "mask", "nmask", *LISTS):
                    made.setdefault(name, []).append(getattr(p, name, None))
                self._overlays.append((p.paste_to, p.mask_for_overlay))
            for name, value in given.items():
                setattr(p, name, value)
            _gather(p, made)

        return init

    def _prepare(self, p: Any, given: dict[str, Any], number: int) -> None:
        p.batch_size = 1
        pictures = given["init_images"]
        if self._source.video:
            p.init_images = [Image.fromarray(self._source.frame(number))]
        else:
            p.init_images = [pictures[min(number, len(pictures) - 1)]]
        if self._source.masks:
            p.image_mask = self._source.mask(number)
        p.paste_to = p.mask_for_overlay = None
        if p.image_mask is not None and p.inpaint_full_res:
            mask = p.image_mask.convert("L")
            # The host would repaint the whole picture for an empty mask; an empty mask repaints nothing.
            empty = (ImageOps.invert(mask) if p.inpainting_mask_invert else mask).getbbox() is None
            p.inpaint_full_res = not empty


def _gather(p: Any, made: dict[str, list[Any]]) -> None:
    """Combine the frames' attributes into those of a batch."""
    for name in ("init_latent", "image_conditioning"):
        setattr(p, name, torch.cat(made[name]))
    for name in ("mask", "nmask"):
        if all(part is not None for part in made[name]):
            setattr(p, name, torch.stack(made[name]))
    for name in LISTS:
        if all(part for part in made[name]):
            setattr(p, name, [part[0] for part in made[name]])
