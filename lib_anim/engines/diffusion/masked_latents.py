"""Additional UNet input of inpainting checkpoints: the mask and the latents of the masked picture."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lib_anim.engines.diffusion.latents import Codec
from lib_anim.types import Mask, Picture


def masked_latents(
    codec: Codec, size: tuple[int, int], init: Picture | None, mask: Mask | None, seed: int
) -> Tensor:
    """(1, 1 + C, h, w) float32 on the codec's device, concatenated behind the noisy latents.

    Rombach et al. 2022, section 4.5, in the WebUI's form: the mask is rounded to 0 and 1 in the picture and
    subsampled to the latents' size; masked pixels are grey in the encoded picture. Without a mask
    everything is repainted, as in txt2img and img2img. `size`: (width, height); `mask` has `init`'s size.
    """
    width, height = size
    if init is None or mask is None:
        mask = np.ones((height, width), np.float32)
    rounded = np.round(mask).astype(np.float32)
    grey = np.full((height, width, 3), 0.5, np.float32)
    seen = grey if init is None else (init - 0.5) * (1 - rounded[..., None]) + 0.5
    latents = codec.encode(seen.astype(np.float32, copy=False), seed)
    places = torch.from_numpy(rounded)[None, None].to(latents.device)
    return torch.cat([F.interpolate(places, size=latents.shape[-2:]), latents], dim=1)
