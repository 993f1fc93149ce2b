"""The WebUI's noise: one generator per picture, for the initial noise and then for the steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from lib_anim.engines.sampling.randomness import Normals, PhiloxNormals, TorchNormals

NoiseSource = Literal["cpu", "gpu", "nv"]
"""The WebUI's "Random number generator source": a seed means the same on every device with `cpu` and `nv`."""


@dataclass
class PictureNoise:
    """Draws noise of one picture's latent shape (C, H, W), float32.

    The first draw (`first`) is the initial noise, later ones (`next`) are for ancestral steps.
    """

    shape: tuple[int, int, int]
    seed: int
    subseed: int = 0
    subseed_strength: float = 0.0
    resize_from: tuple[int, int] | None = None
    """(width, height) in pixels whose noise is pasted into the centre of this size."""
    ancestral_delta: int = 0
    """Added to the seed for the steps' noise ("Eta noise seed delta")."""
    source: NoiseSource = "cpu"
    device: torch.device | None = None
    """Device of the generator of source `gpu`; None is the CPU."""

    def __post_init__(self) -> None:
        self._stream = self.normals(self.seed)

    def first(self) -> Tensor:
        """The initial noise: the seed's, mixed with the subseed's, pasted into the requested size."""
        shape = self.shape
        if self.resize_from is not None:
            width, height = self.resize_from
            shape = (shape[0], height // 8, width // 8)
        noise = self.normals(self.seed).draw(shape)
        if self.subseed_strength:
            noise = slerp(self.subseed_strength, noise, self.normals(self.subseed).draw(shape))
        whole = self._stream.draw(self.shape)
        if shape != self.shape:
            noise = _pasted_into(whole, noise)
        if self.ancestral_delta:
            self._stream = self.normals(self.seed + self.ancestral_delta)
        return noise

    def next(self) -> Tensor:
        """The next step's noise; call `first` before."""
        return self._stream.draw(self.shape)

    def normals(self, seed: int) -> Normals:
        """A new stream of the source."""
        if self.source == "nv":
            return PhiloxNormals(seed)
        device = self.device if self.source == "gpu" else None
        return TorchNormals(seed, device or torch.device("cpu"))


def slerp(weight: float, low: Tensor, high: Tensor) -> Tensor:
    """Spherical interpolation (Shoemake 1985) of two noises (C, H, W), angle by angle along dimension 1.

    As in the WebUI, the angle is between columns of each channel. Nearly parallel noises are mixed linearly
    with swapped weights, also as in the WebUI.
    """
    cosine = (low / low.norm(dim=1, keepdim=True) * (high / high.norm(dim=1, keepdim=True))).sum(1)
    if cosine.mean() > 0.9995:
        return low * weight + high * (1 - weight)
    angle = torch.acos(cosine)
    a = torch.sin((1 - weight) * angle) / torch.sin(angle)
    b = torch.sin(weight * angle) / torch.sin(angle)
    return a.unsqueeze(1) * low + b.unsqueeze(1) * high


def _pasted_into(whole: Tensor, part: Tensor) -> Tensor:
    """`whole` (C, H, W) with `part` pasted into its centre, cropped where it is larger."""
    result = whole.clone()
    dy, dx = ((w - p) // 2 for w, p in zip(whole.shape[1:], part.shape[1:], strict=True))
    # Offsets round towards minus infinity and sizes follow from them, so an odd rest keeps its side.
    height = part.shape[1] + min(0, 2 * dy)
    width = part.shape[2] + min(0, 2 * dx)
    ty, tx, sy, sx = max(dy, 0), max(dx, 0), max(-dy, 0), max(-dx, 0)
    result[:, ty : ty + height, tx : tx + width] = part[:, sy : sy + height, sx : sx + width]
    return result
