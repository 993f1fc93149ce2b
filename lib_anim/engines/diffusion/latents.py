"""VAE codec: pictures to latents and back, with a float32 retry when half precision overflows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor

from lib_anim.errors import FlipbookError, Problem
from lib_anim.types import Picture


class Codec:
    """One autoencoder and its scale."""

    def __init__(self, vae: AutoencoderKL, warn: Callable[[str], None]) -> None:
        self._vae = vae
        self._warn = warn
        self._scale = float(vae.config.scaling_factor)

    @property
    def vae(self) -> AutoencoderKL:
        """The network itself."""
        return self._vae

    @property
    def _weight(self) -> Tensor:
        """The first parameter, for dtype and device; the network's `dtype` iterates over all layers."""
        first: Tensor = next(self._vae.parameters())
        return first

    @contextmanager
    def pieces(self, small: bool) -> Iterator[None]:
        """While active and `small`, the VAE works in overlapping tiles, to save memory."""
        if small:
            self._vae.enable_tiling()
        try:
            yield
        finally:
            if small:
                self._vae.disable_tiling()

    @property
    def factor(self) -> int:
        """Pixels per latent along a side."""
        return int(2 ** (len(self._vae.config.block_out_channels) - 1))

    def encode(self, picture: Picture, seed: int) -> Tensor:
        """(1, C, H/f, W/f) float32: a sample of the posterior whose noise is drawn from `seed`.

        The WebUI samples too, from a generator left over from the run before; when the same seed ran
        before, that is a fresh generator of this seed, which is what is drawn here. Sampling: Kingma &
        Welling 2014, eq. 10.
        """
        pixels = torch.from_numpy(np.array(picture, np.float32)).permute(2, 0, 1)[None] * 2 - 1

        def run() -> Tensor:
            posterior = self._vae.encode(pixels.to(self._weight.device, self._weight.dtype)).latent_dist
            noise = torch.randn(posterior.mean.shape[1:], generator=torch.Generator().manual_seed(seed))
            latents: Tensor = posterior.mean.float() + posterior.std.float() * noise.to(posterior.mean.device)
            return latents * self._scale

        return self._finite(run, "encoding")

    def decode(self, latents: Tensor) -> Picture:
        """float32 (H, W, 3) in [0, 1] from (1, C, h, w)."""

        def run() -> Tensor:
            scaled = (latents / self._scale).to(self._weight.dtype)
            pixels: Tensor = self._vae.decode(scaled, return_dict=False)[0]
            return pixels.float()

        pixels = self._finite(run, "decoding")
        picture = (pixels[0].permute(1, 2, 0) * 0.5 + 0.5).clamp(0, 1)
        return np.ascontiguousarray(picture.cpu().numpy())

    def _finite(self, run: Callable[[], Tensor], what: str) -> Tensor:
        """Returns `run`'s result; when it is not finite, moves the VAE to float32 for good and retries."""
        result = run()
        if bool(result.isfinite().all()):
            return result
        if self._weight.dtype != torch.float32:
            self._vae.float()
            self._warn(f"The VAE overflowed in half precision while {what}; it now works in float32.")
            result = run()
            if bool(result.isfinite().all()):
                return result
        raise FlipbookError(
            Problem(
                f"{what} gave NaN or infinite values: the latents or the VAE's weights are broken; "
                "use another VAE",
                field="vae",
                code="model.not_finite",
            )
        )
