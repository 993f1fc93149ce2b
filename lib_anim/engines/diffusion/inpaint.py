"""Inpainting as in the WebUI: prepares a masked request and composites the result over the original."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from lib_anim.engines.contract.requests import StillRequest
from lib_anim.types import Mask, Picture

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; right and bottom are exclusive."""


@dataclass(frozen=True)
class Inpainting:
    """Prepared inpainting: the picture to encode, the latent mask, and the composition with the original."""

    init: Picture
    """Of the request's size: the whole picture or the masked area enlarged, filled by `fill`."""
    mask: Mask
    """Of `init`'s size, soft where it was blurred."""
    repaint: Tensor
    """(h, w) float32 of the latents' size: 1 is repainted, 0 kept."""
    original: Picture
    cover: Mask
    """Weight of the painted picture over the original."""
    box: Box | None
    """Position of the painted picture in the original; None for all of it."""

    def composite(self, painted: Picture) -> Picture:
        """Composites the painted picture over the original where masked; float32 in [0, 1]."""
        whole = painted
        if self.box is not None:
            left, top, right, bottom = self.box
            whole = self.original.copy()
            whole[top:bottom, left:right] = _resized(painted, right - left, bottom - top)
        cover = self.cover[..., None]
        return np.clip(whole * cover + self.original * (1 - cover), 0, 1).astype(np.float32, copy=False)


def prepare(request: StillRequest, factor: int) -> Inpainting | None:
    """Prepares `request` for inpainting; `factor`: pixels per latent. None when `only_masked` is set and
    nothing is masked, which is plain img2img."""
    assert request.init is not None
    assert request.mask is not None
    size = request.width, request.height
    mask = blurred(request.mask, request.mask_blur)
    init, box = request.init, None
    if request.only_masked:
        box = area(mask, request.only_masked_padding, size)
        if box is None:
            return None
        left, top, right, bottom = box
        init = _resized(init[top:bottom, left:right], *size)
        cover = mask
        mask = np.clip(_resized(mask[top:bottom, left:right], *size), 0, 1)
    else:
        # The overlay is wider than the mask's soft edge, so that the edge shows the painted picture.
        cover = np.minimum(mask * 2, 1)
    if request.fill != "original":
        init = filled(init, mask)
    repaint = _places(mask, request.width // factor, request.height // factor)
    return Inpainting(init, mask, repaint, request.init, cover, box)


def _places(mask: Mask, width: int, height: int) -> Tensor:
    """(height, width) float32: 1 where latents are repainted.

    Reduced in 8 bits, as in the WebUI: a hard edge in the middle of a latent is rounded.
    """
    bits = Image.fromarray(np.round(mask * 255).astype(np.uint8))
    small = np.asarray(bits.resize((width, height), Image.Resampling.BICUBIC), np.float32)
    return torch.from_numpy(np.round(small / 255))


def blurred(mask: Mask, sigma: float) -> Mask:
    """The mask under a Gaussian of `sigma` pixels, cut off at 2.5 sigma."""
    if sigma <= 0:
        return mask
    side = 2 * int(2.5 * sigma + 0.5) + 1
    return cv2.GaussianBlur(mask, (side, side), sigma).astype(np.float32, copy=False)


def area(mask: Mask, padding: int, size: tuple[int, int]) -> Box | None:
    """The masked area and `padding` pixels round it, widened to the proportions of `size` within the picture.

    None when nothing is masked.
    """
    # Half an 8 bit step counts as nothing, or a blurred mask would be masked everywhere.
    rows, columns = (np.flatnonzero((mask > 0.5 / 255).any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return None
    height, width = mask.shape
    left, right = max(0, int(columns[0]) - padding), min(width, int(columns[-1]) + 1 + padding)
    top, bottom = max(0, int(rows[0]) - padding), min(height, int(rows[-1]) + 1 + padding)
    wanted = size[0] / size[1]
    if (right - left) / (bottom - top) > wanted:
        top, bottom = _widened(top, bottom, int((right - left) / wanted), height)
    else:
        left, right = _widened(left, right, int((bottom - top) * wanted), width)
    return left, top, right, bottom


def _widened(start: int, end: int, length: int, limit: int) -> tuple[int, int]:
    """`start` … `end` grown to `length` on both sides, moved or cut to stay within 0 … `limit`."""
    start -= (length - (end - start)) // 2
    end = start + length
    if end > limit:
        start, end = start - (end - limit), limit
    if start < 0:
        start, end = 0, min(limit, end - start)
    return start, end


def filled(picture: Picture, mask: Mask) -> Picture:
    """Fills the masked area from its surroundings, more finely towards its edge (fill "fill").

    Layers of the kept pixels, blurred by 256 … 2 pixels, are composited with the finest on top, each with
    the blurred kept area as alpha; radii and repetitions are the WebUI's.
    """
    kept = np.dstack([picture * (1 - mask[..., None]), 1 - mask]).astype(np.float32)
    result = np.zeros_like(kept)
    for radius, times in ((256, 1), (64, 1), (16, 2), (4, 4), (2, 2), (0, 1)):
        layer = _soft(kept, radius)
        for _ in range(times):
            result = layer + result * (1 - layer[..., 3:])
    return np.clip(result[..., :3] / np.maximum(result[..., 3:], 1e-6), 0, 1)


def _soft(picture: Picture, radius: int) -> Picture:
    """Approximates a Gaussian of `radius` by three box blurs (Kovesi 2010) at constant cost."""
    side = 2 * round(((4 * radius**2 + 1) ** 0.5 - 1) / 2) + 1
    for _ in range(3 if side > 1 else 0):
        picture = np.asarray(cv2.blur(picture, (side, side), borderType=cv2.BORDER_REPLICATE), np.float32)
    return picture


def _resized(picture: Picture, width: int, height: int) -> Picture:
    """`picture` (H, W) or (H, W, 3) at another size, not rounded: Lanczos for colours, bicubic for masks."""
    kind = Image.Resampling.BICUBIC if picture.ndim == 2 else Image.Resampling.LANCZOS
    planes = [picture] if picture.ndim == 2 else [picture[..., i] for i in range(3)]
    done = [
        np.asarray(Image.fromarray(np.ascontiguousarray(p)).resize((width, height), kind)) for p in planes
    ]
    result: Picture = np.clip(done[0] if picture.ndim == 2 else np.dstack(done), 0, 1)
    return result
