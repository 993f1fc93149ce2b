"""The host's postprocessing of decoded pictures, applied to every frame of a clip."""

from __future__ import annotations

from typing import Any

import numpy as np
from modules import devices, face_restoration, processing, scripts, shared
from PIL import Image


def postprocessed(p: Any, picture: np.ndarray, number: int, place: tuple[Any, Any]) -> np.ndarray:
    """A decoded frame, uint8 RGB, after face restoration, scripts, colour correction and overlay.

    In the order of the host's own loop (1.10), which gets no frames of a clip. `place`: the region into which
    the frame is pasted and the mask of its overlay. Scripts read the frame's number from `p.batch_index`.
    """
    p.batch_index = number
    if p.restore_faces:
        devices.torch_gc()
        picture = face_restoration.restore_faces(picture)
        devices.torch_gc()
    image = _by_scripts(p.scripts, "postprocess_image", p, Image.fromarray(picture))
    paste_to, mask = place
    overlay = _entry(p.overlay_images, number) if shared.opts.overlay_inpaint else None
    if p.scripts is not None:
        arguments = scripts.PostProcessMaskOverlayArgs(number, mask, overlay)
        p.scripts.postprocess_maskoverlay(p, arguments)
        overlay = arguments.overlay_image
    correction = _entry(p.color_corrections, number)
    if correction is not None:
        image = processing.apply_color_correction(correction, image)
    image, _ = processing.apply_overlay(image, paste_to, overlay)
    image = _by_scripts(p.scripts, "postprocess_image_after_composite", p, image)
    return np.asarray(image.convert("RGB"))


def _by_scripts(runner: Any, hook: str, p: Any, image: Image.Image) -> Image.Image:
    if runner is None:
        return image
    arguments = scripts.PostprocessImageArgs(image)
    getattr(runner, hook)(p, arguments)
    found: Image.Image = arguments.image
    return found


def _entry(entries: Any, number: int) -> Any:
    return entries[number] if entries is not None and number < len(entries) else None
