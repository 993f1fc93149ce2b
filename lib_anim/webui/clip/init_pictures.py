"""A clip's init pictures and masks in img2img, frame by frame, where a video or masks are followed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from PIL import Image, ImageOps

from lib_anim.webui.clip.task import Pictures

GIVEN = ("init_images", "image_mask", "batch_size", "inpaint_full_res")
"""What the host's `init` reads of a request and this changes for each frame."""

LISTS = ("overlay_images", "color_corrections")
"""What it makes as a list with one entry per picture."""


class ClipPictures:
    """Prepares every frame from its own picture and mask as the host prepares a single picture.

    One picture is in memory at a time, besides what the host needs to the end (latents; what lies over
    masked pictures).
    """

    def __init__(self, source: Pictures, denoised: int) -> None:
        self._source = source
        self._denoised = denoised
        self._places: list[tuple[Any, Any]] = []

    def attach(self, p: Any) -> None:
        """Told before the host begins: its `init` of this request then goes over all frames."""
        if not hasattr(p, "init_images") or not (self._source.video or self._source.masks):
            return
        if self._source.video:
            # What looks at the request's picture before `init`, such as ControlNet, sees the first.
            p.init_images = [Image.fromarray(self._source.frame(0))]
        if self._source.masks:
            p.image_mask = self._source.mask(0)
        p.init = self._by_frame(p, p.init)

    def place(self, p: Any, number: int) -> tuple[Any, Any]:
        """(where a frame is pasted, mask of what lies over it), as the host keeps them for one picture."""
        if self._places:
            return self._places[number]
        return p.paste_to, getattr(p, "mask_for_overlay", None)

    def _by_frame(self, p: Any, former: Callable[..., None]) -> Callable[..., None]:
        def init(prompts: Any, seeds: Any, subseeds: Any) -> None:
            given = {name: getattr(p, name) for name in GIVEN}
            listed = {name: getattr(p, name) for name in LISTS}
            self._places = []
            made: dict[str, list[Any]] = {}
            for number in range(self._denoised):
                for name, value in (*given.items(), *listed.items()):
                    setattr(p, name, value)
                self._prepare(p, given, number)
                # The host draws the latent's noise from torch's own generator, wherever that stands.
                torch.manual_seed(seeds[number])
                former(prompts[number:], seeds[number:], subseeds[number:])
                for name in ("init_latent", "image_conditioning", "mask", "nmask", *LISTS):
                    made.setdefault(name, []).append(getattr(p, name, None))
                self._places.append((p.paste_to, p.mask_for_overlay))
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
            # The host repaints the whole of a picture whose mask is empty; nothing is what it says.
            empty = (ImageOps.invert(mask) if p.inpainting_mask_invert else mask).getbbox() is None
            p.inpaint_full_res = not empty


def _gather(p: Any, made: dict[str, list[Any]]) -> None:
    """Put the frames' parts together as the host has those of a batch."""
    for name in ("init_latent", "image_conditioning"):
        setattr(p, name, torch.cat(made[name]))
    for name in ("mask", "nmask"):
        if all(part is not None for part in made[name]):
            setattr(p, name, torch.stack(made[name]))
    for name in LISTS:
        if all(part for part in made[name]):
            setattr(p, name, [part[0] for part in made[name]])
